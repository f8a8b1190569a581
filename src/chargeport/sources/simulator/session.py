"""One charging session, from the first current after plugging in to the last before unplugging.

Pauses with the cable in place (a timer, a fault, a raised limit) belong to the session. Its end becomes a charge record.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from chargeport.sources.simulator.place import Tariff
from chargeport.sources.simulator.station import Station

MILLISECONDS_PER_HOUR = 3_600_000

SHORTEST_KWH = 0.05
"""Less than this is a handshake, not a session; cars store no record of it."""


@dataclass(slots=True)
class Session:
    """The energy of a session so far; `meter_kwh` is that of the grid side, which tariffs are based on."""

    station: Station
    started_at: int
    ended_at: int
    start_kwh: float
    meter_kwh: float = 0.0


def wire_instant(at: int) -> str:
    """Return an instant as charge records write it.

    >>> wire_instant(1697398200000)
    '2023-10-15T19:30:00.000Z'
    """
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(session: Session, vehicle_id: str, end_kwh: float, capacity_kwh: float) -> dict[str, Any] | None:
    """Return the record of a session that ended at `end_kwh` in the battery, or None if it was too short for one.

    Its id is a hash of the vehicle and the start, so that simulating a day twice gives the same records.
    """
    energy_kwh = end_kwh - session.start_kwh
    if energy_kwh < SHORTEST_KWH:
        return None
    station = session.station
    started = wire_instant(session.started_at)
    entry: dict[str, Any] = {
        "id": f"CHG-{started[:10].replace('-', '')}-{uuid5(NAMESPACE_URL, vehicle_id + started).hex[:8].upper()}",
        "startTime": started,
        "endTime": wire_instant(session.ended_at),
        "startStateOfCharge": round(100 * session.start_kwh / capacity_kwh, 1),
        "endStateOfCharge": round(100 * end_kwh / capacity_kwh, 1),
        "energyAdded": round(energy_kwh, 2),
        "chargingType": station.kind,
        "isPublicCharger": station.public,
    }
    if station.place is not None:
        entry["location"] = msgspec.to_builtins(station.place)
    if station.tariff is not None:
        entry["cost"] = _cost(station.tariff, session.meter_kwh)
    return entry


def _cost(tariff: Tariff, meter_kwh: float) -> dict[str, Any]:
    return {
        "currency": tariff.currency,
        "energyAmount": round(tariff.price_per_kwh * meter_kwh, 2),
        "otherAmount": tariff.session_fee,
    }
