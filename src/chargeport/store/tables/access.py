"""The tables of applications, tokens and connections."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec

from chargeport.signals.definition import Permission
from chargeport.store import sql
from chargeport.store.audit import Act, recorded
from chargeport.store.encryption import Encryption
from chargeport.store.records import Application, Connection, Grant, Page, user_uuid_of
from chargeport.store.sql import Reader, Scans, Writer
from chargeport.store.tables import rows, visibility

EXPIRED_MS: Final = 3_600_000

_GRANT: Final = (
    "SELECT t.client_id, a.permissions, a.connected_only OR t.user_uuid IS NOT NULL, t.expires_at,"
    " EXISTS (SELECT 1 FROM ended_connections e WHERE e.client_id = t.client_id), t.user_uuid, t.person FROM tokens t"
    " JOIN applications a ON a.client_id = t.client_id WHERE t.token_hash = ? AND a.revoked_at IS NULL"
)
_CONNECTIONS: Final = "FROM connections c JOIN vehicles v ON v.key = c.vehicle_key"
_FITTING: Final = (
    f"{_CONNECTIONS} WHERE (CAST(?1 AS TEXT) IS NULL OR c.client_id = ?1) AND (CAST(?2 AS TEXT) IS NULL OR c.user_uuid = ?2)"
    " AND (CAST(?3 AS TEXT) IS NULL OR v.id = ?3) AND (CAST(?4 AS TEXT) IS NULL OR v.mode = ?4)"
)
# The vehicles first (CROSS JOIN keeps SQLite to that): an application may have a hundred thousand connections.
CONNECTED_WITH: Final = (
    f"SELECT {rows.CONNECTION} FROM vehicles v CROSS JOIN connections c WHERE c.vehicle_key = v.key AND c.client_id = ?1"
    " AND (CAST(?2 AS TEXT) IS NULL OR c.user_uuid = ?2) AND v.id IN ({}) ORDER BY c.created_at, c.id"
)

_EVERY: Final = (
    "FROM vehicles v LEFT JOIN connections c ON c.vehicle_key = v.key AND c.client_id = ?1"
    " WHERE (c.id IS NOT NULL OR v.key NOT IN (SELECT vehicle_key FROM ended_connections WHERE client_id = ?1))"
    " AND (CAST(?2 AS TEXT) IS NULL OR coalesce(c.user_uuid, ?5) = ?2) AND (CAST(?3 AS TEXT) IS NULL OR v.id = ?3)"
    " AND (CAST(?4 AS TEXT) IS NULL OR v.mode = ?4)"
)
_OWN: Final = (
    "coalesce(c.id, v.id), ?1, coalesce(c.user_id, ?1), coalesce(c.permissions, ?6), coalesce(c.created_at, v.created_at)"
)

_TOKEN_COLUMNS: Final = (("applications", "management_token"), ("previous_management_tokens", "token"))


class AccessTables:
    """`store.access.Access`."""

    def __init__(self, reader: Reader, writer: Writer, scans: Scans, encryption: Encryption) -> None:
        self._encryption = encryption
        self._reader = reader
        self._writer = writer
        self._scans = scans

    async def add_application(self, application: Application, secret_hash: bytes) -> None:
        """Store a new application."""
        row = (
            application.client_id, application.name, secret_hash, self._encryption.encrypt(application.management_token),
            rows.permissions_text(application.permissions), application.connected_only, application.created_at,
        )  # fmt: skip

        def add(connection: sql.Connection) -> None:
            connection.execute("INSERT INTO applications VALUES (?,?,?,?,?,?,?,NULL)", row)

        allowed = rows.permissions_text(application.permissions)
        await self._writer.call(recorded(Act.APPLICATION_CREATED, application.client_id, add, allowed))

    async def application(self, client_id: str) -> tuple[Application, bytes] | None:
        """Return an application with the hash of its secret."""
        row = await self._reader.select_row(
            f"SELECT {rows.APPLICATION}, secret_hash FROM applications WHERE client_id = ?", (client_id,)
        )
        return None if row is None else (self._application(row), row[-1])

    async def applications(self) -> list[Application]:
        """Return all applications, oldest first."""
        found = await self._reader.select(f"SELECT {rows.APPLICATION} FROM applications ORDER BY created_at, client_id")
        return [self._application(row) for row in found]

    def _application(self, row: Any) -> Application:
        found, decrypt = rows.application(row), self._encryption.decrypt
        previous = None if found.previous_token is None else decrypt(found.previous_token)
        return msgspec.structs.replace(found, management_token=decrypt(found.management_token), previous_token=previous)

    async def encrypt_anew(self, *, stale_only: bool = False) -> int:
        """Encrypt the management tokens with the first key; with `stale_only`, those not encrypted yet; return how many."""

        def encrypt(connection: sql.Connection) -> int:
            with connection.erasing():
                return sum(self._encrypted_anew(connection, *each, stale_only=stale_only) for each in _TOKEN_COLUMNS)

        if not self._encryption.is_on:
            return 0
        return await self._writer.call(recorded(Act.SECRETS_ENCRYPTED, "", encrypt, "{} management tokens".format))

    def _encrypted_anew(self, connection: sql.Connection, table: str, column: str, *, stale_only: bool) -> int:
        kept = sql.fetch(connection, f"SELECT {column}, client_id FROM {table}")
        stale = [row for row in kept if not (stale_only and self._encryption.is_encrypted(row[0]))]
        renewed = [(self._encryption.encrypt(self._encryption.decrypt(text)), client_id) for text, client_id in stale]
        connection.executemany(f"UPDATE {table} SET {column} = ? WHERE client_id = ?", renewed)
        return len(renewed)

    async def rotate_secret(self, client_id: str, secret_hash: bytes, management_token: str) -> bool:
        """Set new secrets of an application and end its tokens."""
        secrets = (secret_hash, self._encryption.encrypt(management_token))

        def renew(connection: sql.Connection) -> bool:
            return _change_application(connection, client_id, "secret_hash = ?, management_token = ?", secrets)

        return await self._writer.call(recorded(Act.SECRETS_RENEWED, client_id, renew))

    async def rotate_management_token(self, client_id: str, management_token: str, previous_until: int) -> bool:
        """Set a new management token of an application; the previous one stays valid for a time."""

        def rotate(connection: sql.Connection) -> bool:
            connection.execute(
                "INSERT INTO previous_management_tokens SELECT client_id, management_token, ? FROM applications"
                " WHERE client_id = ? AND revoked_at IS NULL ON CONFLICT (client_id) DO UPDATE SET token = excluded.token,"
                " valid_until = excluded.valid_until",
                (previous_until, client_id),
            )
            connection.execute(
                "UPDATE applications SET management_token = ? WHERE client_id = ? AND revoked_at IS NULL",
                (self._encryption.encrypt(management_token), client_id),
            )
            return connection.changes() > 0

        return await self._writer.call(recorded(Act.SECRETS_RENEWED, client_id, rotate, "management token"))

    async def revoke_application(self, client_id: str, at: int) -> bool:
        """End an application; the tokens end."""

        def revoke(connection: sql.Connection) -> bool:
            return _change_application(connection, client_id, "revoked_at = ?", (at,))

        return await self._writer.call(recorded(Act.APPLICATION_REVOKED, client_id, revoke))

    async def add_token(
        self,
        token_hash: bytes,
        client_id: str,
        expires_at: int,
        *,
        user_uuid: str | None = None,
        person: str | None = None,
        now: int | None = None,
        most: int | None = None,
    ) -> None:
        """Store a token; remove expired ones, and the oldest of its application beyond `most`."""
        token = (token_hash, client_id, expires_at, user_uuid, person)

        def add(connection: sql.Connection) -> None:
            _insert_token(connection, token, now, most)

        await self._writer.call(recorded(Act.TOKEN_ISSUED, client_id, add, by=_named(client_id, person)))

    async def expire_tokens(self, at: int, client_id: str | None = None) -> int:
        """Set tokens to expire."""

        def write(connection: sql.Connection) -> int:
            connection.execute(
                "UPDATE tokens SET expires_at = ?1 WHERE expires_at > ?1 AND (CAST(?2 AS TEXT) IS NULL OR client_id = ?2)",
                (at, client_id),
            )
            return connection.changes()

        return await self._writer.call(recorded(Act.TOKENS_ENDED, client_id or "", write, "{} tokens".format))

    async def grant(self, token_hash: bytes) -> Grant | None:
        """Return the grant of a token."""
        row = await self._reader.select_row(_GRANT, (token_hash,))
        return (
            None if row is None else Grant(row[0], rows.permissions(row[1]), bool(row[2]), row[3], bool(row[4]), row[5], row[6])
        )

    async def add_connection(self, connection: Connection) -> Connection:
        """Add a connection, or set other permissions of an existing one."""
        allowed, vehicle_id = rows.permissions_text(connection.permissions), connection.vehicle.id
        do = recorded(Act.CONNECTION_SET, vehicle_id, lambda database: _upsert_connection(database, connection), allowed)
        return await self._writer.call(do)

    async def connection(self, client_id: str, vehicle_id: str, user_uuid: str | None = None) -> Connection | None:
        """Return the oldest connection of an application to a car (of a user)."""
        return (await self.connections_with(client_id, (vehicle_id,), user_uuid)).get(vehicle_id)

    async def connections_with(
        self, client_id: str, vehicle_ids: Sequence[str], user_uuid: str | None = None
    ) -> dict[str, Connection]:
        """Return the oldest connections of an application to these cars (of a user), by the car's id."""
        found = await self._reader.select(CONNECTED_WITH.format(marks(vehicle_ids, 3)), (client_id, user_uuid, *vehicle_ids))
        oldest: dict[str, Connection] = {}
        for each in map(rows.connection, found):
            oldest.setdefault(each.vehicle.id, each)
        return oldest

    async def may_write(self, client_id: str, vehicle_id: str) -> bool:
        """Return whether there is a writing connection."""
        return (
            await self._reader.select_row(f"{rows.WRITING} (SELECT key FROM vehicles WHERE id = ?)", (client_id, vehicle_id))
            is not None
        )

    async def connections(
        self,
        page: Page,
        client_id: str | None = None,
        *,
        user_uuid: str | None = None,
        vehicle_id: str | None = None,
        mode: str | None = None,
        every: frozenset[Permission] | None = None,
    ) -> tuple[list[Connection], int]:
        """Return a page of connections, newest first, and how many match."""
        if client_id is not None and every is not None:
            wanted = (client_id, user_uuid, vehicle_id, mode, user_uuid_of(client_id))
            return await self._scans.run(lambda database: _with_every(database, wanted, every, page))
        bindings = (client_id, user_uuid, vehicle_id, mode)
        total = await self._reader.select_count(f"SELECT count(*) {_FITTING}", bindings)
        found = await self._reader.select(
            f"SELECT {rows.CONNECTION} {_FITTING} ORDER BY c.created_at DESC, c.id DESC LIMIT ?5 OFFSET ?6",
            (*bindings, page.size, page.offset),
        )
        return [rows.connection(row) for row in found], total

    async def connection_by_id(
        self, connection_id: str, client_id: str | None = None, user_uuid: str | None = None
    ) -> Connection | None:
        """Return one connection (of an application, of a user)."""
        row = await self._reader.select_row(
            f"SELECT {rows.CONNECTION} {_CONNECTIONS} WHERE c.id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR c.client_id = ?2)"
            " AND (CAST(?3 AS TEXT) IS NULL OR c.user_uuid = ?3)",
            (connection_id, client_id, user_uuid),
        )
        return None if row is None else rows.connection(row)

    async def end_connections(self, client_id: str, vehicle_ids: Sequence[str] | None, at: int) -> int:
        """End the application's own connections."""
        do = partial(_end, client_id=client_id, vehicle_ids=vehicle_ids, at=at)
        return await self._writer.call(recorded(Act.CONNECTION_ENDED, client_id, do, "{} of its own".format))

    async def ended_among(self, client_id: str, vehicle_ids: Sequence[str]) -> frozenset[str]:
        """Return those of these vehicles to which the application ended its own connection."""
        found = await self._reader.select(ENDED_AMONG.format(marks(vehicle_ids, 2)), (client_id, *vehicle_ids))
        return frozenset(vehicle_id for (vehicle_id,) in found)

    async def remove_connection(self, connection_id: str) -> bool:
        """End a connection."""
        do = partial(_delete_connection, connection_id=connection_id)
        return await self._writer.call(recorded(Act.CONNECTION_ENDED, connection_id, do))


