"""The checks of `chargeport doctor`: each checks one thing and describes the next step if something is wrong."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.store import backends, urls

FIRST_DAY: Final = 1_735_689_600_000  # 2025-01-01: before the first version of Chargeport
LAST_DAY: Final = 4_102_444_800_000  # 2100-01-01
AHEAD_MS: Final = 300_000  # if a file is newer than now by more than this, one of the two clocks was wrong
LITTLE_ROOM: Final = 1 << 30
NO_ROOM: Final = 100 << 20
PARTS: Final = ("apsw", "httptools", "msgspec", "uvloop")
OTHERS: Final = 0o077  # the bits of a file's mode for group and others


class Status(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """The subject of a check, its status, what was found, and what to do."""

    name: str
    status: Status
    found: str
    next: str | None = None


def python() -> Iterator[Check]:
    """Check the interpreter, and the compiled parts that the server runs on."""
    version = ".".join(map(str, sys.version_info[:3]))
    new_enough = sys.version_info >= (3, 11)
    yield _either(new_enough, "python", f"Python {version}", "install Python 3.11 or newer")
    missing = [name for name in PARTS if not _loads(name)]
    found = f"{', '.join(missing)} can't be loaded" if missing else f"{', '.join(PARTS)} load"
    yield _either(not missing, "parts", found, "install Chargeport again")


def clock(file: Path | None, clock: Clock) -> Iterator[Check]:
    """Check the time, on which every age and expiry depends."""
    now = clock.now()
    is_ahead = file is not None and file.exists() and file.stat().st_mtime * 1000 > now + AHEAD_MS
    sane = FIRST_DAY < now < LAST_DAY and not is_ahead
    found = "it is earlier than the database's last change" if is_ahead else "plausible" if sane else "far from today"
    yield _either(sane, "clock", found, "set the machine's clock, best by NTP")


def folder(file: Path) -> Iterator[Check]:
    """Check the free space on the disk, and whether others may read the files."""
    if not file.absolute().parent.is_dir():
        return
    free = shutil.disk_usage(file.absolute().parent).free
    status = Status.FAIL if free < NO_ROOM else Status.WARN if free < LITTLE_ROOM else Status.OK
    yield Check("disk", status, f"{free / (1 << 30):.1f} GiB free", None if status is Status.OK else "make room")
    files = [part for part in (file, Path(f"{file}-wal"), Path(f"{file}-shm")) if part.is_file()]
    readable = [str(part) for part in files if part.stat().st_mode & OTHERS]
    if readable:
        yield Check("privacy", Status.WARN, "others may read the database", f"chmod 600 {' '.join(readable)}")
    elif files:
        yield Check("privacy", Status.OK, "nobody but its owner may read the database")


def database(file: Path) -> Iterator[Check]:
    """Check whether the database exists, has our schema, and can be read and written."""
    if not file.exists() and os.access(file.absolute().parent, os.W_OK):
        yield Check("database", Status.WARN, f"{file} does not exist", "chargeport migrate creates it, and so does serve")
        return
    try:
        yield from asyncio.run(_opened(file))
    except Exception as error:  # noqa: BLE001  (a doctor reports whatever is found)
        yield Check("database", Status.FAIL, str(error).removesuffix("."), "name another with --database, or mend it")


def server(url: str) -> Iterator[Check]:
    """Check whether a database server answers, has our schema, and accepts writes."""
    try:
        backends.require_driver()
        yield from asyncio.run(_server_checks(url))
    except Exception as error:  # noqa: BLE001  (a doctor reports whatever is found)
        yield Check("database", Status.FAIL, str(error).removesuffix("."), "name another with --database, or mend it")


async def _server_checks(url: str) -> list[Check]:
    from chargeport.store.postgres import PostgresStore, migrations

    raw = await migrations.connected(url)
    try:
        has, knows = await migrations.version(raw), migrations.migrations()[-1][0]
        server = raw.get_server_version().major
    finally:
        await raw.close()
    if has < knows:
        found = "no tables yet" if has == 0 else f"{has}, older than this program's {knows}"
        return [Check("schema", Status.WARN, found, "chargeport migrate")]
    store = PostgresStore(url, lambda: None)
    try:
        await store.ping()
    finally:
        await store.close()
    return [
        Check("database", Status.OK, f"{urls.shown(url)} (PostgreSQL {server}) can be read and written"),
        Check("schema", Status.OK, f"{has}, up to date"),
    ]


async def _opened(file: Path) -> list[Check]:
    from chargeport.store.sqlite import SqliteStore, engine, migrations

    connection = engine.connect(file)
    try:
        has, knows = migrations.version(connection), migrations.migrations()[-1][0]
    finally:
        connection.close()
    if has < knows:
        return [Check("schema", Status.WARN, f"{has}, older than this program's {knows}", "chargeport migrate")]
    store = SqliteStore.open(file)
    try:
        await store.ping()
    finally:
        await store.close()
    return [
        Check("database", Status.OK, f"{file} can be read and written"),
        Check("schema", Status.OK, f"{has}, up to date"),
    ]


def _either(well: bool, name: str, found: str, otherwise: str) -> Check:
    return Check(name, Status.OK, found) if well else Check(name, Status.FAIL, found, otherwise)


def _loads(name: str) -> bool:
    import importlib

    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
