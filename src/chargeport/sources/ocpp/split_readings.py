"""Join the readings of stations that send a message for each phase, or for each measurand, of one instant."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.sources.ocpp.energy import SessionMeter
from chargeport.sources.ocpp.samples import Reading, entries, is_together, readings

_MAX_PARTS: Final = 32
"""Three phases of ten measurands, each in a message of its own, with a reserve."""


class CompleteReadings(NamedTuple):
    """A message's readings, joined with those of earlier messages of the same instant.

    `earlier` are the unchanged meter values of these messages, `meter` is the meter before the first of them.
    """

    found: list[Reading]
    meter: SessionMeter
    earlier: Sequence[Any] = ()


class _Instant(NamedTuple):
    at: int
    fields: frozenset[tuple[str, bool]]  # and whether it is a sample of the transaction's begin
    values: list[msgspec.Raw]
    transaction: str | None
    meter: SessionMeter


class SplitReadings:
    """Joins the messages of one instant at a connector, as long as none repeats a field of another."""

    def __init__(self) -> None:
        self._last: dict[int, _Instant] = {}

    def take(
        self, connector: int, raw: msgspec.Raw, found: list[Reading], transaction: str | None, meter: SessionMeter
    ) -> CompleteReadings:
        """Return the reading that a message's meter values belong to, with the parts that were received so far.

        `found` are the readings in `raw`; `meter` is that of the transaction with this id.
        """
        last = self._last.pop(connector, None)
        at = found[0].at if len(found) == 1 else None
        if at is None:
            return CompleteReadings(found, meter)
        fields = frozenset([(name, False) for name in found[0].current] + [(name, True) for name in found[0].begin])
        if (
            last is None
            or last.transaction != transaction
            or not is_together(last.at, at)
            or fields & last.fields
            or len(last.values) == _MAX_PARTS
        ):
            self._last[connector] = _Instant(at, fields, [raw], transaction, meter)
            return CompleteReadings(found, meter)
        self._last[connector] = _Instant(at, fields | last.fields, [*last.values, raw], transaction, last.meter)
        earlier = [each for one in last.values for each in entries(msgspec.json.decode(one))]
        return CompleteReadings(readings([*earlier, *entries(msgspec.json.decode(raw))]), last.meter, earlier)
