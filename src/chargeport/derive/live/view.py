"""The view of a context that one rule has: its own inputs only. It records which of them the rule reads."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from chargeport.derive.live.inputs import CarFacts, OpenSession, Sample
from chargeport.signals.battery import NominalCapacity, Range
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal, Value
from chargeport.signals.documents import Document
from chargeport.signals.limits import ChargeLimits

AMPERAGE: Final = BY_CODE["charge-amperage"]
LIMITS: Final = BY_CODE["charge-chargelimits"]
RATE: Final = BY_CODE["charge-chargerate"]
PHASES: Final = BY_CODE["charge-chargerphases"]
CONNECTOR: Final = BY_CODE["charge-chargingconnectortype"]
STATUS: Final = BY_CODE["charge-detailedchargingstatus"]
ENERGY_ADDED: Final = BY_CODE["charge-energyadded"]
CHARGING: Final = BY_CODE["charge-ischarging"]
CABLE: Final = BY_CODE["charge-ischargingcableconnected"]
FAST: Final = BY_CODE["charge-isfastchargerpresent"]
TIME: Final = BY_CODE["charge-timetocomplete"]
VOLTAGE: Final = BY_CODE["charge-voltage"]
WATTAGE: Final = BY_CODE["charge-wattage"]
SOC: Final = BY_CODE["tractionbattery-stateofcharge"]
CAPACITY: Final = BY_CODE["tractionbattery-nominalcapacity"]
RANGE: Final = BY_CODE["tractionbattery-range"]

DocumentT = TypeVar("DocumentT", bound=Document)
_EMPTY: Final = OpenSession(started_at=0)


class Known(NamedTuple):
    """A value with the newest and the oldest instant of its inputs, and the reported signals that it was derived from."""

    value: Value
    newest_at: int
    oldest_at: int
    reported: tuple[Signal, ...]


class View:
    """The inputs of a rule by signal, and the samples of some of them. `used` are the signals that were read."""

    def __init__(self, values: Mapping[Signal, Known], session: OpenSession | None, car: CarFacts) -> None:
        self._values = values
        self._session = session
        self.car = car
        self.used: set[Signal] = set()
        self.sampled: dict[Signal, int] = {}
        """The instant of the last sample of each signal whose samples were read."""
        self.counted_at: int | None = None

    @property
    def session(self) -> OpenSession | None:
        """Return the open session, for its times; its samples are read through `samples`."""
        return self._session

    def _value(self, signal: Signal) -> Value | None:
        if (known := self._values.get(signal)) is None:
            return None
        self.used.add(signal)
        return known.value

    def number(self, signal: Signal) -> float | None:
        """Return the value of a quantity or count; None where it is unknown."""
        value = self._value(signal)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def flag(self, signal: Signal) -> bool | None:
        """Return the value of a flag; None where it is unknown."""
        value = self._value(signal)
        return value if isinstance(value, bool) else None

    def text(self, signal: Signal) -> str | None:
        """Return the value of a text; None where it is unknown."""
        value = self._value(signal)
        return value if isinstance(value, str) else None

    def at(self, signal: Signal) -> int | None:
        """Return the newest instant of a value; None where it is unknown."""
        known = self._values.get(signal)
        return None if known is None else known.newest_at

    def samples(self, signal: Signal, *, dated: bool = True) -> Sequence[Sample]:
        """Return the samples of the open session, if any. `dated`: the derived value is as old as the last of them."""
        session = self._session or _EMPTY
        found = {WATTAGE: session.power, VOLTAGE: session.voltage, AMPERAGE: session.amperage, SOC: session.soc}[signal]
        if found:
            self.used.add(signal)
            if dated:
                self.sampled[signal] = found[-1].at
        return found

    def capacity_kwh(self) -> float | None:
        """Return the capacity of the battery: the configured one, else the nominal one; None where neither is known."""
        if self.car.capacity_kwh is not None:
            self._value(CAPACITY)  # a reported capacity is among the facts of the car, too
            return self.car.capacity_kwh if self.car.capacity_kwh > 0 else None
        document = self._document(CAPACITY, NominalCapacity)
        return document.capacity if document is not None and document.capacity > 0 else None

    def range_km(self) -> float | None:
        """Return the range of the car; None where it is unknown."""
        document = self._document(RANGE, Range)
        return None if document is None else document.value

    def limit_percent(self) -> float | None:
        """Return the charge limit: the active one, the only one, or the one in the settings; None where it is unknown."""
        document = self._document(LIMITS, ChargeLimits)
        if document is None:
            return self.car.limit_percent
        if document.activeLimit is not None:
            return document.activeLimit
        values = document.values or []
        return values[0].limit if len(values) == 1 and values[0].type == "GLOBAL" else self.car.limit_percent

    def _document(self, signal: Signal, kind: type[DocumentT]) -> DocumentT | None:
        text = self.text(signal)
        if text is None:
            return None
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
