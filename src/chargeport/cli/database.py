"""The database that a command works on: the flag's, else the environment's, else the settings file's, else the default."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from chargeport import config
from chargeport.cli import configuration
from chargeport.errors import StartError
from chargeport.store.protocols import Store

T = TypeVar("T")


def resolved(database: str | None) -> Path:
    """The file that the flag, the environment, the settings file or the default names. Raises SettingError."""
    return config.database_file(configuration.settings({("database", "url"): database}).database.url)


def existing(database: str | None) -> Path:
    """The same, if it is there. Raises SettingError, StartError."""
    file = resolved(database)
    if not file.exists():
        raise StartError(
            f"The database {file} does not exist: name another with --database, CHARGEPORT_DATABASE or --config, "
            "or make it with chargeport migrate."
        )
    return file


@asynccontextmanager
async def opened(database: str | None, *, create: bool = False) -> AsyncIterator[Store]:
    """The store, closed at the end. Without `create`, one that is not there is not made. Raises StartError."""
    file = resolved(database) if create else existing(database)
    from chargeport.runtime import preference
    from chargeport.staleness import cadence
    from chargeport.store.sqlite import SqliteStore

    settings = configuration.settings()
    store = SqliteStore.open(file, encryption=config.encryption(settings))
    try:
        preference.prefer(store.readings, settings)
        await cadence.follow(store)
        yield store
    finally:
        await store.close()


def with_store(database: str | None, work: Callable[[Store], Awaitable[T]], *, create: bool = False) -> T:
    """What `work` makes of the store."""

    async def job() -> T:
        async with opened(database, create=create) as store:
            return await work(store)

    return asyncio.run(job())
