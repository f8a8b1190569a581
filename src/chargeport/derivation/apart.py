"""Runs slow pure work that asks for history on its way: the work in a thread, the reading on the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

from chargeport.derive.tracks import Tracks

T = TypeVar("T")


class _Asked(msgspec.Struct, frozen=True):
    """The work wants the tracks between two instants; awaiting it gives them."""

    from_at: int
    to_at: int

    def __await__(self) -> "Generator[_Asked, Tracks, Tracks]":
        return (yield self)


class _Done(msgspec.Struct, Generic[T], frozen=True):
    """The work is over."""

    result: T


async def ask(from_at: int, to_at: int) -> Tracks:
    """What the work calls where it wants to read. Of use inside `apart` only."""
    return await _Asked(from_at, to_at)


async def apart(work: Coroutine[Any, Any, T], read: Callable[[int, int], Awaitable[Tracks]]) -> T:
    """The result of the work, whose every step runs in a thread. It may await nothing but `ask`."""
    tracks: Tracks | None = None
    try:
        while True:
            told: _Asked | _Done[T] = await asyncio.to_thread(_step, work, tracks)
            if isinstance(told, _Done):
                return told.result
            tracks = await read(told.from_at, told.to_at)
    finally:
        with suppress(ValueError):  # cut off in the middle of a step, whose thread is still at it
            work.close()


def _step(work: Coroutine[Any, Any, T], tracks: Tracks | None) -> "_Asked | _Done[T]":
    try:
        asked: _Asked = work.send(tracks)
    except StopIteration as done:
        return _Done(done.value)
    return asked
