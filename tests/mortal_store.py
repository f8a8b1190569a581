"""A store whose process is killed at one of its writes, for tests of what a crash leaves."""

from collections.abc import Callable
from functools import partial
from typing import Any

from chargeport.store.protocols import Store


class KilledError(BaseException):
    """The process is gone."""


class Mortal:
    """A store whose process is killed before, or right after, the n-th of its writes."""

    WRITES = ("write", "replace_sessions", "keep_reported", "remember", "add_edit")

    def __init__(self, store: Store, lives: int, *, after: bool) -> None:
        self._store = store
        self._lives = lives
        self._after = after
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return MortalPart(self, getattr(self._store, name))

    async def killed_around(self, write: Callable[..., Any], *args: Any) -> Any:
        self.writes += 1
        is_last = self.writes == self._lives
        if is_last and not self._after:
            raise KilledError
        result = await write(*args)
        if is_last:
            raise KilledError
        return result


class MortalPart:
    """A part of such a store."""

    def __init__(self, whole: Mortal, part: Any) -> None:
        self._whole = whole
        self._part = part

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return partial(self._whole.killed_around, found) if name in Mortal.WRITES else found
