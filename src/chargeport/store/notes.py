"""The store's interface for small texts: the persistent state of sources and workers, and leases."""

from collections.abc import Mapping
from typing import Protocol


class KeyValue(Protocol):
    """The persistent state of sources, and their status. The store does not interpret the texts."""

    async def recall(self, owner: str, key: str) -> str | None:
        """Return the text that was stored last; None without one."""
        ...

    async def remember(self, owner: str, key: str, value: str | None) -> None:
        """Store a text; None deletes it. Return when it is on disk."""
        ...

    async def remember_first(self, owner: str, key: str, value: str) -> str:
        """Store a text unless there is one already; return the stored one, the same in every process."""
        ...

    async def take_lease(self, name: str, holder: str, now: int, until: int) -> bool:
        """Give a lease to `holder` until then, if it is free or the holder's already; return whether it is the holder's."""
        ...

    async def end_lease(self, name: str, holder: str) -> None:
        """Release a lease, if it is the holder's."""
        ...

    async def write_source_states(self, states: Mapping[str, str], at: int) -> None:
        """Store the states of all sources, by name, in place of the earlier ones."""
        ...

    async def source_states(self) -> dict[str, tuple[str, int]]:
        """Return the states of the sources, and when they were stored, by name."""
        ...
