"""The connections to the server: one pool for each process, opened at first use, and the translation of its errors."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]
import msgspec

from chargeport.errors import StoreError

CONNECTIONS: Final = 16  # of one process: two that write, the others read
TIMEOUT_S: Final = 10.0  # for one statement, and for a connection: a server that hangs is reported as one that fails
RELEASE_S: Final = 2.0  # for the end of a statement that was given up
IDLE_TIMEOUT: Final = "15s"
"""For an idle transaction: a process that is paused or cut off must not hold locks, nor the feed."""
SCAN_TIMEOUT_S: Final = 120.0  # for a statement that may be long

FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The errors of a connection or the pool; the last one if the server ends a connection in the middle of a call."""

Raw = Any  # asyncpg.Connection, or the pool's proxy of one

_ESCAPED: Final = re.compile("\x1a[0\x1a]")
_PARAMETER: Final = re.compile(r"\?(\d*)")


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """Write the parameters of a statement as PostgreSQL does; one without a number follows the greatest, as in SQLite.

    >>> numbered("SELECT a FROM b WHERE c = ? AND d = ?")
    'SELECT a FROM b WHERE c = $1 AND d = $2'
    >>> numbered("SELECT a FROM b WHERE c = ?2 OR d = ?1 OR e = ?2")
    'SELECT a FROM b WHERE c = $2 OR d = $1 OR e = $2'
    >>> numbered("SELECT a FROM b WHERE c = ?2 OR d = ?1 LIMIT ?")
    'SELECT a FROM b WHERE c = $2 OR d = $1 LIMIT $3'
    """
    greatest = 0

    def number(found: re.Match[str]) -> str:
        nonlocal greatest
        this = int(found[1] or greatest + 1)
        greatest = max(greatest, this)
        return f"${this}"

    return _PARAMETER.sub(number, sql)


def escaped(text: str) -> str:
    r"""Return a text without a NUL, which no text in PostgreSQL can have; `unescaped` restores it.

    >>> unescaped(escaped("a\0b\x1ac")) == "a\0b\x1ac"
    True
    """
    return text.replace("\x1a", "\x1a\x1a").replace("\0", "\x1a0") if "\0" in text or "\x1a" in text else text


def unescaped(text: str) -> str:
    """Return the text that was escaped."""
    return _ESCAPED.sub(lambda found: "\0" if found[0] == "\x1a0" else "\x1a", text) if "\x1a" in text else text


async def prepare(raw: Raw) -> None:
    """Set the conversion of values: JSON is passed as text."""
    await raw.set_type_codec(
        "json", encoder=lambda value: msgspec.json.encode(value).decode(), decoder=msgspec.json.decode, schema="pg_catalog"
    )


async def _keep(_raw: Raw) -> None:
    """Leave a connection as it is when it is returned: we set nothing on it."""


class Pool:
    """The connections of a process. Belongs to the event loop that it is first used on."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Raw]:
        """Lend a connection for exclusive use. Raises StoreError."""
        if self._pool is None:
            with translated():
                await self._open()
        assert self._pool is not None  # noqa: S101
        with translated():
            raw = await self._pool.acquire(timeout=TIMEOUT_S)
        try:
            yield raw
        finally:
            # One on which the server does not even end a statement is closed. The result of the work on it stays unchanged.
            with suppress(*FAILURES):
                await self._pool.release(raw, timeout=RELEASE_S)

    async def _open(self) -> None:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url, min_size=0, max_size=CONNECTIONS, init=prepare, reset=_keep, command_timeout=TIMEOUT_S,
                    timeout=TIMEOUT_S,
                    server_settings={"application_name": "chargeport", "idle_in_transaction_session_timeout": IDLE_TIMEOUT},
                )  # fmt: skip

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._pool.close()
            except FAILURES:
                self._pool.terminate()


@contextmanager
def translated() -> Iterator[None]:
    """Raise the server's errors, and those of the connection to it, as ours."""
    try:
        yield
    except asyncpg.DiskFullError as error:
        raise StoreError("The database's disk is full: nothing can be stored until there is room.") from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise StoreError("The database takes no writes: the server is a standby, or set to be read only.") from error
    except (
        OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.TooManyConnectionsError,
        asyncpg.InternalClientError,
    ) as error:  # fmt: skip
        raise StoreError(f"The database can't be reached: {_message(error)}.") from error
    except asyncpg.PostgresError as error:
        raise StoreError(f"The database failed: {_message(error)}.") from error


def _message(error: BaseException) -> str:
    """Return the first line of an error's message."""
    first = str(error).partition("\n")[0].rstrip(".")
    return first or type(error).__name__
