"""What the store keeps of small texts: what sources and workers remember over a restart, and leases."""

from collections.abc import Mapping
from typing import Protocol


class KeyValue(Protocol):
    """What sources remember over a restart, and how they are. The texts' form is not the store's business."""

    async def recall(self, owner: str, key: str) -> str | None:
        """Return what was put down last; None when nothing was."""
        ...

    async def remember(self, owner: str, key: str, value: str | None) -> None:
        """Put something down; None takes it away. Returns when it is on disk."""
        ...

    async def remember_first(self, owner: str, key: str, value: str) -> str:
        """Put something down unless there is something already; return what is there then, the same in every process."""
        ...

    async def take_lease(self, name: str, holder: str, now: int, until: int) -> bool:
        """Give a lease to `holder` until then, if it is free or the holder's already; whether it is the holder's."""
        ...

    async def end_lease(self, name: str, holder: str) -> None:
        """Have a lease be free, if it is the holder's."""
        ...

    async def write_source_states(self, states: Mapping[str, str], at: int) -> None:
        """Put down how all sources are, by name; what was put down before goes."""
        ...

    async def source_states(self) -> dict[str, tuple[str, int]]:
        """Return how the sources were, and when that was put down, by name."""
        ...
