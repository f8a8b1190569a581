"""What feeds a service, put together from its settings: dialects, the pipeline, and the sources, which one may start."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chargeport.clock import Clock
from chargeport.errors import SettingError
from chargeport.ingest.dialects import dialects
from chargeport.ingest.pipeline import Pipeline
from chargeport.ingest.recorders import Recorders
from chargeport.runtime import fleet, preference
from chargeport.runtime.builder import Builder
from chargeport.runtime.source_status import SourceState, SourceStatus
from chargeport.runtime.supervisor import Hold, Supervisor
from chargeport.settings import Settings
from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.effective import effective
from chargeport.sources.base import Mounted, Refused, Source
from chargeport.store.notes import KeyValue
from chargeport.store.protocols import Store


def _uncounted(_credential: str, _address: str) -> None:
    """Count nothing: no server runs."""


class SourceMemory:
    """`sources.base.Memory` on the store: what a source remembers over a restart, under the source's name."""

    def __init__(self, notes: KeyValue, source: str) -> None:
        self._notes = notes
        self._owner = f"source:{source}"

    async def get(self, key: str) -> str | None:
        """Return what was put last; None when nothing was."""
        return await self._notes.recall(self._owner, key)

    async def put(self, key: str, value: str | None) -> None:
        """Store a value, or delete it with None."""
        await self._notes.remember(self._owner, key, value)


class Feeds:
    """The feeding side of a service. Raises SettingError where a setting of it is wrong."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, *, recording: bool = True, refused: Refused = _uncounted
    ) -> None:
        """Prepare the feeds. Without `recording` nothing that is received is recorded, whatever the settings say.

        `refused` is called with each wrong credential of who connects to a source, and its address.
        """
        self._store = store
        self._settings = settings
        self._clock = clock
        known = dialects(settings.dialects, settings.folder)
        preference.prefer(store.readings, settings)
        self._dialects = frozenset(known)
        self.builder = Builder(
            known, clock, lambda name: SourceMemory(store.notes, name), self._is_charging,
            refused=refused, attempts=store.attempts,
        )  # fmt: skip
        self.built = self.builder.build(settings.sources)
        self._recorders = Recorders(clock, self._folders(known) if recording else {}, fleet.names(settings.vehicles))
        self.pipeline = Pipeline(
            store,
            clock,
            known,
            max_future_s=settings.ingest.max_future_s,
            auto_register=settings.ingest.auto_register,
            record=self._recorders.record,
        )
        for built in self.built:
            self.pipeline.use_dialect(built.source.name, built.dialect)
        self._supervisor = Supervisor(self.pipeline, clock, self._write_states)

    async def start(self, given: Sequence[Source] = (), *, hold: Hold | None = None, running: bool = True) -> None:
        """Make the settings' cars known and, if `running`, begin to listen: to the settings' sources, and to those given.

        `hold` has a source run in one process of several. Raises SettingError.
        """
        await preference.check(self._store.readings, self._settings, self._dialects)
        await fleet.make_known(self._store, self.pipeline, self._settings.vehicles, self._clock)
        others = [(source, SourceStatus(source.name, source.name, source.name, self._clock)) for source in given]
        if running:
            self._supervisor.start([*((built.source, built.status) for built in self.built), *others], hold)

    def states(self) -> list[SourceState]:
        """Return how the running sources are."""
        return self._supervisor.states()

    def sockets(self) -> dict[str, Any]:
        """Return the websockets that sources offer on the server's port, by path. Raises SettingError where two want one."""
        found: dict[str, Any] = {}
        for source in (built.source for built in self.built):
            if not isinstance(source, Mounted):
                continue
            if source.path in found:
                raise SettingError(f"sources: {source.name}: another source listens at {source.path} already.")
            found[source.path] = source.connect
        return found

    async def close(self) -> None:
        """End the sources."""
        await self._supervisor.close()
        self._recorders.close()

    def _folders(self, dialects: Iterable[str]) -> dict[str, Path]:
        """Return where what is received is recorded, by source; deliveries over HTTP are named after their dialect."""
        pushed = self._settings.ingest.record
        wanted = {} if pushed is None else dict.fromkeys(dialects, pushed)
        wanted |= {each.source.name: each.record for each in self.built if each.record is not None}
        return {name: Path(self._settings.folder) / folder for name, folder in wanted.items()}

    async def _is_charging(self, name: str) -> bool:
        """Return whether the vehicle of this name is known to charge now: sources ask more often while it does."""
        vehicle = await self._store.vehicles.find_vehicle(name)
        readings = self._store.readings
        found = None if vehicle is None else await readings.signal(vehicle.id, IS_CHARGING)
        counts = None if found is None else effective(IS_CHARGING, found.series, readings.ranks, self._clock.now())
        return counts is not None and counts.unavailability is None and counts.state.value is True

    async def _write_states(self, states: Sequence[SourceState]) -> None:
        texts = {state.name: msgspec.json.encode(state).decode() for state in states}
        await self._store.notes.write_source_states(texts, self._clock.now())
