"""SqliteStore: the whole store on one file, composed of its parts."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from chargeport.attempts import LocalAttempts
from chargeport.errors import StartError
from chargeport.store.encryption import Encryption
from chargeport.store.health import Health
from chargeport.store.sqlite.engine import Connection, translated
from chargeport.store.sqlite.feed import Feed
from chargeport.store.sqlite.files import DatabaseFiles, refuse_new
from chargeport.store.sqlite.opening import opened
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.readings import SqliteReadings
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.slot import SlotTable
from chargeport.store.sqlite.vehicles import SqliteVehicles
from chargeport.store.sqlite.writer import Writer
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
from chargeport.store.tables.webhooks import WebhookTables

PROBE_BYTES: Final = 1 << 18
_PROBE: Final = "INSERT OR REPLACE INTO remembered VALUES ('chargeport', 'probe', zeroblob(?))"
_PROBED: Final = "DELETE FROM remembered WHERE owner = 'chargeport' AND key = 'probe'"


class SqliteStore:
    """The store on SQLite. Open it with `SqliteStore.open`; it belongs to the event loop it is used on."""

    def __init__(self, path: Path, connection: Connection, ring: Callable[[], None], encryption: Encryption) -> None:
        """Use the writing `connection` of a database with the current schema."""
        self.path = path
        self._health = Health()
        self._writer = writer = Writer(connection, ring, DatabaseFiles(path), self._health)
        self._reader = reader = Reader(path, self._health)
        self._scans = Scans(path, self._health)
        feed = Feed(reader, self._scans)
        self.readings = SqliteReadings(path, reader, writer, self._scans, feed)
        self.history = HistoryTables(reader, self._scans, self.readings)
        self.retention = RetentionTables(writer, self.readings, SlotTable)
        self.vehicles = SqliteVehicles(path, reader, writer)
        self.access = AccessTables(reader, writer, self._scans, encryption)
        self.sessions = SessionTables(reader, writer, self._scans, feed)
        self.commands = CommandTable(reader, writer)
        self.issues = IssueTable(reader, writer)
        self.notes = NoteTables(reader, writer)
        self.sign_in = SignInTables(reader, writer)
        self.connect = ConnectTables(reader, writer)
        self.audit = AuditTable(reader, writer)
        self.attempts = LocalAttempts()  # of several workers one handles all authentications
        self.webhooks = WebhookTables(reader, writer, self._scans)

    @classmethod
    def open(
        cls, path: Path, ring: Callable[[], None] = lambda: None, *, anew: bool = False, encryption: Encryption | None = None
    ) -> "SqliteStore":
        """Open the file, created if it is missing and migrated if it is old.

        `ring` is called after each commit; `encryption` encrypts secrets. If there was a database once, an empty one is
        created only with `anew`. Raises StartError or SchemaError with one sentence.
        """
        if not anew:
            refuse_new(path)
        connection = opened(path)
        try:
            return cls(path, connection, ring, encryption or Encryption())
        except apsw.Error as error:  # the schema describes a table incorrectly
            connection.close()
            raise StartError(str(translated(error))) from error

    async def ping(self, *, writes: bool = True) -> None:
        """Read a row and write a page; after a failure write as much as a batch does. Raises StoreError."""
        self._reader.row("SELECT 1")
        if not writes:
            return
        if self._health.failure is not None:
            await self._writer.call(lambda connection: connection.execute(_PROBE, (PROBE_BYTES,)))
            await self._writer.call(lambda connection: connection.execute(_PROBED))
        await self._writer.call(lambda connection: connection.execute("UPDATE sequences SET value = value"))

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        await self._writer.close()
        await self._scans.close()
        self._reader.close()
