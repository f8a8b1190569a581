"""Short reads: each takes a connection of the pool, and what it finds is of one instant."""

from typing import Any, Final

from chargeport.errors import StoreError
from chargeport.store.postgres.engine import Pool, numbered, translated

_SOURCES: Final = "SELECT key, name FROM sources"
_RULES: Final = "SELECT key, text FROM rules"


class Reader:
    """`store.sql.Reader` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.sources: dict[int, str] = {}
        self._rules: dict[int, str] = {}

    async def select(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Any]:
        """Return all rows of a query."""
        if any(type(value) is str and "\0" in value for value in bindings):
            return []  # no text in the database has a NUL
        async with self._pool.connection() as raw:
            with translated():
                return await raw.fetch(numbered(sql), *bindings)  # type: ignore[no-any-return]

    async def select_row(self, sql: str, bindings: tuple[Any, ...] = ()) -> Any:
        """Return the first row of a query; None when there is none."""
        found = await self.select(sql, bindings)
        return found[0] if found else None

    async def select_count(self, sql: str, bindings: tuple[Any, ...] = ()) -> int:
        """Return the one number that a query answers."""
        found = await self.select(sql, bindings)
        return int(found[0][0]) if found else 0

    async def know(self, sources: set[int], rules: set[int]) -> None:
        """Have the names of these sources and rules. A key is never given to another one, so what is known stays true."""
        if not sources <= self.sources.keys():
            self.sources = dict(await self.select(_SOURCES))
        if not rules <= self._rules.keys():
            self._rules = dict(await self.select(_RULES))

    def source(self, key: int) -> str:
        """Return the name of a source that is known."""
        name = self.sources.get(key)
        if name is None:
            raise StoreError(f"The database names no source {key}: it is damaged.")
        return name

    def rule(self, key: int) -> str:
        """Return the text of a rule that is known."""
        text = self._rules.get(key)
        if text is None:
            raise StoreError(f"The database has no rule {key}: it is damaged.")
        return text
