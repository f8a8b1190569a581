"""What every source has in common: the message it hands over and the protocol it runs by.

A source knows no signal. It hands over what it heard, in the words it heard; a dialect gives it meaning.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec


class RawMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a source heard, as it heard it.

    `vehicle` is the name the source knows the car by (an id, a VIN, an alias); `fields` maps the source's own field names to
    its own values; `observed_at` is the car's clock, `received_at` ours, both milliseconds since the epoch.
    """

    source: str
    dialect: str
    vehicle: str
    fields: Mapping[str, Any]
    received_at: int
    observed_at: int | None = None


Emit = Callable[[list[RawMessage]], Awaitable[None]]
"""Hands messages on; returns when what they mean is on disk, so a source may then acknowledge."""


class Source(Protocol):
    """Something that hears about cars until it is cancelled."""

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        ...

    async def run(self, emit: Emit) -> None:
        """Hear and hand on until cancelled; acknowledge upstream only after `emit` has returned."""
        ...
