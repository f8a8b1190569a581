"""The cars, places and instants that the simulator's tests share."""

from datetime import UTC, datetime
from typing import Any

from chargeport.sources.simulator import Car, CarProfile, Place, Station, Tariff

HOUR = 3_600_000
MINUTE = 60_000
SECOND = 1_000

HOME = Place(name="Home", address="1 Example Street", latitude=52.5, longitude=13.4)
AWAY = Place(name="Away", address="2 Example Street", latitude=48.1, longitude=11.6)

WALLBOX = Station(kind="AC", phases=3, limit_a=16, place=HOME, tariff=Tariff(currency="EUR", price_per_kwh=0.3))
FAST = Station(kind="DC", power_w=150_000, place=AWAY, public=True)


def at(text: str) -> int:
    """Epoch milliseconds of "2026-03-02 21:00", UTC (a Monday)."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


MONDAY = at("2026-03-02 12:00")


def profile(**changes: Any) -> CarProfile:
    """A plain 60 kWh car that takes 16 A on three phases, 120 kW on DC, and lives on UTC."""
    defaults: dict[str, Any] = {
        "id": "9b6d1c9e-3b0e-4a39-9d05-111111111111",
        "vin": "ZZZSYNTH000000001",
        "make": "ACME",
        "model": "Test",
        "year": 2025,
        "home": HOME,
        "capacity_kwh": 60.0,
        "consumption_kwh_per_km": 0.16,
        "inlet": "CCS2",
        "onboard_a": 16.0,
        "onboard_phases": 3,
        "dc_curve": ((0, 80_000), (10, 120_000), (50, 120_000), (80, 50_000), (100, 10_000)),
        "fast_charger": "CCS",
    }
    return CarProfile(**(defaults | changes))


def car(started_at: int = MONDAY, **changes: Any) -> Car:
    """A car of that profile, parked at home."""
    return Car(profile(**changes), 1, started_at)


def charging_car(station: Station = WALLBOX, **changes: Any) -> Car:
    """A car a minute into charging at a station."""
    charging = car(**changes)
    charging.plug(station)
    charging.advance(charging.at + MINUTE)
    assert charging.status == "CHARGING"
    return charging


def run_until(moving: Car, status: str, hours: float = 24) -> None:
    """Advance a car second by second of its events until it has a status."""
    end_at = moving.at + round(hours * HOUR)
    while moving.status != status:
        assert moving.at < end_at, f"still {moving.status}, not {status}"
        moving.step(end_at)
