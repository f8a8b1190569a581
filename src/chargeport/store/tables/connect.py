"""The tables of redirects, codes and refresh tokens."""

from collections.abc import Sequence

from chargeport.store.access import Consent
from chargeport.store.audit import Act, recorded
from chargeport.store.sql import Connection, Reader, Writer, fetch

_CONSENT = "family, client_id, redirect_uri, challenge, expires_at, user_uuid"


class ConnectTables:
    """`store.connect.Connect`."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def add_redirects(self, client_id: str, uris: Sequence[str]) -> None:
        """Allow redirects of people to these addresses."""

        def add(connection: Connection) -> int:
            connection.executemany(
                "INSERT INTO redirects VALUES (?, ?) ON CONFLICT DO NOTHING", [(client_id, uri) for uri in uris]
            )
            return len(uris)

        await self._writer.call(recorded(Act.APPLICATION_EDITED, client_id, add, "{} redirects added".format))

    async def remove_redirects(self, client_id: str, uris: Sequence[str]) -> None:
        """End the permission for redirects to these addresses."""

        def remove(connection: Connection) -> int:
            connection.executemany("DELETE FROM redirects WHERE client_id = ? AND uri = ?", [(client_id, uri) for uri in uris])
            return len(uris)

        await self._writer.call(recorded(Act.APPLICATION_EDITED, client_id, remove, "{} redirects removed".format))

    async def redirects(self, client_id: str) -> list[str]:
        """Return the addresses that an application registered."""
        found = await self._reader.select("SELECT uri FROM redirects WHERE client_id = ? ORDER BY uri", (client_id,))
        return [uri for (uri,) in found]

    async def add_consent(self, secret_hash: bytes, consent: Consent, now: int) -> None:
        """Store a code, and remove expired ones."""

        def add(connection: Connection) -> None:
            connection.execute("DELETE FROM consents WHERE expires_at <= ?", (now,))
            _insert(connection, secret_hash, consent)

        await self._writer.call(recorded(Act.CONSENT_GIVEN, consent.client_id, add))

    async def consent(self, secret_hash: bytes) -> Consent | None:
        """Return the consent of a code or a refresh token."""
        row = await self._reader.select_row(f"SELECT {_CONSENT} FROM consents WHERE secret_hash = ?", (secret_hash,))
        if row is None:
            return None
        return Consent(
            family=row[0], client_id=row[1], redirect_uri=row[2], challenge=row[3], expires_at=row[4], user_uuid=row[5]
        )

    async def exchange(self, secret_hash: bytes, token_hash: bytes, refresh_hash: bytes, refresh: Consent) -> bool:
        """Use a code or refresh token, which ends it; a second use ends its family."""

        def use(connection: Connection) -> bool:
            connection.execute(
                "UPDATE consents SET token_hash = ? WHERE secret_hash = ? AND token_hash IS NULL", (token_hash, secret_hash)
            )
            if connection.changes() == 0:
                ended = fetch(connection, "DELETE FROM consents WHERE family = ? RETURNING token_hash", (refresh.family,))
                hashes = [(each,) for (each,) in ended if each is not None]
                connection.executemany("DELETE FROM tokens WHERE token_hash = ?", [*hashes, (token_hash,)])
                return False
            _insert(connection, refresh_hash, refresh)
            return True

        return await self._writer.call(use)


def _insert(connection: Connection, secret_hash: bytes, consent: Consent) -> None:
    row = (
        consent.family, consent.client_id, consent.redirect_uri, consent.challenge, consent.expires_at, consent.user_uuid,
    )  # fmt: skip
    connection.execute(f"INSERT INTO consents (secret_hash, {_CONSENT}) VALUES (?, ?, ?, ?, ?, ?, ?)", (secret_hash, *row))
