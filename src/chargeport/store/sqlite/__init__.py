"""The store on SQLite: one file, one writer, any number of readers."""

from chargeport.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
