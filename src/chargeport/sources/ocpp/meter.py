"""Just enough of a meter reading to know where a session began: the energy register, and when it was read.

Both versions: 1.6 has the unit in the sample, 2.0.1 a unit with a power of ten beside it.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

_REGISTER: Final = "Energy.Active.Import.Register"  # also the default measurand, of both versions
_WH: Final = {"Wh": 1.0, "kWh": 1000.0}
_MAX_MULTIPLIER: Final = 9

Short = Annotated[str, Meta(max_length=255)]
"""A text that is kept: no longer than the longest that OCPP has for a name."""

Edge = Literal["Transaction.Begin", "Transaction.End"]


class Unit(msgspec.Struct, frozen=True):
    """OCPP 2.0.1's unit of measure."""

    unit: str = "Wh"
    multiplier: int = 0


class Sample(msgspec.Struct, frozen=True, rename="camel"):
    """One sampled value, text in 1.6 and a number in 2.0.1."""

    value: str | float
    context: str = "Sample.Periodic"
    measurand: str = _REGISTER
    phase: str | None = None
    location: str = "Outlet"
    unit: str = "Wh"
    unit_of_measure: Unit | None = None

    def wh(self) -> float | None:
        """The energy register in Wh; None where the sample is something else."""
        unit = self.unit_of_measure or Unit(self.unit)
        if (self.measurand, self.phase, self.location) != (_REGISTER, None, "Outlet") or unit.unit not in _WH:
            return None
        if abs(unit.multiplier) > _MAX_MULTIPLIER:
            return None
        try:
            found = float(self.value) * _WH[unit.unit] * 10.0**unit.multiplier
        except ValueError:
            return None
        return round(found, 3) if abs(found) < float("inf") else None


class MeterValue(msgspec.Struct, frozen=True, rename="camel"):
    """What was sampled at one instant."""

    timestamp: str
    sampled_value: list[Sample]


def readings(raw: msgspec.Raw) -> list[MeterValue]:
    """The meter values of a message; none where they are not as they should be, which the dialect says."""
    try:
        return msgspec.json.decode(raw, type=list[MeterValue]) if bytes(raw) else []
    except (msgspec.MsgspecError, RecursionError):
        return []


def register_wh(values: list[MeterValue], edge: Edge, *, whole: bool) -> float | None:
    """The energy register at the session's edge, in Wh. `whole`: the message itself is that edge, whatever its samples say."""
    samples = [sample for value in values for sample in value.sampled_value]
    at_edge = [wh for sample in samples if sample.context == edge and (wh := sample.wh()) is not None]
    other = "Transaction.End" if edge == "Transaction.Begin" else "Transaction.Begin"
    found = at_edge or [wh for sample in samples if whole and sample.context != other and (wh := sample.wh()) is not None]
    if not found:
        return None
    return found[0] if edge == "Transaction.Begin" else found[-1]


def instant(text: str | None) -> int | None:
    """Milliseconds since the epoch; None where the text is no time. Without a zone it is UTC, as both versions want it."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def last_at(values: list[MeterValue]) -> int | None:
    """When the last of them was sampled; None where none says so."""
    return max((at for value in values if (at := instant(value.timestamp)) is not None), default=None)
