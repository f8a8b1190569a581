"""What a source has said of a car so far, as far as its later words need it.

Many sources send one field at a time. What such a field means can hang on another (a power, on whether the car charges), so
the last ones are remembered: a cache, which a restart may lose; whether the car charged is then taken from the store.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

MAX_TURNS: Final = 16  # beginnings and ends of charging that are kept; late words about older ones are taken as they come
MAX_CARS: Final = 200_000
BESIDE_MS: Final = 15 * 60_000
"""Fields that are told with times of their own may come in any order: so much newer, one still counts beside another."""
HELD_MS: Final = 60_000
"""So long before the word that the car charges may come what counts only then: fields of one state come unordered."""


class CarMemory:
    """What one source said of one car."""

    __slots__ = ("_fields", "_held", "_just", "_since", "_turns", "_until", "doubted")

    def __init__(self) -> None:
        self._fields: dict[str, tuple[int, Any]] = {}
        self._held: dict[tuple[str, int], tuple[int, Any]] = {}  # what a gate held back, by field and signal
        self._just: dict[str, tuple[int, Any]] = {}  # what was heard last: when it counts, and what it was
        self._since = self._until = 0  # that was heard from here on; the latest that any of it counts at
        self._turns: list[tuple[int, bool]] = []  # by time: from then on it charged, or did not
        self.doubted: dict[str, Any] = {}  # retained values, until the source shows that it is alive

    def in_order(self, fields: Mapping[str, Any], heard_at: int) -> int:
        """When fields without a time of their own count: as of their arrival, but after what else they said in that instant.

        After an outage a broker hands over in a millisecond what was said in minutes: the last word of it has to hold.
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

    def note(self, field: str, value: Any, at: int) -> None:
        """Remember a field as of `at`; None: it has no value now. An older word changes nothing."""
        known = self._fields.get(field)
        if known is None or known[0] <= at:
            self._fields[field] = (at, value)

    def beside(self, fields: tuple[str, ...], own: Mapping[str, Any], at: int) -> dict[str, Any]:
        """These fields as far as they were known at `at`: from the message itself, else as they were said last.

        What the message says nothing by (None) is not known. A late message is not read beside what was said long after it.
        """
        known = {field: own[field] if field in own else self._said(field, at) for field in fields}
        return {field: value for field, value in known.items() if value is not None}

    def _said(self, field: str, at: int) -> Any:
        said_at, value = self._fields.get(field, (0, None))
        return value if said_at <= at + BESIDE_MS else None

    def hold(self, field: str, signal: int, at: int, what: Any) -> None:
        """Keep what would have counted at `at`, had the car charged."""
        self._held[field, signal] = (at, what)

    def release(self, fields: Mapping[str, Any]) -> None:
        """Forget what was held back of these fields: they are told anew."""
        if self._held:
            self._held = {key: held for key, held in self._held.items() if key[0] not in fields}

    def held(self, at: int) -> list[tuple[int, Any]]:
        """What was held back shortly before `at`, or with a later time; each with when it was observed."""
        return [(held_at, what) for held_at, what in self._held.values() if at - held_at <= HELD_MS]

    def charging_was(self, at: int, charging: bool) -> None:
        """Remember that the car charged at `at`, or that it did not."""
        index = bisect_right(self._turns, (at, True))
        if index and self._turns[index - 1][1] is charging:
            return
        if index < len(self._turns) and self._turns[index][1] is charging:
            self._turns[index] = (at, charging)  # it was so earlier than we knew
        else:
            self._turns.insert(index, (at, charging))
        del self._turns[:-MAX_TURNS]

    def charged(self, at: int) -> bool | None:
        """Whether the car charged at `at`, as far as this source told; None when it did not."""
        index = bisect_right(self._turns, (at, True))
        return self._turns[index - 1][1] if index else None


class Memory:
    """What all sources said of all cars; the cars not heard of for the longest time are forgotten first."""

    def __init__(self, max_cars: int = MAX_CARS) -> None:
        self._cars: OrderedDict[tuple[str, str], CarMemory] = OrderedDict()
        self._max_cars = max_cars

    def knows(self, source: str, vehicle: str) -> bool:
        """Whether anything of the car is remembered."""
        return (source, vehicle) in self._cars

    def of(self, source: str, vehicle: str) -> CarMemory:
        """What is remembered of a car; an empty memory for a new one."""
        key = (source, vehicle)
        found = self._cars.get(key)
        if found is None:
            found = self._cars[key] = CarMemory()
            if len(self._cars) > self._max_cars:
                self._cars.popitem(last=False)
        else:
            self._cars.move_to_end(key)
        return found
