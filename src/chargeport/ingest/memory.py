"""What a source said of a car so far, as far as its later messages need it.

Many sources send one field at a time. What such a field means can depend on another (a power, on whether the car charges), so
the last ones are remembered. It is a cache, which a restart may lose: what the store knows is then resumed from it.
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

MAX_CHANGES: Final = 16  # changes of a flag that are kept; late messages about older ones are taken as they come
MAX_CARS: Final = 200_000
BESIDE_MS: Final = 15 * 60_000
"""Fields that are told with times of their own may come in any order: so much newer, one still counts beside another."""
HELD_MS: Final = 60_000
"""So long before the message that the car charges may come what counts only then: fields of one state come unordered."""


class Said(NamedTuple):
    """The last that a source said of a signal: its value or None, and the field whose row said it ("": not known).

    `is_ahead`: its stamp was ahead of our clock, so that it counts as of its receipt.
    """

    at: int
    value: Value | None
    field: str
    is_ahead: bool = False


class FlagHistory:
    """Since when a flag was true or false, by time."""

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: list[tuple[int, bool]] = []

    def note(self, at: int, value: bool) -> None:
        """Remember that the flag had this value at `at`."""
        index = bisect_right(self._changes, (at, True))
        if index and self._changes[index - 1][1] is value:
            return
        if index < len(self._changes) and self._changes[index][1] is value:
            self._changes[index] = (at, value)  # it was so earlier than we knew
        else:
            self._changes.insert(index, (at, value))
        del self._changes[:-MAX_CHANGES]

    def at(self, at: int) -> bool | None:
        """Return the flag's value at `at`; None where the source did not say."""
        index = bisect_right(self._changes, (at, True))
        return self._changes[index - 1][1] if index else None


class CarMemory:
    """What one source said of one car."""

    __slots__ = ("_fields", "_held", "_just", "_said", "_since", "_until", "charging", "connectors", "doubted", "plugged")

    def __init__(self) -> None:
        self._fields: dict[str, tuple[int, Any]] = {}
        self._said: dict[int, Said] = {}  # by signal
        self._held: dict[tuple[str, int], tuple[int, Any]] = {}  # what a gate held back, by field and signal
        self._just: dict[str, tuple[int, Any]] = {}  # what was heard last: when it counts, and what it was
        self._since = self._until = 0  # that was heard from here on; the latest that any of it counts at
        self.charging = FlagHistory()
        self.plugged = FlagHistory()
        self.connectors: Connectors | None = None  # where the source calls the car by the connectors that it may be at
        self.doubted: dict[str, Any] = {}  # retained values, until the source shows that it is alive

    def resume(self, states: Iterable[State]) -> None:
        """Take up what the store knows that this source said."""
        for state in states:
            if state.value is None or state.observed_at is None:
                continue
            if state.signal is IS_CHARGING:
                self.charging.note(state.changed_at or state.observed_at, bool(state.value))
            if state.signal is CABLE_CONNECTED:
                self.plugged.note(state.changed_at or state.observed_at, bool(state.value))
            absent_at = state.absence_at or 0
            is_absent = absent_at > state.observed_at
            self._said[state.signal.key] = Said(max(absent_at, state.observed_at), None if is_absent else state.value, "")

    def in_order(self, fields: Mapping[str, Any], heard_at: int) -> int:
        """Return when fields without a usable time of their own count: as of their receipt, but after what else came with it.

        After an outage a broker hands over in a millisecond what was said in minutes: the last of it has to hold.
        """
        if heard_at > self._until:
            self._just, self._since = {}, heard_at
        elif heard_at < self._since:
            return heard_at
        said = [(*self._just[field], value) for field, value in fields.items() if field in self._just]
        at = max([heard_at, *(before + bool(value != known) for before, known, value in said)])
        self._just.update({field: (at, value) for field, value in fields.items()})
        self._until = max(self._until, at)
        return at

    def is_in_burst(self, at: int, then: int) -> bool:
        """Return whether `then` lies behind `at` and both count in the burst of what was heard last."""
        return self._since <= at < then <= self._until

    def lengthen_burst(self, at: int) -> None:
        """Note that something of this burst counts at `at`."""
        if at >= self._since:
            self._until = max(self._until, at)

    def note(self, field: str, value: Any, at: int) -> None:
        """Remember a field as of `at`; None: it has no value now. An older one changes nothing."""
        known = self._fields.get(field)
        if known is None or known[0] <= at:
            self._fields[field] = (at, value)

    def knows(self, field: str) -> bool:
        """Return whether a field has a value."""
        return self._fields.get(field, (0, None))[1] is not None

    def forget(self, fields: Iterable[str], before: int) -> None:
        """Forget these fields as far as they were told before an instant."""
        for field in fields:
            if field in self._fields and self._fields[field][0] < before:
                del self._fields[field]

    def beside(self, fields: tuple[str, ...], own: Mapping[str, Any], at: int) -> Known:
        """Return these fields as far as they were known at `at`: from the message itself, else as they were told last.

        What the message says nothing by (None) is not known. A late message is not read beside what was said long after it.
        """
        known, times = {}, {}
        for field in fields:
            told_at, value = (at, own[field]) if field in own else self._fields.get(field, (0, None))
            if value is not None and told_at <= at + BESIDE_MS:
                known[field], times[field] = value, told_at
        return Known(known, times)

    def said(self, signal: Signal) -> Said | None:
        """Return the last that the source said of a signal; None where it said nothing yet."""
        return self._said.get(signal.key)

    def say(self, signal: Signal, said: Said) -> None:
        """Remember what the source said of a signal; something older changes nothing."""
        known = self._said.get(signal.key)
        if known is None or known.at <= said.at:
            self._said[signal.key] = said

    def hold(self, field: str, signal: Signal, at: int, what: Any) -> None:
        """Keep what would have counted at `at`, had the car been charging, or plugged in."""
        self._held[field, signal.key] = (at, what)

    def release(self, fields: Mapping[str, Any]) -> None:
        """Forget what was held back of these fields: they are told anew."""
        if self._held:
            self._held = {key: held for key, held in self._held.items() if key[0] not in fields}

    def take_held(self, at: int) -> list[tuple[int, Any]]:
        """Hand out what was held back shortly before `at`, or with a later time; each with when it was observed."""
        held, self._held = self._held, {}
        return [(held_at, what) for held_at, what in held.values() if at - held_at <= HELD_MS]


class Memory:
    """What all sources said of all cars; the cars not heard of for the longest time are forgotten first."""

    def __init__(self, max_cars: int = MAX_CARS) -> None:
        self._cars: OrderedDict[tuple[str, str], CarMemory] = OrderedDict()
        self._max_cars = max_cars

    def knows(self, source: str, vehicle: str) -> bool:
        """Return whether anything of the car is remembered."""
        return (source, vehicle) in self._cars

    def cars(self, source: str) -> list[str]:
        """Return the cars of which a source has told."""
        return [vehicle for name, vehicle in self._cars if name == source]

    def of(self, source: str, vehicle: str) -> CarMemory:
        """Return what is remembered of a car; an empty memory for a new one."""
        key = (source, vehicle)
        found = self._cars.get(key)
        if found is None:
            found = self._cars[key] = CarMemory()
            if len(self._cars) > self._max_cars:
                self._cars.popitem(last=False)
        else:
            self._cars.move_to_end(key)
        return found
