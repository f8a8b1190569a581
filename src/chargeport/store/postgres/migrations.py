"""The schema: numbered steps, each in a transaction of its own, and its distribution over the workers of a Citus cluster.

Of two processes that start at the same time, one runs each step.
"""

from importlib import resources
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from chargeport.errors import SchemaError, StartError, StoreError
from chargeport.store.postgres.connection import LOCKS
from chargeport.store.postgres.engine import TIMEOUT_S, prepare, translated
from chargeport.store.postgres.positions import shift
from chargeport.store.urls import missing, shown

OLDEST_SERVER: Final = 16
_VERSION_TABLE: Final = "CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL)"
_LOCK: Final = "SELECT pg_advisory_lock($1::bigint)"

COLUMN: Final = "vehicle_key"
DISTRIBUTED: Final = (
    "latest", "runs", "hourly", "horizons", "sessions", "reported_sessions", "session_edits", "erasures", "subscriptions",
    "webhook_events", "commands", "late_sightings",
)  # fmt: skip
EVERYWHERE: Final = ("vehicles", "vehicle_references", "sources", "rules", "connections", "ended_connections")
"""Tables that are joined with those: each worker has a copy. The others stay on the coordinator."""
_IS_CITUS: Final = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
_KNOWN: Final = "SELECT logicalrelid::regclass::text FROM pg_dist_partition"


def migrations() -> list[tuple[int, str, str]]:
    """Return every step of the schema: number, name, SQL."""
    folder = resources.files("chargeport.store.postgres") / "schema"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), name.removesuffix(".sql"), (folder / name).read_text("utf-8")) for name in names]


async def connected(url: str) -> Any:
    """Return a connection of its own, to be closed. Raises StartError."""
    try:
        with translated():
            raw = await asyncpg.connect(url, timeout=TIMEOUT_S)
            await prepare(raw)
    except StoreError as error:
        raise StartError(f"{shown(url)}: {error}") from error
    except ValueError as error:
        raise StartError(f"The database URL {shown(url)} can't be read: {error}.") from error
    return raw


async def version(raw: Any) -> int:
    """Return the number of the newest step that the database has."""
    if await raw.fetchval("SELECT to_regclass('schema_version')") is None:
        return 0
    return int(await raw.fetchval("SELECT coalesce(max(version), 0) FROM schema_version"))


async def migrate(url: str, *, create: bool = True) -> tuple[list[str], int]:
    """Migrate to the current schema; return the names of the steps that were run, and the number of the newest one.

    Without `create`, none of our tables is created in a database that has none.
    Raises StartError, and SchemaError when the database is newer than this program.
    """
    raw = await connected(url)
    try:
        with translated():
            return await _migrated(raw, url, create=create)
    except SchemaError:
        raise
    except StoreError as error:
        raise StartError(f"{shown(url)}: {error}") from error
    finally:
        await raw.close()


async def _migrated(raw: Any, url: str, *, create: bool) -> tuple[list[str], int]:
    server, steps = raw.get_server_version().major, migrations()
    if server < OLDEST_SERVER:
        raise StartError(f"{shown(url)} is PostgreSQL {server}: PostgreSQL {OLDEST_SERVER} or newer is needed.")
    await raw.execute(_LOCK, LOCKS - 2)  # until the connection is closed
    current = await version(raw)
    if current == 0 and not create:
        raise missing(url)
    if current > steps[-1][0]:
        raise SchemaError(
            f"The database {shown(url)} has schema {current}, but this Chargeport supports at most {steps[-1][0]}: "
            "use the newer Chargeport that wrote it."
        )
    taken = []
    for number, name, sql in steps:
        if number > current:
            async with raw.transaction():
                await raw.execute(_VERSION_TABLE)
                await raw.execute(sql)
                await raw.execute("INSERT INTO schema_version VALUES ($1)", number)
            taken.append(name)
    await shift(raw)
    return taken, steps[-1][0]


async def distribute(url: str) -> list[str]:
    """Distribute the tables that are not distributed yet; return their names. Raises StartError."""
    raw = await connected(url)
    try:
        with translated():
            if await raw.fetchval(_IS_CITUS) is None:
                raise StartError(f"{shown(url)} has no Citus: install it and CREATE EXTENSION citus, then do it again.")
            known = {row[0] for row in await raw.fetch(_KNOWN)}
            taken = [name for name in (*EVERYWHERE, *DISTRIBUTED) if name not in known]
            for name in taken:
                await raw.execute(statement(name), timeout=None)
    except StoreError as error:
        raise StartError(f"{shown(url)}: {error}") from error
    finally:
        await raw.close()
    return taken


def statement(name: str) -> str:
    """Return the statement that distributes a table. All have the same number of shards, so a vehicle's are on one worker."""
    if name in EVERYWHERE:
        return f"SELECT create_reference_table('{name}')"
    together = "" if name == DISTRIBUTED[0] else f", colocate_with => '{DISTRIBUTED[0]}'"
    return f"SELECT create_distributed_table('{name}', '{COLUMN}'{together})"
