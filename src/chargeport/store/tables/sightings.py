"""All reports, in order: read row by row in one snapshot, so that memory does not depend on the size."""

from collections.abc import Iterator
from typing import Final

from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import AbsenceReason
from chargeport.store.history.latest import Latest
from chargeport.store.history.reading import Seen
from chargeport.store.history.reading import sightings as seen_in
from chargeport.store.history.runs import ALWAYS
from chargeport.store.records import Selection, Sighting, Stretch
from chargeport.store.sql import Connection, fetch
from chargeport.store.tables import rows
from chargeport.store.tables.keys import LATEST, OF_VEHICLE
from chargeport.store.tables.series import Series

STRETCH: Final = 1000  # sightings returned at once

_LATEST: Final = f"SELECT signal_key, source_key, {LATEST} FROM latest WHERE {OF_VEHICLE}"


class Pass:
    """One pass over a snapshot."""

    def __init__(self, connection: Connection, selection: Selection) -> None:
        self._connection = connection
        self._selection = selection
        self._start = -ALWAYS if selection.start is None else selection.start
        self._end = ALWAYS if selection.end is None else selection.end
        self._sources: dict[int, str] = dict(fetch(connection, "SELECT key, name FROM sources"))

    def stretches(self) -> Iterator[Stretch]:
        """Yield all sightings, some at a time; nothing when there is none."""
        cars = self._vehicles()
        gathered: list[Sighting] = []
        for number, (vehicle_id, vehicle_key) in enumerate(cars):
            series = self._series(vehicle_key)
            for index, (signal, source, source_key, latest) in enumerate(series):
                found = Series(self._connection, (vehicle_key, signal.key, source_key), latest)
                runs = found.every(self._start, self._end)
                for seen in seen_in(runs, latest, self._start, self._end, every=self._selection.every):
                    gathered.append(_sighting(vehicle_id, signal, source, seen))
                    if len(gathered) == STRETCH:
                        yield Stretch(gathered, (number + (index + 0.5) / len(series)) / len(cars))
                        gathered = []
        if gathered:
            yield Stretch(gathered, 1.0)

    def _vehicles(self) -> list[tuple[str, int]]:
        """Return id and key of the selected vehicles, by id."""
        wanted = self._selection.vehicle_ids
        if wanted is None:
            found = fetch(self._connection, "SELECT id, key FROM vehicles ORDER BY id")
        else:
            by_id = "SELECT id, key FROM vehicles WHERE id = ?"
            found = [row for each in sorted(wanted) for row in fetch(self._connection, by_id, (each,))]
        return [(row[0], row[1]) for row in found]

    def _series(self, vehicle_key: int) -> list[tuple[Signal, str, int, Latest]]:
        """Return the selected series of a car, by code and source; not derived ones: they follow from what is written."""
        known = fetch(self._connection, _LATEST, (vehicle_key,))
        found = [(BY_KEY[row[0]], self._sources[row[1]], row[1], Latest(*row[2:])) for row in known]
        wanted = self._selection.signals
        found = [each for each in found if each[1] != DERIVED and (wanted is None or each[0] in wanted)]
        return sorted(found, key=lambda each: (each[0].code, each[1]))


def _sighting(vehicle_id: str, signal: Signal, source: str, seen: Seen) -> Sighting:
    value = rows.value(signal.key, seen.value)
    absence = None if seen.absence is None else AbsenceReason(seen.absence)
    return Sighting(vehicle_id, signal, seen.at, value, absence, seen.received_at, source)
