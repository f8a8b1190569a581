"""How far a consumer of the feed of changes has come, kept over restarts."""

from typing import Final

from chargeport.store.protocols import Store

_KEY: Final = "cursor"


class FeedCursor:
    """The position in the feed up to which a consumer is done, in the store under the consumer's name."""

    def __init__(self, store: Store, consumer: str) -> None:
        self._store = store
        self._consumer = consumer

    async def position(self) -> int:
        """Return how far the feed was consumed; a first start begins at its end. Raises StoreError."""
        known = await self._store.notes.recall(self._consumer, _KEY)
        if known is not None:
            return int(known)
        position = await self._store.readings.position()
        await self.keep(position)
        return position

    async def keep(self, position: int) -> None:
        """Note that all up to this position is done. Raises StoreError."""
        await self._store.notes.remember(self._consumer, _KEY, str(position))
