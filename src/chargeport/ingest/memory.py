"""The last reports of sources, as far as their later messages depend on them.

Many sources send one field at a time. The meaning of a field can depend on another one (a power, on whether the car charges),
so the last fields are stored. This is a cache: after a restart it is filled from the store.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from chargeport.dialects.table import Known
from chargeport.ingest.connectors import Connectors
from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Signal, Value
from chargeport.signals.state import State

MAX_CHANGES: Final = 16  # changes of a flag that are stored; before the oldest of them the flag counts as unknown
MAX_CARS: Final = 200_000
COMBINED_MS: Final = 15 * 60_000
"""How much newer a field may be than one with which it is combined: fields with their own times arrive in any order."""
HELD_MS: Final = 60_000
"""How long before the message that the car charges a field may arrive that counts only then: fields arrive in any order."""


class LastReport(NamedTuple):
    """The last report of a signal by a source: its value or None, and the field that it came from ("": not known).

    `is_ahead`: its timestamp was ahead of the server's clock, so that it counts as of its receipt.
    """

    at: int
    value: Value | None
    field: str
    is_ahead: bool = False


class FlagHistory:
    """The last changes of a flag, by time."""

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: list[tuple[int, bool]] = []

    def add(self, at: int, value: bool) -> None:
        """Add that the flag had this value at `at`."""
        index = bisect_right(self._changes, (at, True))
        if index and self._changes[index - 1][1] is value:
            return
        if index < len(self._changes) and self._changes[index][1] is value:
            self._changes[index] = (at, value)  # the value began earlier than known so far
        else:
            self._changes.insert(index, (at, value))
        del self._changes[:-MAX_CHANGES]

    def at(self, at: int) -> bool | None:
        """Return the flag's value at `at`; None where it is not known."""
        index = bisect_right(self._changes, (at, True))
        return self._changes[index - 1][1] if index else None

    def since(self, at: int) -> int:
        """Return when the flag got its value at `at`, as far as known; 0 where the value is not known."""
        index = bisect_right(self._changes, (at, True))
        return self._changes[index - 1][0] if index else 0