def _named(client_id: str, person: str | None) -> str:
    """Return who gets a token."""
    return client_id if person is None else f"user:{person}"


def _change_application(connection: sql.Connection, client_id: str, change: str, values: tuple[Any, ...]) -> bool:
    connection.execute(
        f"UPDATE applications SET {change} WHERE client_id = ? AND revoked_at IS NULL",
        (*values, client_id),
    )
    if connection.changes() == 0:
        return False
    connection.execute("DELETE FROM tokens WHERE client_id = ?", (client_id,))
    connection.execute("DELETE FROM previous_management_tokens WHERE client_id = ?", (client_id,))
    return True


def _insert_token(
    connection: sql.Connection, token: tuple[bytes, str, int, str | None, str | None], now: int | None, most: int | None
) -> None:
    if now is not None:  # an expired token is stored for an hour, to report that it has expired
        connection.execute(
            "DELETE FROM tokens WHERE client_id IN (SELECT client_id FROM applications) AND expires_at < ?", (now - EXPIRED_MS,)
        )
    if most is not None:
        connection.execute(
            "DELETE FROM tokens WHERE token_hash IN"
            " (SELECT token_hash FROM tokens WHERE client_id = ? ORDER BY expires_at DESC LIMIT 9223372036854775807 OFFSET ?)",
            (token[1], most - 1),
        )
    connection.execute(
        "INSERT INTO tokens (token_hash, client_id, expires_at, user_uuid, person) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (token_hash) DO UPDATE SET client_id = excluded.client_id, expires_at = excluded.expires_at,"
        " user_uuid = excluded.user_uuid, person = excluded.person",
        token,
    )


