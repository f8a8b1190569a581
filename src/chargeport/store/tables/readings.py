"""Write and erase readings, and make states of the rows of a database."""

from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Cadence, Kind
from chargeport.signals.freshness import Freshness
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.signals.state import State
from chargeport.store.audit import Act, recorded
from chargeport.store.history.runs import ALWAYS
from chargeport.store.records import Forgotten, Named, Outcome, WriteListener
from chargeport.store.sql import Connection, Row, Scans, SlotsOf, Writer, fetch
from chargeport.store.tables.forgetting import forget
from chargeport.store.tables.keys import MAX_SOURCES, SERIES, SOURCE_BITS, VEHICLE_SHIFT

_CARS: Final = "SELECT key FROM vehicles WHERE key > ? ORDER BY key LIMIT ?"
_LIVE_KEYS: Final = ", ".join(str(key) for key, signal in BY_KEY.items() if signal.cadence is Cadence.LIVE)
_HEARD_OF: Final = (
    f"SELECT v.id FROM vehicles v WHERE v.key > ?1 AND v.key <= ?2 AND EXISTS (SELECT 1 FROM latest l WHERE l.slot BETWEEN"
    f" v.key << {VEHICLE_SHIFT} AND (v.key << {VEHICLE_SHIFT}) + {SERIES} AND l.observed_at >= ?3"
    f" AND l.signal_key IN ({_LIVE_KEYS}))"
)


class NamingReader(Protocol):
    """A reader that has the names of sources and the texts of rules."""

    def source(self, key: int) -> str:
        """Return the name of a source."""
        ...

    def rule(self, key: int) -> str:
        """Return the text of a rule."""
        ...


class EntryWriter(Writer, Protocol):
    """A writer that merges entries."""

    async def write(self, entries: Sequence[Entry], only_for: str | None) -> list[Outcome]:
        """Merge entries; return when they are on disk."""
        ...


class ReadingTables:
    """The common part of the databases' `store.protocols.Readings`."""

    slots_of: SlotsOf

    def __init__(self, reader: NamingReader, writer: EntryWriter, scans: Scans) -> None:
        self._reader = reader
        self._writer = writer
        self._scans = scans
        self._listeners: list[WriteListener] = []
        self._freshness = Freshness()
        self._ranks = Ranks()
        self._named: dict[int, Named] = {}

    async def write(self, entries: Sequence[Entry], only_for: str | None = None) -> list[Outcome]:
        """Store entries; return when they are on disk. See `store.protocols.Readings`."""
        outcomes = await self._writer.write(entries, only_for)
        for listener in self._listeners:
            listener(entries, outcomes)
        return outcomes

    def on_written(self, listener: WriteListener) -> None:
        """Register a function that is called with what was written."""
        self._listeners.append(listener)

    @property
    def freshness(self) -> Freshness:
        """For how long states are valid."""
        return self._freshness

    def set_freshness(self, freshness: Freshness) -> None:
        """Set for how long states are valid from now on."""
        self._freshness = freshness
        self._named = {}

    @property
    def ranks(self) -> Ranks:
        """The precedence of sources."""
        return self._ranks

    def set_ranks(self, ranks: Ranks) -> None:
        """Set the precedence of sources for readers from now on."""
        self._ranks = ranks

    async def cars_observed_since(self, since_at: int, after: int, limit: int) -> tuple[list[str], int | None]:
        """Return the ids of cars with a live value observed since then. See `store.protocols.Readings`."""

        def scan(connection: Connection) -> tuple[list[str], int | None]:
            keys = [key for (key,) in fetch(connection, _CARS, (after, limit))]
            if not keys:
                return [], None
            found = fetch(connection, _HEARD_OF, (after, keys[-1], since_at))
            return [vehicle_id for (vehicle_id,) in found], keys[-1] if len(keys) == limit else None

        return await self._scans.run(scan)

    def series(self, found: Sequence[Row]) -> dict[int, tuple[State, ...]]:
        """Return the states of rows, by signal."""
        series: dict[int, tuple[State, ...]] = {}
        named = self._named
        for number, value, observed_at, changed_at, received_at, position, gone, gone_at, gone_received_at, rule in found:
            signal, source, _, is_flag, live_for_ms = named.get(number) or self.named(number)
            state = State(
                signal,
                value == 1 if is_flag and value is not None else value,
                observed_at,
                changed_at,
                received_at,
                source,
                position,
                None if gone is None else AbsenceReason(gone),
                gone_at,
                gone_received_at,
                None if gone is None else source,
                live_for_ms,
                None if rule is None else self._reader.rule(rule),
            )
            key = signal.key
            series[key] = (*series[key], state) if key in series else (state,)
        return series

    def named(self, number: int) -> Named:
        """Return signal and source of a series, and cache them. A key is never reused for another source."""
        source_key = number & MAX_SOURCES
        signal, source = BY_KEY[number >> SOURCE_BITS], self._reader.source(source_key)
        live_for_ms = self._freshness.of(source, signal)
        named = self._named[number] = Named(signal, source, source_key, signal.kind is Kind.FLAG, live_for_ms)
        return named

    async def forget(
        self, source: str, vehicle_id: str | None = None, from_at: int | None = None, to_at: int | None = None
    ) -> Forgotten:
        """Erase what a source reported. See `store.protocols.Readings`."""
        bounds = (-ALWAYS if from_at is None else from_at, ALWAYS if to_at is None else to_at)
        found, after = Forgotten(), 0
        while True:
            step = partial(forget, slots_of=self.slots_of, source=source, vehicle_id=vehicle_id, bounds=bounds, after=after)
            do = recorded(Act.SOURCE_FORGOTTEN, vehicle_id or "", step, source) if after == 0 else step
            erased, reached = await self._writer.call(do)
            found = found.plus(erased)
            if reached is None:
                return found
            after = reached
