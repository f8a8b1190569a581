"""Which source is preferred for a signal: by the settings, else by what a station and a car know best."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.state import State

DERIVED: Final = "derived"
"""The source of what Chargeport worked out itself."""

SETTINGS: Final = "settings"
"""The source of what the settings file says of a car: preferred to all others."""

DERIVED_FIRST: Final = frozenset({BY_CODE["charge-chargerecords"]})
"""Signals whose derived value contains the reported ones, and the sessions that no source reported."""

SETTING_OF_CAR_MS: Final = 24 * 60 * 60_000
"""How long a setting of the car is preferred to a newer one of a lesser source: the car reports it on change only."""

_STATION, _CAR = True, False
_PREFERRED: Final[Mapping[Signal, bool]] = {
    BY_CODE[code]: side
    for side, codes in (
        (_STATION, ("charge-voltage", "charge-amperage", "charge-chargerphases", "charge-wattage")),
        (_CAR, ("tractionbattery-stateofcharge", "tractionbattery-range", "tractionbattery-nominalcapacity")),
        (_CAR, ("charge-chargerate", "charge-energyadded", "charge-timetocomplete", "charge-detailedchargingstatus")),
        (_CAR, ("charge-chargelimits", "charge-chargetimers", "charge-chargingconnectortype")),
        (_CAR, ("charge-ischargingcablelatched", "charge-ischargingportflapopen")),
    )
    for code in codes
}
_SETTINGS_OF_CAR: Final = frozenset(
    BY_CODE[code]
    for code in (
        "charge-chargelimits", "charge-chargetimers", "charge-chargingconnectortype", "charge-ischargingcablelatched",
        "charge-ischargingportflapopen", "tractionbattery-nominalcapacity",
    )
)  # fmt: skip
_EITHER: Final = frozenset({IS_CHARGING, CABLE_CONNECTED})


def of_source(series: Mapping[int, Sequence[State]], source: str) -> dict[int, tuple[State, ...]]:
    """Return the series of one source alone."""
    found = {key: tuple(state for state in states if state.source == source) for key, states in series.items()}
    return {key: states for key, states in found.items() if states}


def is_derived(source: str | None) -> bool:
    """Return whether a source is Chargeport itself."""
    return source == DERIVED


class Ranks:
    """The order of sources for each signal.

    `order` names the preferred sources of a signal, best first. `stations` are the sources on the charger's side; all others
    are on the car's.
    """

    __slots__ = ("_order", "_stations")

    def __init__(self, order: Mapping[Signal, Sequence[str]] | None = None, stations: Collection[str] = ()) -> None:
        self._order = {signal: tuple(sources) for signal, sources in (order or {}).items()}
        self._stations = frozenset(stations)

    def rank(self, signal: Signal, source: str | None) -> int:
        """Return the index of a source in the order for a signal; 0 is the best after the settings file and the car's facts."""
        if source is None or source == SETTINGS:
            return -1
        order = self._order.get(signal)
        if order is not None:
            return order.index(source) if source in order else len(order)
        side = _PREFERRED.get(signal)
        return 0 if side is None or self.is_station(source) is side else 1

    def is_station(self, source: str | None) -> bool:
        """Return whether a source is on the charger's side."""
        return source in self._stations

    def is_either(self, signal: Signal) -> bool:
        """Return whether a signal is true as soon as one source says so; not where the settings name an order for it."""
        return signal in _EITHER and signal not in self._order

    def preferred_for_ms(self, state: State) -> int | None:
        """Return for how long after its last report a series is preferred to a newer one of a lesser source; None: for good."""
        if state.source == SETTINGS:
            return None
        if state.signal.cadence is not Cadence.LIVE and (state.signal in self._order or state.signal in _SETTINGS_OF_CAR):
            return SETTING_OF_CAR_MS
        return state.live_for_ms