def _upsert_connection(database: sql.Connection, connection: Connection) -> Connection:
    database.execute(
        "INSERT INTO connections (id, client_id, user_id, vehicle_key, permissions, created_at, user_uuid)"
        " SELECT ?, ?, ?, key, ?, ?, ? FROM vehicles WHERE id = ?"
        " ON CONFLICT (client_id, vehicle_key, user_id) DO UPDATE SET permissions = excluded.permissions",
        (
            connection.id, connection.client_id, connection.user_id, rows.permissions_text(connection.permissions),
            connection.created_at, connection.user_uuid, connection.vehicle.id,
        ),
    )  # fmt: skip
    database.execute(
        "DELETE FROM ended_connections WHERE client_id = ? AND vehicle_key = (SELECT key FROM vehicles WHERE id = ?)",
        (connection.client_id, connection.vehicle.id),
    )
    visibility.changed(database)
    bindings = (connection.client_id, connection.user_uuid, connection.vehicle.id)
    return rows.connection(database.execute(CONNECTED_WITH.format("?3"), bindings).fetchall()[0])


ENDED_AMONG: Final = (
    "SELECT v.id FROM vehicles v CROSS JOIN ended_connections e"
    " WHERE e.vehicle_key = v.key AND e.client_id = ?1 AND v.id IN ({})"
)


