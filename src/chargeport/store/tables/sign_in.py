"""The tables of users, sign-in links, sessions of the page and share links."""

from collections.abc import Callable
from typing import Any

from chargeport.store.audit import Act, actor, forget_subject, recorded
from chargeport.store.records import user_uuid_of
from chargeport.store.sign_in import PageSession, ShareLink, User
from chargeport.store.sql import Connection, Reader, Writer, fetch
from chargeport.store.tables.erasure import erase_person, rows_of_person


class SignInTables:
    """`store.sign_in.SignIn`."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def users(self) -> list[User]:
        """Return all users, by name."""
        rows = await self._reader.select("SELECT name, password_hash, created_at FROM users ORDER BY name")
        return [User(*row) for row in rows]

    async def user(self, name: str) -> User | None:
        """Return one user."""
        row = await self._reader.select_row("SELECT name, password_hash, created_at FROM users WHERE name = ?", (name,))
        return None if row is None else User(*row)

    async def put_user(self, user: User) -> None:
        """Store a new user, or set another password of a known one, which ends sessions and tokens."""
        sql = (
            "INSERT INTO users VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            " password_hash = coalesce(excluded.password_hash, users.password_hash)"
        )
        given = "" if user.password_hash is None else "password"

        def put(connection: Connection) -> None:
            connection.execute(sql, (user.name, user.password_hash, user.created_at))
            if user.password_hash is not None:
                _end(connection, '"user" = ?', user.name)

        await self._writer.call(recorded(Act.USER_SET, user.name, put, given))

    async def remove_user(self, name: str) -> bool:
        """Remove a user with links and sessions."""
        uuid = user_uuid_of(name)
        rows = {
            "sign_in_links": ('"user" = ?', name), "page_sessions": ('"user" = ?', name), "users": ("name = ?", name),
            "tokens": ("person = ?", name), "consents": ("user_uuid = ?", uuid), "subscriptions": ("user_uuid = ?", uuid),
        }  # fmt: skip

        def remove(connection: Connection) -> int:
            connection.execute("UPDATE audit SET actor = 'user:' WHERE actor = ?", (f"user:{name}",))
            removed = connection.changes() + forget_subject(connection, name) + erase_person(connection, uuid)
            connection.execute("DELETE FROM tokens WHERE user_uuid = ?", (uuid,))
            for table, (which, value) in rows.items():
                connection.execute(f"DELETE FROM {table} WHERE {which}", (value,))
                removed += connection.changes()
            return removed

        own = actor().name == f"user:{name}"
        return await self._writer.call(recorded(Act.USER_ERASED, "", remove, by="user:" if own else None)) > 0

    async def rows_of_user(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """Return the rows about a user except sign-in, connections and the audit log."""
        return await self._writer.call(lambda connection: rows_of_person(connection, user_uuid_of(name)))

    async def add_link(self, link_hash: bytes, user: str, expires_at: int, *, replace: bool = False) -> None:
        """Store a link that signs a user in once."""

        def add(connection: Connection) -> None:
            if replace:
                connection.execute('DELETE FROM sign_in_links WHERE "user" = ?', (user,))
            connection.execute("INSERT INTO sign_in_links VALUES (?, ?, ?)", (link_hash, user, expires_at))

        await self._writer.call(recorded(Act.LINK_MADE, user, add))

    async def use_link(self, link_hash: bytes, now: int) -> str | None:
        """Use a link, which ends it. Of two simultaneous uses one gets the name."""

        def use(connection: Connection) -> str | None:
            found = fetch(
                connection, 'DELETE FROM sign_in_links WHERE link_hash = ? RETURNING "user", expires_at', (link_hash,)
            )
            connection.execute("DELETE FROM sign_in_links WHERE expires_at <= ?", (now,))
            return str(found[0][0]) if found and found[0][1] > now else None

        return await self._writer.call(use)

    async def add_session(self, session_hash: bytes, session: PageSession, password_hash: str | None = None) -> bool:
        """Store a session, if its user still has this password. Expired ones are removed."""

        def add(connection: Connection) -> bool:
            # Changes nothing, and keeps others from changing the user until this transaction has ended.
            connection.execute(
                "UPDATE users SET name = name WHERE name = ?1"
                " AND (CAST(?2 AS TEXT) IS NULL OR password_hash = CAST(?2 AS TEXT))",
                (session.user, password_hash),
            )
            if not connection.changes():
                return False
            connection.execute("DELETE FROM page_sessions WHERE expires_at <= ?", (session.created_at,))
            values = (
                session_hash, session.id, session.user, session.browser, session.address, session.created_at, session.used_at,
                session.expires_at,
            )  # fmt: skip
            connection.execute("INSERT INTO page_sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            return True

        who = f"user:{session.user}"
        return await self._writer.call(recorded(Act.SIGNED_IN, session.id, add, by=who))

    async def session(self, session_hash: bytes) -> PageSession | None:
        """Return the session of a cookie. It may have expired."""
        row = await self._reader.select_row(f"SELECT {_SESSION} FROM page_sessions WHERE session_hash = ?", (session_hash,))
        return None if row is None else PageSession(*row)

    async def use_session(self, session_hash: bytes, used_at: int, expires_at: int) -> None:
        """Note that a session was used, and until when it is valid now."""
        sql = "UPDATE page_sessions SET used_at = ?, expires_at = ? WHERE session_hash = ?"
        await self._writer.call(_change(sql, (used_at, expires_at, session_hash)))

    async def sessions(self, user: str | None = None) -> list[PageSession]:
        """Return all sessions, or those of a user, used last first."""
        sql = f'SELECT {_SESSION} FROM page_sessions WHERE CAST(?1 AS TEXT) IS NULL OR "user" = ?1 ORDER BY used_at DESC, id'
        return [PageSession(*row) for row in await self._reader.select(sql, (user,))]

    async def end_sessions(self, *, user: str | None = None, session_id: str | None = None) -> int:
        """End a user's sessions, or one by its id, and the page's tokens of the user."""
        which, value = ("id = ?", session_id) if session_id is not None else ('"user" = ?', user or "")

        def end(connection: Connection) -> int:
            return _end(connection, which, value)

        return await self._writer.call(recorded(Act.SESSIONS_ENDED, value, end))

    async def add_share(self, link_hash: bytes, link: ShareLink) -> None:
        """Store a link that shows a car."""
        values = (link_hash, link.client_id, link.label, link.created_at, link.expires_at)
        do = _change("INSERT INTO share_links VALUES (?, ?, ?, ?, ?)", values)
        await self._writer.call(recorded(Act.SHARE_CREATED, link.client_id, do))

    async def share(self, link_hash: bytes) -> ShareLink | None:
        """Return the share link with this hash. It may have expired."""
        row = await self._reader.select_row(f"SELECT {_SHARE} FROM share_links WHERE link_hash = ?", (link_hash,))
        return None if row is None else ShareLink(*row)

    async def shares(self) -> list[ShareLink]:
        """Return all share links, oldest first."""
        rows = await self._reader.select(f"SELECT {_SHARE} FROM share_links ORDER BY created_at, client_id")
        return [ShareLink(*row) for row in rows]

    async def remove_share(self, client_id: str) -> bool:
        """Remove a share link."""
        do = _change("DELETE FROM share_links WHERE client_id = ?", (client_id,))
        return await self._writer.call(recorded(Act.SHARE_ENDED, client_id, do)) > 0


def _end(connection: Connection, which: str, value: str) -> int:
    """End sessions, and the page's tokens of their users; return how many sessions ended."""
    connection.execute(f'DELETE FROM tokens WHERE person IN (SELECT "user" FROM page_sessions WHERE {which})', (value,))
    connection.execute(f"DELETE FROM page_sessions WHERE {which}", (value,))
    return connection.changes()


def _change(sql: str, values: tuple[object, ...]) -> Callable[[Connection], int]:
    """Return a function that runs one statement and returns how many rows it changed."""

    def change(connection: Connection) -> int:
        connection.execute(sql, values)
        return connection.changes()

    return change


_SESSION = 'id, "user", browser, address, created_at, used_at, expires_at'
_SHARE = "client_id, label, created_at, expires_at"
