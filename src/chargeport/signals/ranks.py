"""The order of sources for each signal: by the settings, else by which signals stations and cars measure best."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import LIVE, Signal
from chargeport.signals.state import Series, State

DERIVED: Final = "derived"
"""The source of derived values."""

SETTINGS: Final = "settings"
"""The source of values from the settings file: preferred to all others."""

DERIVED_FIRST: Final = frozenset({BY_CODE["charge-chargerecords"]})
"""Signals whose derived value contains the reported ones, and the sessions that no source reported."""

SETTING_OF_CAR_MS: Final = 24 * 60 * 60_000
"""How long a setting of the car is preferred to a newer one of a lower source: the car reports it on change only."""

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


def of_source(series: Series, source: str) -> dict[int, tuple[State, ...]]:
    """Return the series of one source alone."""
    own = {key: tuple(state for state in states if state.source == source) for key, states in series.items()}
    return {key: states for key, states in own.items() if states}


def reported_of(series: Series, signal: Signal) -> State | None:
    """Return the newest reported series of a signal; None where none was reported."""

    def newest(state: State) -> tuple[int, str]:
        return max(state.observed_at or 0, state.absence_at or 0), state.source or ""

    return max((state for state in series.get(signal.key, ()) if not is_derived(state.source)), key=newest, default=None)


def derived_of(series: Series, signal: Signal) -> State | None:
    """Return the derived series of a signal; None where there is none."""
    return next((state for state in series.get(signal.key, ()) if is_derived(state.source)), None)


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
        """Return the rank of a source for a signal, best first: -1 for the settings file and facts of the car, then from 0."""
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
        """Return whether a signal is true as soon as one source reports it; not if the settings have an order for it."""
        return signal in _EITHER and signal not in self._order

    def preferred_for_ms(self, state: State) -> int | None:
        """Return for how many ms after its last report a series is preferred to newer ones of lower sources; None: forever."""
        if state.source == SETTINGS:
            return None
        if state.signal.cadence is not LIVE and (state.signal in self._order or state.signal in _SETTINGS_OF_CAR):
            return SETTING_OF_CAR_MS
        return state.live_for_ms
