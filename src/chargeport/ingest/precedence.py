"""Which source is believed where two tell of one car: a wallbox measures power, the car knows its battery.

The table is sources 15.9. A value is outranked when a source that is better for this signal gave one shortly before: the
better one is then what is true, and the other one's word is dropped (and counted). Ages are those of the observations.

Limits: it is decided once, as things come in. What the better source observed before but says later does not take back what
was believed in the meantime; of two that come in at the same instant both may be stored, and the newer one holds.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal
from chargeport.signals.reading import Absence, AbsenceReason, Entry
from chargeport.signals.state import State

FRESH_MS: Final = 2 * 60_000
"""How long the better source's word stands before another's is taken: sources 15.9."""

LASTING_FRESH_MS: Final = 24 * 60 * 60_000
"""The same for settings of the car, which it reports on change only: a wallbox's idea of them is second hand."""

CAR, STATION = "car", "station"
DERIVED: Final = "derived:"
"""How the source of what was worked out begins (the name of the rule follows): it stands against nobody's word."""
_BETTER: Final[Mapping[Signal, tuple[str, int]]] = {
    BY_CODE[code]: (side, fresh_ms)
    for side, fresh_ms, codes in (
        (STATION, FRESH_MS, ("charge-voltage", "charge-amperage", "charge-chargerphases", "charge-wattage")),
        (CAR, FRESH_MS, ("tractionbattery-stateofcharge", "tractionbattery-range", "charge-chargerate", "charge-energyadded")),
        (CAR, FRESH_MS, ("charge-timetocomplete", "charge-detailedchargingstatus")),
        (CAR, LASTING_FRESH_MS, ("charge-chargelimits", "charge-chargetimers", "charge-chargingconnectortype")),
        (CAR, LASTING_FRESH_MS, ("charge-ischargingcablelatched", "charge-ischargingportflapopen")),
        (CAR, LASTING_FRESH_MS, ("tractionbattery-nominalcapacity",)),
    )
    for code in codes
}

_EITHER: Final = frozenset({BY_CODE["charge-ischarging"], BY_CODE["charge-ischargingcableconnected"]})
"""True when either source says so: the slower one has not noticed yet."""


class Precedence:
    """Says which entries are outranked.

    `stations` are the sources on the charger's side; `order` names, for a signal, the sources that are believed, best first.
    """

    def __init__(self, stations: frozenset[str], order: Mapping[Signal, Sequence[str]] | None = None) -> None:
        self._stations = stations
        self._order = dict(order or {})
        self.settled: frozenset[tuple[str, Signal]] = frozenset()
        """What the settings file says of cars (by their ids): nobody else's word counts against it."""

    def outranks(self, state: State, entry: Entry) -> bool:
        """Whether what is known, from another source, stands against a new entry."""
        if state.observed_at is None or state.source in (None, entry.source) or str(state.source).startswith(DERIVED):
            return False
        if (entry.vehicle, entry.signal) in self.settled:
            return True
        if isinstance(entry, Absence) and entry.reason is not AbsenceReason.NOT_CHARGING:
            return True  # that this source can't tell takes nothing from what the other one told
        age_ms = entry.observed_at - state.observed_at
        if self.is_either(entry.signal):
            denies = isinstance(entry, Absence) or entry.value is False
            return denies and state.value is True and 0 <= age_ms <= FRESH_MS
        fresh_ms = self._fresh_ms(entry.signal)
        return 0 <= age_ms <= fresh_ms and self._rank(entry.signal, str(state.source)) < self._rank(entry.signal, entry.source)

    def is_either(self, signal: Signal) -> bool:
        """Whether the signal is true as soon as one source says so: a denial may then be right, only early."""
        return signal in _EITHER and signal not in self._order

    def fresh_until(self, state: State) -> int:
        """Until when, by the car's clock, a word stands against other sources'."""
        return (state.observed_at or 0) + self._fresh_ms(state.signal)

    def _fresh_ms(self, signal: Signal) -> int:
        return _BETTER[signal][1] if signal in _BETTER else FRESH_MS

    def _rank(self, signal: Signal, source: str) -> int:
        order = self._order.get(signal)
        if order is not None:
            return order.index(source) if source in order else len(order)
        better = _BETTER.get(signal)
        if better is None:
            return 0
        return 0 if (source in self._stations) is (better[0] == STATION) else 1
