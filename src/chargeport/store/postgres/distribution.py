"""Spreading the tables over the workers of a Citus cluster: what grows with vehicles by `vehicle_key`."""

from typing import Final

from chargeport.errors import StartError, StoreError
from chargeport.store.postgres.engine import translated
from chargeport.store.postgres.migrations import connected
from chargeport.store.urls import shown

COLUMN: Final = "vehicle_key"
DISTRIBUTED: Final = (
    "latest", "runs", "hourly", "horizons", "sessions", "reported_sessions", "session_edits", "erasures", "subscriptions",
    "webhook_events", "commands", "late_sightings",
)  # fmt: skip
EVERYWHERE: Final = ("vehicles", "vehicle_references", "sources", "rules", "connections", "ended_connections")
"""Tables that are joined with those: each worker has a copy. The others stay on the coordinator."""

_IS_CITUS: Final = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
_KNOWN: Final = "SELECT logicalrelid::regclass::text FROM pg_dist_partition"


async def distribute(url: str) -> list[str]:
    """Distribute the tables that are not yet; return their names. Raises StartError."""
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
    """Return the statement that distributes a table. All have as many shards, so that those of a vehicle are on one worker."""
    if name in EVERYWHERE:
        return f"SELECT create_reference_table('{name}')"
    together = "" if name == DISTRIBUTED[0] else f", colocate_with => '{DISTRIBUTED[0]}'"
    return f"SELECT create_distributed_table('{name}', '{COLUMN}'{together})"
