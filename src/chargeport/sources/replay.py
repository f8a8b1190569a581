"""Replay: a recording as a source; its messages are received again."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from chargeport.clock import Clock
from chargeport.sources.base import Cause, Delivery, Emit, RawMessage, SourceContext, SourceError, SourceType
from chargeport.sources.recording import read_recording

BATCH: Final = 500  # messages that are passed on at once, at most


class Replay:
    """A source that emits a recording: at its own pace, `speed` times as fast, or (None) without any delay.

    With `now`, instants are moved so that it begins now, or, without delays, so that it ends now; times inside payloads are
    not. Returns when the recording ends.
    """

    def __init__(
        self, name: str, path: Path, clock: Clock, *, dialect: str, speed: float | None = 1.0, now: bool = False
    ) -> None:
        if speed is not None and speed <= 0:
            raise SourceError(Cause.CONFIGURATION, f"speed: {speed:g} is not more than 0.")
        self._name = name
        self._path = path
        self._clock = clock
        self._dialect = dialect
        self._speed = speed
        self._now = now

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._name

    async def check(self, timeout_s: float) -> None:  # noqa: ARG002  (reading a file does not wait)
        """Read all of it once. Raises SourceError."""
        for _ in self._deliveries():
            pass

    async def run(self, emit: Emit) -> None:
        """Emit the recording. Raises SourceError."""
        deliveries = list(self._deliveries())
        if not deliveries:
            return
        start_at, first_at = self._clock.now(), deliveries[0].received_at
        shift_ms = start_at - max(one.received_at for one in deliveries)
        batch: list[Delivery] = []
        for delivery in deliveries:
            wait_ms = 0.0
            if self._speed is not None:
                wait_ms = start_at + (delivery.received_at - first_at) / self._speed - self._clock.now()
            if batch and (wait_ms > 0 or len(batch) >= BATCH):
                await emit(batch)
                batch = []
            if wait_ms > 0:
                await self._clock.sleep(wait_ms / 1000)
            batch.append(self._moved(delivery, shift_ms) if self._now else delivery)
        await emit(batch)

    def _deliveries(self) -> Iterator[Delivery]:
        return read_recording(self._path, dialect=self._dialect, source=self._name)

    def _moved(self, delivery: Delivery, shift_ms: int) -> Delivery:
        received_at = self._clock.now() if self._speed is not None else delivery.received_at + shift_ms
        moved_ms = received_at - delivery.received_at
        observed_at = None if delivery.observed_at is None else delivery.observed_at + moved_ms
        return msgspec.structs.replace(delivery, received_at=received_at, observed_at=observed_at)


class ReplaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which recording is replayed, and how."""

    file: Annotated[str, Meta(min_length=1, description="The recording; chargeport source record writes one.")]
    speed: Annotated[
        float, Meta(ge=0, le=1_000_000, description="How many times as fast as it was received; 0: all at once.")
    ] = 1
    now: Annotated[bool, Meta(description="As if it were received now; false: at the instants of the recording.")] = True


class ReplaySource:
    """Replays a recording once each time the server starts."""

    def __init__(self, settings: ReplaySettings, context: SourceContext) -> None:
        self._context = context
        self._replay = Replay(
            context.name,
            Path(settings.file),
            context.clock,
            dialect=context.dialect,
            speed=settings.speed or None,
            now=settings.now,
        )

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._context.name

    async def check(self, timeout_s: float) -> None:
        """Read all of it once. Raises SourceError."""
        await self._replay.check(timeout_s)

    async def run(self, emit: Emit) -> None:
        """Emit the recording, then wait: a source that ends is started again. Raises SourceError."""
        await self.check(0)
        self._context.status.connected()
        await self._replay.run(self._naming(emit))
        await asyncio.Event().wait()

    def _naming(self, emit: Emit) -> Emit:
        """Return an `emit` that sets the car of the settings where the recording names none."""
        vehicle = self._context.vehicle
        if vehicle is None:
            return emit

        async def named(batch: Sequence[RawMessage | Delivery]) -> None:
            await emit([one if one.vehicle else msgspec.structs.replace(one, vehicle=vehicle) for one in batch])

        return named


RECORDING: Final = SourceType(name="recording", summary="A recording, replayed", settings=ReplaySettings, build=ReplaySource)
