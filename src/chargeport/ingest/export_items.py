"""Items as an export keeps them: those of `POST /ingest/readings`, and beside them when and from whom each was heard.

A client of the API can't say either: there it is now, and the client. Whoever may write to the database file can.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from chargeport.ingest.items import Intake, Item
from chargeport.ingest.times import observed_at
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.violation import Rule, Violation

MAX_SOURCE: Final = 128

# One word of Smartcar's for each reason; `items` reads it back as the same.
STATUSES: Final[dict[AbsenceReason, tuple[str, str]]] = {
    AbsenceReason.NOT_CAPABLE: ("COMPATIBILITY", "VEHICLE_NOT_CAPABLE"),
    AbsenceReason.NOT_PERMITTED: ("PERMISSION", "UNKNOWN"),
    AbsenceReason.NOT_CHARGING: ("VEHICLE_STATE", "NOT_CHARGING"),
    AbsenceReason.UNREACHABLE: ("VEHICLE_STATE", "UNREACHABLE"),
    AbsenceReason.UNREADABLE: ("UPSTREAM", "INVALID_DATA"),
    AbsenceReason.SOURCE_FAILED: ("SERVER", "INTERNAL"),
}


class KeptItem(Item, frozen=True, forbid_unknown_fields=True, rename={"received_at": "receivedAt"}):
    """An item that may say when (`receivedAt`) and from whom (`source`) it was heard."""

    vehicle: str = ""
    received_at: int | float | str | None = None
    source: str | None = None


class KeptIntake(Intake):
    """Checks kept items; what an item does not say of itself is `source` and `now`.

    `vehicle` and `source_of_all` are believed before what items say.
    """

    def __init__(
        self, source: str, now: int, max_future_s: float, *, vehicle: str | None = None, source_of_all: str | None = None
    ) -> None:
        super().__init__(source, now, max_future_s)
        self._vehicle = vehicle
        self._source_of_all = source_of_all

    def take(self, index: int, item: Item) -> None:
        """Check an item; add its entries or its rejections."""
        if self._vehicle is not None:
            item = msgspec.structs.replace(item, vehicle=self._vehicle)
        before = len(self.entries)
        try:
            heard = dict(self._heard(item))
        except Violation as found:
            self.reject(index, found, item.signal)
            return
        super().take(index, item)
        if heard:
            self.entries[before:] = [msgspec.structs.replace(entry, **heard) for entry in self.entries[before:]]

    def _heard(self, item: Item) -> Iterator[tuple[str, int | str]]:
        """What is known of when and from whom an item was heard. Raises Violation.

        It has to say when it was observed: if that were now, a file that is taken in again would say something new.
        """
        if item.observed_at is None:
            raise Violation(Rule.MISSING, "a kept item says when it was observed", "observedAt")
        source = self._source_of_all
        if isinstance(item, KeptItem):
            if item.received_at is not None:
                yield "received_at", observed_at(item.received_at, self._now, self._max_future_s, "receivedAt")
            source = source or item.source
        if source is not None:
            if not 0 < len(source) <= MAX_SOURCE or not source.isprintable():
                raise Violation(Rule.BAD_FORMAT, f"a source has 1 to {MAX_SOURCE} printable characters", "source")
            yield "source", source
