"""The stations of a source, as `chargeport source list` shows them: connected, gone, or refused with the way out."""

from collections.abc import Iterable
from typing import Final

from chargeport.cli.ages import ago, long
from chargeport.runtime.source_status import SourceState
from chargeport.sources.base import StationStatus

COLUMNS: Final = ("source", "station", "how it is")
_SHOWN_MS: Final = 1_000  # a clock that is less off is right


def station_rows(states: Iterable[SourceState], now: int) -> list[tuple[str, str, str]]:
    """Return a row for each station of these sources, by name."""
    return [
        (state.name, station.name, station_sentence(station, now))
        for state in states
        for station in sorted(state.stations, key=lambda station: station.name)
    ]


def station_sentence(station: StationStatus, now: int) -> str:
    """Describe in one line the status of a station, and what its owner can do."""
    times = "once" if station.refusals == 1 else f"{station.refusals} times"
    refused = f"refused {times}, last {ago(station.refused_at, now)}: {station.refused_because}"
    if station.refused_because is not None and not station.is_connected:
        return refused
    since = "" if station.since_at is None else f" since {long((now - station.since_at) / 1000)}"
    found = f"{'connected' if station.is_connected else 'not connected'}{since}"
    found += f", OCPP {station.version}" if station.version else ""
    found += clock_words(station.clock_offset_ms)
    return found if station.refused_because is None else f"{found}; somebody under its name was {refused}"


def clock_words(offset_ms: int | None) -> str:
    """Describe how far a station's clock is off; nothing where it is right or not known.

    >>> clock_words(7_200_000), clock_words(-90_000), clock_words(400), clock_words(None)
    (', its clock is 2 h ahead', ', its clock is 90 s behind', '', '')
    """
    if offset_ms is None or abs(offset_ms) < _SHOWN_MS:
        return ""
    return f", its clock is {long(abs(offset_ms) / 1000)} {'ahead' if offset_ms > 0 else 'behind'}"