def marks(values: Sequence[str], first: int) -> str:
    """Return the marks of the parameters of a list, numbered from `first` on."""
    return ", ".join(f"?{first + index}" for index in range(len(values))) or "NULL"


def _with_every(
    database: sql.Connection, wanted: tuple[str | None, ...], every: frozenset[Permission], page: Page
) -> tuple[list[Connection], int]:
    total = sql.fetch(database, f"SELECT count(*) {_EVERY}", wanted)[0][0]
    found = sql.fetch(
        database,
        f"SELECT {_OWN}, {rows.VEHICLE} {_EVERY} ORDER BY coalesce(c.created_at, v.created_at) DESC, coalesce(c.id, v.id) DESC"
        " LIMIT ?7 OFFSET ?8",
        (*wanted, rows.permissions_text(every), page.size, page.offset),
    )
    return [rows.connection(row) for row in found], int(total)


def _end(database: sql.Connection, client_id: str, vehicle_ids: Sequence[str] | None, at: int) -> int:
    chosen = "" if vehicle_ids is None else "AND id IN (SELECT value FROM json_each(CAST(?3 AS TEXT)))"
    given = (client_id, at) if vehicle_ids is None else (client_id, at, json.dumps(list(vehicle_ids)))
    database.execute(
        f"INSERT INTO ended_connections SELECT ?1, key, ?2 FROM vehicles WHERE true {chosen} ON CONFLICT DO NOTHING", given
    )
    ended = database.changes()
    visibility.changed(database)
    return ended


def _delete_connection(database: sql.Connection, connection_id: str) -> bool:
    database.execute("DELETE FROM connections WHERE id = ?", (connection_id,))
    is_gone = database.changes() > 0
    visibility.changed(database)
    return is_gone


def name_users(database: sql.Connection) -> None:
    """Set the UUIDs of the users of older connections."""
    names = sql.fetch(database, "SELECT DISTINCT user_id FROM connections")
    given = [(user_uuid_of(name), name) for (name,) in names]
    database.executemany("UPDATE connections SET user_uuid = ? WHERE user_id = ?", given)
