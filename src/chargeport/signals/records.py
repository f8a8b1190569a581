"""The body of charge-chargerecords: past sessions with time, energy, place and cost."""

import re
from typing import ClassVar, Final

import msgspec

from chargeport.signals.documents import (
    ChargingType,
    Document,
    Number,
    check_each,
    instant,
    position,
    short,
    within,
)
from chargeport.signals.violation import Rule, Violation

MAX_ENERGY_KWH: Final = 2000  # twice the largest truck battery announced
MAX_AMOUNT: Final = 1_000_000
MAX_READING: Final = 1e9  # of a meter in kWh, or of an odometer in km

_CURRENCY = re.compile(r"[A-Z]{3}")


class Cost(Document, frozen=True):
    """The cost of a session, in units of the currency; below zero at negative prices, or with a credit."""

    currency: str | None = None
    energyAmount: Number | None = None  # noqa: N815  (wire name)
    otherAmount: Number | None = None  # noqa: N815  (wire name)

    def check(self, path: str) -> None:
        """Check that the currency is an ISO 4217 code, and that amounts have one."""
        if self.currency is not None and not _CURRENCY.fullmatch(self.currency):
            raise Violation(Rule.BAD_FORMAT, "a currency is three capital letters, like EUR", f"{path}.currency")
        within(self.energyAmount, -MAX_AMOUNT, MAX_AMOUNT, f"{path}.energyAmount")
        within(self.otherAmount, -MAX_AMOUNT, MAX_AMOUNT, f"{path}.otherAmount")


class Place(Document, frozen=True):
    """The place of a session."""

    name: str | None = None
    address: str | None = None
    latitude: Number | None = None
    longitude: Number | None = None

    def check(self, path: str) -> None:
        """Check that texts are short and coordinates are on Earth."""
        short(self.name, f"{path}.name")
        short(self.address, f"{path}.address")
        position(self.latitude, self.longitude, path)


class ChargeRecord(Document, frozen=True):
    """One charging session; energy and readings of a meter in kWh, charge in percent, distance in km, times in ISO 8601.

    The odometer and the readings of the meter are stored for the list of records, and not written on the wire in this body.
    """

    startTime: str | None = None  # noqa: N815  (wire name)
    endTime: str | None = None  # noqa: N815  (wire name)
    startStateOfCharge: Number | None = None  # noqa: N815  (wire name)
    endStateOfCharge: Number | None = None  # noqa: N815  (wire name)
    energyAdded: Number | None = None  # noqa: N815  (wire name)
    isPublicCharger: bool | None = None  # noqa: N815  (wire name)
    chargingType: ChargingType | None = None  # noqa: N815  (wire name)
    cost: Cost | None = None
    location: Place | None = None
    id: str | None = None
    odometer: Number | None = None
    meterStart: Number | None = None  # noqa: N815  (like the others)
    meterEnd: Number | None = None  # noqa: N815  (like the others)

    def check(self, path: str) -> None:
        """Check that the session starts before it ends, and check every member."""
        started = None if self.startTime is None else instant(self.startTime, f"{path}.startTime")
        ended = None if self.endTime is None else instant(self.endTime, f"{path}.endTime")
        if started and ended and started >= ended:
            raise Violation(Rule.BAD_ORDER, "a session starts before it ends", f"{path}.endTime")
        within(self.startStateOfCharge, 0, 100, f"{path}.startStateOfCharge")
        within(self.endStateOfCharge, 0, 100, f"{path}.endStateOfCharge")
        within(self.energyAdded, 0, MAX_ENERGY_KWH, f"{path}.energyAdded")
        for name in ChargeRecords.kept:
            within(getattr(self, name), 0, MAX_READING, f"{path}.{name}")
        short(self.id, f"{path}.id")
        if self.cost is not None:
            self.cost.check(f"{path}.cost")
        if self.location is not None:
            self.location.check(f"{path}.location")


class ChargeRecords(Document, frozen=True):
    """Body of charge-chargerecords."""

    kept: ClassVar[frozenset[str]] = frozenset({"odometer", "meterStart", "meterEnd"})

    values: list[ChargeRecord]

    def check(self, path: str) -> None:
        """Check every record."""
        check_each(self.values, f"{path}.values")

    def in_wire_form(self, path: str) -> "ChargeRecords":
        """Return the same records with every time in UTC, to the millisecond."""
        return ChargeRecords([_in_utc(record, f"{path}.values[{index}]") for index, record in enumerate(self.values)])


def _in_utc(record: ChargeRecord, path: str) -> ChargeRecord:
    def utc(value: str | None, member: str) -> str | None:
        if value is None:
            return None
        return instant(value, f"{path}.{member}").isoformat(timespec="milliseconds").replace("+00:00", "Z")

    started, ended = utc(record.startTime, "startTime"), utc(record.endTime, "endTime")
    return msgspec.structs.replace(record, startTime=started, endTime=ended)
