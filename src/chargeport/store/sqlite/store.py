"""SqliteStore: the whole store on one file, put together from its parts."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from chargeport.store.sqlite.access import AccessTables
from chargeport.store.sqlite.engine import connect, migrate
from chargeport.store.sqlite.history import HistoryTables
from chargeport.store.sqlite.issues import IssueTable
from chargeport.store.sqlite.notes import NoteTables
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.readings import ReadingTables
from chargeport.store.sqlite.retention import RetentionTables
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.sessions import SessionTables
from chargeport.store.sqlite.vehicles import VehicleTables
from chargeport.store.sqlite.writer import Writer


class SqliteStore:
    """The store on SQLite. Open it with `SqliteStore.open`; it belongs to the event loop it is used on."""

    def __init__(self, path: Path, writer: Writer, reader: Reader) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._scans = Scans(path)
        self.readings = ReadingTables(path, reader, writer, self._scans)
        self.history = HistoryTables(reader, self._scans, self.readings)
        self.retention = RetentionTables(writer)
        self.vehicles = VehicleTables(path, reader, writer)
        self.access = AccessTables(reader, writer)
        self.sessions = SessionTables(reader, writer, self._scans)
        self.issues = IssueTable(reader, writer)
        self.notes = NoteTables(reader, writer)

    @classmethod
    def open(cls, path: Path, ring: Callable[[], None] = lambda: None) -> "SqliteStore":
        """Open the file, made if it is not there and brought up to date if it is old.

        `ring` is called after each commit. Raises StartError or SchemaError with one sentence.
        """
        connection = connect(path, create=True)
        migrate(connection, path)
        return cls(path, Writer(connection, ring), Reader(path))

    @classmethod
    def temporary(cls, ring: Callable[[], None] = lambda: None) -> "SqliteStore":
        """A store in a new file in a folder of its own, which the caller removes."""
        return cls.open(Path(tempfile.mkdtemp(prefix="chargeport-")) / "chargeport.db", ring)

    async def ping(self) -> None:
        """Read a row and write a page; raises StoreError."""
        self._reader.row("SELECT 1")
        await self._writer.call(lambda connection: connection.execute("UPDATE sequences SET value = value"))

    async def close(self) -> None:
        """Finish what is queued and let go of the file."""
        await self._writer.close()
        self._scans.close()
        self._reader.close()
