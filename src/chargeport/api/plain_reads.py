"""The most frequent reads, converted from database rows to text with few steps.

A signal is plain if only one source reported it, its value is certainly valid, and the reader may see all of it. Most signals
are. Other signals, and all errors, are answered by `Reads`, which gives the same answers:
`tests/api/test_fast_path_equals_router.py` checks that the two are equal, byte for byte.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from chargeport.api import paging
from chargeport.api.signal_filters import EVERYTHING, Selection
from chargeport.derivation.provenance import PROVENANCE
from chargeport.signals.catalogue import VIN
from chargeport.signals.definition import Cadence, Permission, Signal
from chargeport.signals.effective import FLAG_KEYS, Effective, FlagReporter, is_undisputed
from chargeport.store.immediate import Immediate
from chargeport.store.records import VehicleSeries
from chargeport.store.sql import Row
from chargeport.wire import envelope

_ORDER: Final = tuple(signal.key for signal in EVERYTHING.signals)

Chosen = Callable[[VehicleSeries, Selection, frozenset[Permission], int], Sequence[Effective]]


class _Series(NamedTuple):
    """The constant properties of a series. `named` are the members of meta for its source."""

    signal_key: int
    source_key: int
    source: str
    cadence: Cadence
    live_for_ms: int
    form: envelope.Form
    named: str


class PlainReads:
    """Write documents of signals. `chosen` computes the effective states of signals that are not plain."""

    def __init__(self, readings: Immediate, chosen: Chosen) -> None:
        self._readings = readings
        self._chosen = chosen
        self._freshness = readings.freshness
        self._known: dict[int, _Series] = {}

    def one(self, vehicle_id: str, signal: Signal, permissions: frozenset[Permission], base: str, now: int) -> str | None:
        """Return the document of a plain signal; None if it is not plain or does not exist."""
        found = self._readings.sole(vehicle_id, signal)
        if found is None or signal.key not in envelope.fully_visible(permissions):
            return None
        vehicle, number, value, observed_at, received_at, absence_at, rule_key, flag_reporter = found
        if self._readings.freshness is not self._freshness:
            self._forget()
        _, source_key, source, cadence, live_for_ms, form, named = self._known.get(number) or self._note(number)
        if not is_undisputed(cadence, source_key, observed_at, absence_at, live_for_ms, flag_reporter, now):
            return None
        if rule_key is not None:
            named = PROVENANCE.members(source, self._readings.rule(rule_key))
        path = envelope.signals_path(vehicle, base)
        return envelope.single(
            envelope.plain(form, value, observed_at or 0, received_at, live_for_ms, named, path), vehicle, base
        )

    def every(self, vehicle_id: str, permissions: frozenset[Permission], base: str, now: int) -> str | None:
        """Return the document of all signals of a vehicle, also those that are not plain; None if there are none."""
        found = self._readings.rows_of(vehicle_id)
        if found is None:
            return None
        vehicle, rows, flag_reporter = found
        path = envelope.signals_path(vehicle, base)
        elements = self._plain(rows, flag_reporter, envelope.fully_visible(permissions), path, now)
        if vehicle.vin is not None:  # a fact, which is effective in addition to reported values
            elements[VIN.key] = None
        rest = {key for key, element in elements.items() if element is None}
        if rest:
            wanted = rest.union(FLAG_KEYS)
            known = [row for row in rows if self._known[row[0]].signal_key in wanted]
            selection = Selection([signal for signal in EVERYTHING.signals if signal.key in rest], None)
            view = envelope.View(vehicle, permissions, base, PROVENANCE)
            for each in self._chosen(VehicleSeries(vehicle, self._readings.series(known)), selection, permissions, now):
                elements[each.state.signal.key] = view.element(each)
        shown = [element for key in _ORDER if (element := elements.get(key)) is not None]
        meta, links = paging.text(paging.single_page(len(shown))), paging.text({"self": path})
        return envelope.listed(shown, meta, links, vehicle, base)

    def _plain(
        self, rows: Sequence[Row], flag_reporter: FlagReporter, seen: frozenset[int], path: str, now: int
    ) -> dict[int, str | None]:
        """Return the plain signals among those of the rows as resources, by key; None for each of the others."""
        if self._readings.freshness is not self._freshness:
            self._forget()
        elements: dict[int, str | None] = {}
        known = self._known
        for number, value, observed_at, _, received_at, _, _, absence_at, _, rule_key in rows:
            key, source_key, source, cadence, live_for_ms, form, named = known.get(number) or self._note(number)
            if (
                key in elements
                or key not in seen
                or not is_undisputed(cadence, source_key, observed_at, absence_at, live_for_ms, flag_reporter, now)
            ):
                elements[key] = None
                continue
            if rule_key is not None:
                named = PROVENANCE.members(source, self._readings.rule(rule_key))
            elements[key] = envelope.plain(form, value, observed_at, received_at, live_for_ms, named, path)
        return elements

    def _forget(self) -> None:
        """Discard the cached properties: the validity of values has changed."""
        self._freshness, self._known = self._readings.freshness, {}

    def _note(self, number: int) -> _Series:
        found = self._readings.named(number)
        signal, source = found.signal, found.source
        self._known[number] = series = _Series(
            signal.key, found.source_key, source, signal.cadence, found.live_for_ms, envelope.FORMS[signal.key],
            PROVENANCE.members(source, None),
        )  # fmt: skip
        return series
