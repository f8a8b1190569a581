"""The structured bodies of the companions: the battery's range and nominal capacity."""

from typing import Final, Literal

from chargeport.signals.definition import Dimension
from chargeport.signals.documents import Document, Number
from chargeport.signals.records import MAX_ENERGY_KWH
from chargeport.signals.units import convert
from chargeport.signals.violation import Rule, Violation

RangeType = Literal["DEFAULT", "IDEAL_CONDITIONS", "ESTIMATED", "RATED"]
CapacitySource = Literal["SMARTCAR", "USER_SELECTED"]

MAX_RANGE_KM: Final = 5000


def _convert(value: float, dimension: Dimension, unit: str | None, limit: float, path: str) -> float:
    """`value` in the wire unit and within 0 to `limit`; `path` is the body's."""
    converted = value if unit is None else convert(value, dimension, unit)
    if converted is None:
        raise Violation(Rule.UNKNOWN_UNIT, f"{str(unit)[:40]!r} is no unit of {dimension}", f"{path}.unit")
    if not 0 <= converted <= limit:
        raise Violation(Rule.OUT_OF_BOUNDS, f"{converted} is not within 0 to {limit}", path)
    return converted


class RangeValue(Document, frozen=True):
    """A range under other conditions than the default."""

    type: RangeType
    value: Number


class Range(Document, frozen=True):
    """Body of tractionbattery-range: how far the car gets, in km."""

    value: Number
    type: RangeType | None = None
    additionalValues: list[RangeValue] | None = None  # noqa: N815  (wire name)
    unit: str | None = None

    def in_wire_form(self, path: str) -> "Range":
        """The same ranges in km."""

        def in_km(value: float) -> float:
            return _convert(value, Dimension.DISTANCE, self.unit, MAX_RANGE_KM, path)

        more = self.additionalValues
        return Range(
            value=in_km(self.value),
            type=self.type,
            additionalValues=None if more is None else [RangeValue(each.type, in_km(each.value)) for each in more],
            unit="km",
        )


class AvailableCapacity(Document, frozen=True):
    """A capacity that the model is sold with."""

    capacity: Number
    description: str | None = None


class NominalCapacity(Document, frozen=True):
    """Body of tractionbattery-nominalcapacity: what the battery held when new, in kWh."""

    capacity: Number
    source: CapacitySource | None = None
    availableCapacities: list[AvailableCapacity] | None = None  # noqa: N815  (wire name)
    unit: str | None = None

    def in_wire_form(self, path: str) -> "NominalCapacity":
        """The same capacities in kWh."""

        def in_kwh(value: float) -> float:
            return _convert(value, Dimension.ENERGY, self.unit, MAX_ENERGY_KWH, path)

        more = self.availableCapacities
        return NominalCapacity(
            capacity=in_kwh(self.capacity),
            source=self.source,
            availableCapacities=None
            if more is None
            else [AvailableCapacity(in_kwh(each.capacity), each.description) for each in more],
            unit="kWh",
        )
