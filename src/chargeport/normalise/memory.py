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


class CarMemory:
    """What one source said of one car."""

    __slots__ = ("_fields", "_turns", "doubted")

    def __init__(self) -> None:
        self._fields: dict[str, tuple[int, Any]] = {}
        self._turns: list[tuple[int, bool]] = []  # by time: from then on it charged, or did not
        self.doubted: dict[str, Any] = {}  # retained values, until the source shows that it is alive

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
