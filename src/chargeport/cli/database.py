"""The database of a command: from the flag, else the environment, else the settings file, else the default."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from chargeport import config
from chargeport.cli import configuration
from chargeport.errors import StoreError
from chargeport.store import backends, urls
from chargeport.store.audit import Act, Actor, act_as, record
from chargeport.store.health import unlogged
from chargeport.store.protocols import Store

T = TypeVar("T")


def resolved(database: str | None) -> str:
    """Return the URL that the flag, the environment, the settings file or the default names. Raises SettingError."""
    return configuration.settings({("database", "url"): database}).database.url


def file_for(command: str, database: str | None, instead: str) -> Path:
    """Return the file of the database, for a command that needs a file. Raises SettingError; StartError for a server."""
    return urls.file_of(resolved(database), f"chargeport {command}", instead)


def existing(command: str, database: str | None, instead: str) -> Path:
    """Return the same, if it exists. Raises StartError if not."""
    file = file_for(command, database, instead)
    if not file.exists():
        raise urls.missing(str(file))
    return file


@asynccontextmanager
async def opened(database: str | None, *, create: bool = False) -> AsyncIterator[Store]:
    """Open the store, and close it at the end. Without `create`, a missing database is not created. Raises StartError."""
    from chargeport.runtime import fleet
    from chargeport.staleness import cadence

    settings = configuration.settings()
    act_as(person())
    with unlogged():
        store = backends.open_store(resolved(database), create=create, encryption=config.encryption(settings))
        try:
            fleet.apply_order(store.readings, settings)
            await cadence.follow(store)
            yield store
        finally:
            await store.close()


def person() -> Actor:
    """Return the actor that runs this command: the account's name on the system."""
    try:
        return Actor(f"shell:{getpass.getuser()}")
    except (OSError, KeyError):  # an account without a name
        return Actor(f"shell:{os.getuid()}")


def audit_in(file: Path, act: Act, detail: str) -> None:
    """Record an act in a database file that is not opened as a store, unless its schema is older than the log.

    Raises StoreError.
    """
    from chargeport.store.sqlite.engine import connect, fetch, translating

    connection = connect(file)
    try:
        with translating():
            if fetch(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'audit'"):
                with connection:
                    record(connection, act, "", detail, who=person())
    finally:
        connection.close()


async def rewritten(store: Store, erased: str) -> bool:
    """Rewrite the database file after an erasure; return whether no byte of the data is left. Raises StoreError.

    `erased` describes the erased data in the error.
    """
    try:
        return await store.vehicles.wipe()
    except StoreError as error:
        raise StoreError(f"{erased} is erased, but the file could not be rewritten: {error}") from error


def with_store(database: str | None, work: Callable[[Store], Awaitable[T]], *, create: bool = False) -> T:
    """Return the result of `work` on the store."""

    async def job() -> T:
        async with opened(database, create=create) as store:
            return await work(store)

    return asyncio.run(job())
