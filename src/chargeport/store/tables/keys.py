"""The keys of series, and the columns of `latest` and `history` in the order in which records have them."""

from typing import Final

# `slot` is the keys of the vehicle, the signal and the source in one integer: see the schema.
SOURCE_BITS: Final = 20
VEHICLE_SHIFT: Final = SOURCE_BITS + 8
MAX_SOURCES: Final = (1 << SOURCE_BITS) - 1
SERIES: Final = (1 << VEHICLE_SHIFT) - 1
"""The part of a slot with the keys of a signal and a source."""
LATEST: Final = (
    "value, observed_at, changed_at, received_at, position, run_at, absence, absence_at, absence_received_at, rule_key, seen"
)
_FIRST: Final = f"CAST(?1 AS BIGINT) << {VEHICLE_SHIFT}"
OF_VEHICLE: Final = f"vehicle_key = ?1 AND slot BETWEEN {_FIRST} AND ({_FIRST}) + {SERIES}"
OF_SLOT: Final = "vehicle_key = ? AND slot = ?"
"""The row of a series in `latest`."""
COLUMNS: Final = "observed_at, position, received_at, value, absence, last_seen_at, seen, continues, rule_key"  # as in Run
OF: Final = "vehicle_key = ? AND signal_key = ? AND source_key = ?"

SeriesKey = tuple[int, int, int]
"""The keys of a vehicle, a signal and a source."""


def slot_of(vehicle_key: int, signal_key: int, source_key: int) -> int:
    """Return the keys of a series in one integer."""
    return (vehicle_key << VEHICLE_SHIFT) + (signal_key << SOURCE_BITS) + source_key


def key_of(slot: int) -> SeriesKey:
    """Return the keys of a series, from one integer."""
    return slot >> VEHICLE_SHIFT, slot >> SOURCE_BITS & 255, slot & MAX_SOURCES
