"""PostgresStore: the whole store on one database, composed of its parts. Most tables are those of `store.tables`."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from chargeport.store.encryption import Encryption
from chargeport.store.health import Health
from chargeport.store.postgres.attempts import SharedAttempts
from chargeport.store.postgres.connection import Scans
from chargeport.store.postgres.engine import Pool, escaped, translated, unescaped
from chargeport.store.postgres.group import Group
from chargeport.store.postgres.migrations import migrate
from chargeport.store.postgres.reader import Reader
from chargeport.store.postgres.readings import PostgresReadings
from chargeport.store.postgres.writer import Writer
from chargeport.store.tables.access import AccessTables
from chargeport.store.tables.audit import AuditTable
from chargeport.store.tables.command_log import CommandTable
from chargeport.store.tables.connect import ConnectTables
from chargeport.store.tables.history import HistoryTables
from chargeport.store.tables.issues import IssueTable
from chargeport.store.tables.notes import NoteTables
from chargeport.store.tables.retention import RetentionTables
from chargeport.store.tables.sessions import SessionTables
from chargeport.store.tables.sign_in import SignInTables
from chargeport.store.tables.vehicles import VehicleTables
from chargeport.store.tables.webhooks import WebhookTables

_OF_VEHICLES: Final = (
    "vehicles, vehicle_references, latest, runs, hourly, horizons, sessions, reported_sessions, session_edits, erasures,"
    " connections, ended_connections, share_links, subscriptions, webhook_events, webhook_attempts, issues, issue_messages,"
    " audit, commands, late_sightings"
)


class PostgresVehicles(VehicleTables):
    """`store.protocols.Vehicles` on PostgreSQL."""

    def __init__(self, pool: Pool, reader: Reader, writer: Writer) -> None:
        super().__init__(reader, writer)
        self._pool = pool

    async def wipe(self) -> bool:
        """Rewrite the tables about cars. Other users of these tables wait meanwhile. Raises StoreError."""
        async with self._pool.connection() as raw:
            with translated():
                await raw.execute(f"VACUUM FULL {_OF_VEHICLES}", timeout=None)
        return True


class PostgresNotes(NoteTables):
    """`store.notes.KeyValue` on PostgreSQL, for any texts."""

    async def recall(self, owner: str, key: str) -> str | None:
        """Return the text that was stored last."""
        found = await super().recall(escaped(owner), escaped(key))
        return None if found is None else unescaped(found)

    async def remember(self, owner: str, key: str, value: str | None) -> None:
        """Store a text; None deletes it."""
        await super().remember(escaped(owner), escaped(key), None if value is None else escaped(value))

    async def remember_first(self, owner: str, key: str, value: str) -> str:
        """Store a text unless there is one already. See `store.notes.KeyValue`."""
        return unescaped(await super().remember_first(escaped(owner), escaped(key), escaped(value)))


class PostgresStore:
    """The store on PostgreSQL. Open it with `PostgresStore.open`; it belongs to the event loop it is first used on."""

    def __init__(self, url: str, ring: Callable[[], None], encryption: Encryption | None = None) -> None:
        """Use a database with the current schema."""
        self.url = url
        self._pool = pool = Pool(url)
        self._writer = writer = Writer(pool, ring, Health())
        self._reader = reader = Reader(pool)
        scans = Scans(pool)
        self.readings = PostgresReadings(reader, writer, scans)
        self.history = HistoryTables(reader, scans, self.readings)
        self.retention = RetentionTables(writer, self.readings, Group)
        self.vehicles = PostgresVehicles(pool, reader, writer)
        self.access = AccessTables(reader, writer, scans, encryption or Encryption())
        self.sessions = SessionTables(reader, writer, scans, self.readings)
        self.commands = CommandTable(reader, writer)
        self.issues = IssueTable(reader, writer)
        self.notes = PostgresNotes(reader, writer)
        self.sign_in = SignInTables(reader, writer)
        self.connect = ConnectTables(reader, writer)
        self.audit = AuditTable(reader, writer)
        self.attempts = SharedAttempts(pool)
        self.webhooks = WebhookTables(reader, writer, scans)

    @classmethod
    def open(
        cls, url: str, ring: Callable[[], None] = lambda: None, *, create: bool = True, encryption: Encryption | None = None
    ) -> "PostgresStore":
        """Open the database, migrated to the current schema; see `open_store`. Raises StartError, SchemaError."""
        brought_up_to_date(url, create=create)
        return cls(url, ring, encryption)

    async def ping(self, *, writes: bool = True) -> None:
        """Read a row and write one. Raises StoreError."""
        await self._reader.select_row("SELECT 1")
        if not writes:
            return
        await self._writer.call(
            lambda connection: connection.execute("UPDATE sequences SET value = value WHERE name = 'vehicle'")
        )

    async def close(self) -> None:
        """Finish what waits and close the connections."""
        await self._writer.close()
        await self._pool.close()


def brought_up_to_date(url: str, *, create: bool = True) -> tuple[list[str], int]:
    """Migrate the database, also where an event loop runs; return the steps that were run, and the schema."""
    found: list[tuple[list[str], int]] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(migrate(url, create=create)))
        except BaseException as error:  # noqa: BLE001  (raised below, on the caller's thread)
            failed.append(error)

    thread = threading.Thread(target=run, name="postgres-migration")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
