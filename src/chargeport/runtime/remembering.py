"""What a source remembers over a restart, kept in the store under the source's name."""

from chargeport.store.notes import KeyValue


class SourceMemory:
    """`sources.base.Memory` on the store."""

    def __init__(self, notes: KeyValue, source: str) -> None:
        self._notes = notes
        self._owner = f"source:{source}"

    async def get(self, key: str) -> str | None:
        """What was put last; None when nothing was."""
        return await self._notes.recall(self._owner, key)

    async def put(self, key: str, value: str | None) -> None:
        """Remember, or forget with None."""
        await self._notes.remember(self._owner, key, value)
