"""The ingest side of a service, built from its settings: dialects, the pipeline and the sources."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from chargeport.clock import Clock
from chargeport.errors import SettingError
from chargeport.ingest.dialects import dialects
from chargeport.ingest.pipeline import Pipeline
from chargeport.ingest.recorders import Recorders
from chargeport.runtime import fleet
from chargeport.runtime.builder import Builder
from chargeport.runtime.source_status import SourceState, SourceStatus
from chargeport.runtime.supervisor import Hold, Supervisor
from chargeport.settings import Settings
from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.effective import effective
from chargeport.sources.base import Mounted, MountedElsewhere, Refused, Source
from chargeport.store.notes import KeyValue
from chargeport.store.protocols import Store

_ANY_PATH: Final = "/{path:path}"


def _ignore_refused(_credential: str, _address: str) -> None:
    """Do nothing: there is no server that limits attempts."""


class SourceMemory:
    """`sources.base.Memory` on the store: a source's notes, which persist across restarts."""

    def __init__(self, notes: KeyValue, source: str) -> None:
        self._notes = notes
        self._owner = f"source:{source}"

    async def get(self, key: str) -> str | None:
        """Return the stored value; None if there is none."""
        return await self._notes.recall(self._owner, key)

    async def put(self, key: str, value: str | None) -> None:
        """Store a value, or delete it with None."""
        await self._notes.remember(self._owner, key, value)


class Feeds:
    """The ingest side of a service. Raises SettingError for an invalid setting."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, *, recording: bool = True, refused: Refused = _ignore_refused
    ) -> None:
        """Prepare the feeds. Without `recording`, recording is off whatever the settings are.

        `refused` is called with each wrong credential of a client that connects to a source, and its address.
        """
        self._store = store
        self._settings = settings
        self._clock = clock
        known = dialects(settings.dialects, settings.folder)
        fleet.apply_order(store.readings, settings)
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

    async def start(self, sources: Sequence[Source] = (), *, hold: Hold | None = None, running: bool = True) -> None:
        """Add the settings' cars and, if `running`, start the settings' sources and those of `given`.

        `hold` runs a source in one process of several. Raises SettingError.
        """
        await fleet.check_order(self._store.readings, self._settings, self._dialects)
        await fleet.register(self._store, self.pipeline, self._settings.vehicles, self._clock)
        others = [(source, SourceStatus(source.name, source.name, source.name, self._clock)) for source in sources]
        if running:
            self._supervisor.start([*((built.source, built.status) for built in self.built), *others], hold)

    def states(self) -> list[SourceState]:
        """Return the states of the running sources."""
        return self._supervisor.states()

    def sockets(self) -> dict[str, Any]:
        """Return the websockets of sources on the server's port, by path. Raises SettingError if two have the same path."""
        by_path: dict[str, Any] = {}
        for source in (built.source for built in self.built):
            if not isinstance(source, Mounted):
                continue
            if source.path in by_path:
                raise SettingError(f"sources: {source.name}: another source listens at {source.path} already.")
            by_path[source.path] = source.connect
        return by_path

    def sockets_elsewhere(self) -> dict[str, Any]:
        """Return what answers websockets at paths that no source has, by its pattern."""
        source = next((built.source for built in self.built if isinstance(built.source, MountedElsewhere)), None)
        return {} if source is None else {_ANY_PATH: source.connect_elsewhere}

    async def close(self) -> None:
        """End the sources."""
        await self._supervisor.close()
        self._recorders.close()

    def _folders(self, dialects: Iterable[str]) -> dict[str, Path]:
        """Return the folders of recordings by source; deliveries over HTTP are named after their dialect."""
        http_folder = self._settings.ingest.record
        folders = {} if http_folder is None else dict.fromkeys(dialects, http_folder)
        folders |= {built.source.name: built.record for built in self.built if built.record is not None}
        return {name: Path(self._settings.folder) / folder for name, folder in folders.items()}

    async def _is_charging(self, name: str) -> bool:
        """Return whether the vehicle of this name is known to charge: sources poll more often then."""
        vehicle = await self._store.vehicles.find_vehicle(name)
        readings = self._store.readings
        found = None if vehicle is None else await readings.signal(vehicle.id, IS_CHARGING)
        current = None if found is None else effective(IS_CHARGING, found.series, readings.ranks, self._clock.now())
        return current is not None and current.unavailability is None and current.state.value is True

    async def _write_states(self, states: Sequence[SourceState]) -> None:
        texts = {state.name: msgspec.json.encode(state).decode() for state in states}
        await self._store.notes.write_source_states(texts, self._clock.now())
