"""The structured bodies of the companions: the battery's range and nominal capacity."""

from typing import Final, Literal

from chargeport.signals.definition import Dimension
from chargeport.signals.documents import Document, Number, check_each, in_wire_unit, short, within
from chargeport.signals.records import MAX_ENERGY_KWH

RangeType = Literal["DEFAULT", "IDEAL_CONDITIONS", "ESTIMATED", "RATED"]
CapacitySource = Literal["SMARTCAR", "USER_SELECTED"]

MAX_RANGE_KM: Final = 5000


class RangeValue(Document, frozen=True):
    """A range under conditions other than the default."""

    type: RangeType
    value: Number

    def check(self, path: str) -> None:
        """Check that the range is plausible."""
        within(self.value, 0, MAX_RANGE_KM, f"{path}.value")


class Range(Document, frozen=True):
    """Body of tractionbattery-range, in km."""

    value: Number
    type: RangeType | None = None
    additionalValues: list[RangeValue] | None = None  # noqa: N815  (wire name)
    unit: str | None = None

    def check(self, path: str) -> None:
        """Check that every range is plausible."""
        within(self.value, 0, MAX_RANGE_KM, f"{path}.value")
        check_each(self.additionalValues, f"{path}.additionalValues")

    def in_wire_form(self, path: str) -> "Range":
        """Return the same ranges in km."""

        def in_km(value: float) -> float:
            return in_wire_unit(value, Dimension.DISTANCE, self.unit, path)

        more = self.additionalValues
        return Range(
            value=in_km(self.value),
            type=self.type,
            additionalValues=None if more is None else [RangeValue(other.type, in_km(other.value)) for other in more],
            unit="km",
        )


class AvailableCapacity(Document, frozen=True):
    """A capacity with which the model is sold."""

    capacity: Number
    description: str | None = None

    def check(self, path: str) -> None:
        """Check that the capacity is plausible and the description short."""
        within(self.capacity, 0, MAX_ENERGY_KWH, f"{path}.capacity")
        short(self.description, f"{path}.description")


class NominalCapacity(Document, frozen=True):
    """Body of tractionbattery-nominalcapacity: the capacity of the new battery, in kWh."""

    capacity: Number
    source: CapacitySource | None = None
    availableCapacities: list[AvailableCapacity] | None = None  # noqa: N815  (wire name)
    unit: str | None = None

    def check(self, path: str) -> None:
        """Check that every capacity is plausible."""
        within(self.capacity, 0, MAX_ENERGY_KWH, f"{path}.capacity")
        check_each(self.availableCapacities, f"{path}.availableCapacities")

    def in_wire_form(self, path: str) -> "NominalCapacity":
        """Return the same capacities in kWh."""

        def in_kwh(value: float) -> float:
            return in_wire_unit(value, Dimension.ENERGY, self.unit, path)

        more = self.availableCapacities
        return NominalCapacity(
            capacity=in_kwh(self.capacity),
            source=self.source,
            availableCapacities=None
            if more is None
            else [AvailableCapacity(in_kwh(other.capacity), other.description) for other in more],
            unit="kWh",
        )
