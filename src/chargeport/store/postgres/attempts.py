"""Counts of failed attempts that all processes of a database share.

A check is one read. Only failures are written, to an unlogged table: no attempt waits for a disk. A key that is known to this
process to be used up is not read again. While the database does not answer, the process counts for itself.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from cachetools import TTLCache

from chargeport.attempts import MAX_KEYS, WINDOW_S, Limit, LocalAttempts, Standing, loop_time, used_up_s
from chargeport.errors import StoreError
from chargeport.store.postgres.engine import Pool, Raw, translated

# By the server's clock, which all share. Where that leaps, a window that is not of now is over.
_IS_OPEN: Final = f"(f.ends_at > clock_timestamp() AND f.ends_at <= clock_timestamp() + interval '{WINDOW_S} s')"
_LEFT_S: Final = "extract(epoch FROM f.ends_at - clock_timestamp())::float"
_LOOK: Final = f"SELECT key, count, {_LEFT_S} FROM failed_attempts f WHERE key = ANY($1::bytea[]) AND {_IS_OPEN}"
# Locks the keys, in one order, and restarts the windows that are over.
_OPEN: Final = (
    f"INSERT INTO failed_attempts AS f SELECT key, 0, clock_timestamp() + interval '{WINDOW_S} s'"
    " FROM unnest($1::bytea[]) AS key ORDER BY key"
    f" ON CONFLICT (key) DO UPDATE SET count = CASE WHEN {_IS_OPEN} THEN f.count ELSE 0 END,"
    f" ends_at = CASE WHEN {_IS_OPEN} THEN f.ends_at ELSE excluded.ends_at END RETURNING key, count, {_LEFT_S}"
)
_ADD: Final = "UPDATE failed_attempts SET count = count + $2 WHERE key = ANY($1::bytea[])"
_FORGET: Final = f"DELETE FROM failed_attempts f WHERE NOT {_IS_OPEN}"

_NONE: Final = Standing(0, 0.0)


class SharedAttempts:
    """`attempts.FailedAttempts` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._local = LocalAttempts()
        self._used_up: TTLCache[str, tuple[int, float]] = TTLCache(MAX_KEYS, WINDOW_S, timer=loop_time)
        self._forget_at = 0.0

    async def count(self, limits: Sequence[Limit], more: int = 0) -> list[Standing]:
        """Add `more` under each key, unless one is used up; return the state of each before. See `FailedAttempts`."""
        if not limits:
            return []
        known = [self._known(limit) for limit in limits]
        if used_up_s(limits, known) is not None:
            return known
        keys = [hashlib.sha256(limit.key.encode("utf-8", "surrogatepass")).digest() for limit in limits]
        try:
            async with self._pool.connection() as raw:
                with translated():
                    rows = await (self._add(raw, limits, keys, more) if more else raw.fetch(_LOOK, keys))
        except StoreError:
            return await self._local.count(limits, more)
        found = _standings(keys, rows)
        for limit, standing in zip(limits, found, strict=True):
            if standing.failed >= limit.most:
                self._used_up[limit.key] = standing.failed, loop_time() + standing.left_s
        return found

    def _known(self, limit: Limit) -> Standing:
        """Return the state of a key that is known to be used up."""
        count, ends_at = self._used_up.get(limit.key, (0, 0.0))
        left_s = ends_at - loop_time()
        return Standing(count, left_s) if left_s > 0 else _NONE

    async def _add(self, raw: Raw, limits: Sequence[Limit], keys: Sequence[bytes], more: int) -> list[tuple[bytes, int, float]]:
        async with raw.transaction():
            rows: list[tuple[bytes, int, float]] = await raw.fetch(_OPEN, keys)
            if used_up_s(limits, _standings(keys, rows)) is None:
                await raw.execute(_ADD, keys, more)
        if loop_time() >= self._forget_at:
            self._forget_at = loop_time() + WINDOW_S
            await raw.execute(_FORGET)
        return rows


def _standings(keys: Sequence[bytes], rows: Sequence[tuple[bytes, int, float]]) -> list[Standing]:
    """Return the state of each key, in their order."""
    found = {key: Standing(count, left_s) for key, count, left_s in rows}
    return [found.get(key, _NONE) for key in keys]