class CarMemory:
    """The last reports of one source about one car."""

    __slots__ = (
        "_burst",
        "_burst_from",
        "_burst_until",
        "_fields",
        "_held",
        "_incomplete",
        "_reports",
        "charging",
        "connectors",
        "plugged",
        "unconfirmed",
    )

    def __init__(self) -> None:
        self._fields: dict[str, tuple[int, Any]] = {}
        self._reports: dict[int, LastReport] = {}  # by signal
        self._held: dict[tuple[str, int], tuple[int, Any]] = {}  # what a gate held back, by field and signal
        self._incomplete: set[str] = set()  # fields that lacked another one, which may follow
        self._burst: dict[str, tuple[int, Any]] = {}  # the last burst by field: when it counts, and its value
        self._burst_from = 0  # the receipt of its first message
        self._burst_until = 0  # the latest instant at which a part of it counts
        self.charging = FlagHistory()
        self.plugged = FlagHistory()
        self.connectors: Connectors | None = None  # where the source names cars by connector
        self.unconfirmed: dict[str, Any] = {}  # retained values, until the source sends something else

    def resume(self, states: Iterable[State]) -> None:
        """Restore the last reports of this source from the store."""
        for state in states:
            if state.value is None or state.observed_at is None:
                continue
            if state.signal is IS_CHARGING:
                self.charging.add(state.changed_at or state.observed_at, bool(state.value))
            if state.signal is CABLE_CONNECTED:
                self.plugged.add(state.changed_at or state.observed_at, bool(state.value))
            absent_at = state.absence_at or 0
            is_absent = absent_at > state.observed_at
            self._reports[state.signal.key] = LastReport(
                max(absent_at, state.observed_at), None if is_absent else state.value, ""
            )

    def in_order(self, fields: Mapping[str, Any], received_at: int) -> int:
        """Return the instant at which fields without a usable time count: their receipt, but after the rest of the burst.

        After an outage a broker delivers the messages of minutes within a millisecond: the last of them must hold.
        """
        if received_at > self._burst_until:
            self._burst, self._burst_from = {}, received_at
        elif received_at < self._burst_from:
            return received_at
        repeated = [(*self._burst[field], value) for field, value in fields.items() if field in self._burst]
        at = max([received_at, *(before + bool(value != known) for before, known, value in repeated)])
        self._burst.update({field: (at, value) for field, value in fields.items()})
        self._burst_until = max(self._burst_until, at)
        return at

    def is_in_burst(self, at: int, then: int) -> bool:
        """Return whether `then` is later than `at` and both are within the last burst."""
        return self._burst_from <= at < then <= self._burst_until

    def lengthen_burst(self, at: int) -> None:
        """Extend the last burst to `at`, unless that is before it."""
        if at >= self._burst_from:
            self._burst_until = max(self._burst_until, at)

    def set_field(self, field: str, value: Any, at: int) -> None:
        """Store a field as of `at`, None for no value. An older one changes nothing."""
        known = self._fields.get(field)
        if known is None or known[0] <= at:
            self._fields[field] = (at, value)

    def has_field(self, field: str) -> bool:
        """Return whether a field has a value."""
        return self._fields.get(field, (0, None))[1] is not None

    def add_incomplete(self, field: str) -> bool:
        """Store that a field lacks another one; return whether this is the first time."""
        is_first = field not in self._incomplete
        self._incomplete.add(field)
        return is_first

    def forget(self, fields: Iterable[str], before: int) -> None:
        """Remove those of these fields that were reported before an instant."""
        for field in fields:
            if field in self._fields and self._fields[field][0] < before:
                del self._fields[field]

    def known_fields(self, fields: tuple[str, ...], own: Mapping[str, Any], at: int) -> Known:
        """Return the values of these fields at `at`: from the message (`own`), else as last reported.

        A field that is None in the message is not known. A late message is not combined with much newer fields.
        """
        known, times = {}, {}
        for field in fields:
            reported_at, value = (at, own[field]) if field in own else self._fields.get(field, (0, None))
            if value is not None and reported_at <= at + COMBINED_MS:
                known[field], times[field] = value, reported_at
        return Known(known, times)

    def last_report(self, signal: Signal) -> LastReport | None:
        """Return the last report of a signal; None where there is none."""
        return self._reports.get(signal.key)

    def set_last_report(self, signal: Signal, report: LastReport) -> None:
        """Store the last report of a signal; an older one changes nothing."""
        known = self._reports.get(signal.key)
        if known is None or known.at <= report.at:
            self._reports[signal.key] = report

    def hold(self, field: str, signal: Signal, at: int, what: Any) -> None:
        """Hold back the content of a field that would count at `at` if the car were charging, or plugged in."""
        self._held[field, signal.key] = (at, what)

    def discard_held(self, fields: Mapping[str, Any]) -> None:
        """Remove what was held back of these fields: a newer report replaces it."""
        if self._held:
            self._held = {key: held for key, held in self._held.items() if key[0] not in fields}

    def take_held(self, at: int) -> list[tuple[int, Any]]:
        """Remove and return what was held back shortly before `at` or later, each with its instant."""
        held, self._held = self._held, {}
        return [(held_at, what) for held_at, what in held.values() if at - held_at <= HELD_MS]


class Memory:
    """The last reports of all sources about all cars; the least recently used car is removed first."""

    def __init__(self, max_cars: int = MAX_CARS) -> None:
        self._cars: OrderedDict[tuple[str, str], CarMemory] = OrderedDict()
        self._max_cars = max_cars

    def has(self, source: str, vehicle: str) -> bool:
        """Return whether there is a memory of the car."""
        return (source, vehicle) in self._cars

    def cars(self, source: str) -> list[str]:
        """Return the cars about which a source has reported."""
        return [vehicle for name, vehicle in self._cars if name == source]

    def of(self, source: str, vehicle: str) -> CarMemory:
        """Return the memory of a car; an empty one for a new car."""
        key = (source, vehicle)
        memory = self._cars.get(key)
        if memory is None:
            memory = self._cars[key] = CarMemory()
            if len(self._cars) > self._max_cars:
                self._cars.popitem(last=False)
        else:
            self._cars.move_to_end(key)
        return memory
