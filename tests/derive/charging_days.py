"""What the tests of sessions share: tracks as the store gives them, made by a plain oracle, and simulated days."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from msgspec.structs import replace

from chargeport.derive.tracks import Piece, Track, Tracks
from chargeport.dialects.simulator import SIMULATOR
from chargeport.ingest.engine import normalise
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal, Value
from chargeport.signals.reading import Reading
from chargeport.sources.simulator import Car, CarProfile, Habits, Place, Reporter

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
T0 = 1_777_600_800_000  # a Friday, 02:00 UTC
LONGEST_RUN = 6 * HOUR  # ADR 0003

CHARGING = BY_CODE["charge-ischarging"]
CABLE = BY_CODE["charge-ischargingcableconnected"]
STATUS = BY_CODE["charge-detailedchargingstatus"]
POWER = BY_CODE["charge-wattage"]
ENERGY = BY_CODE["charge-energyadded"]
SOC = BY_CODE["tractionbattery-stateofcharge"]
FAST = BY_CODE["charge-isfastchargerpresent"]


class Seen(NamedTuple):
    """One report of one signal."""

    signal: Signal
    at: int
    value: Value
    source: str = "car"


def tracks_of(seen: Iterable[Seen], from_at: int | None = None, to_at: int | None = None) -> Tracks:
    """What a store that was told all this gives of a time: of each source the greater value of each instant, in runs, and the
    run before."""
    held: dict[Signal, dict[str, dict[int, Seen]]] = {}
    for one in sorted(seen, key=lambda one: (one.at, str(one.value), one.source)):
        at = held.setdefault(one.signal, {}).setdefault(one.source, {})
        if one.at not in at or one.value > at[one.at].value:  # type: ignore[operator]
            at[one.at] = one
    return {
        signal: Track(
            signal,
            tuple(
                piece
                for source in sorted(by_source)
                for piece in _asked(_pieces(list(by_source[source].values())), from_at, to_at)
            ),
        )
        for signal, by_source in held.items()
    }


def _pieces(ordered: list[Seen]) -> list[Piece]:
    runs: list[list[Seen]] = []
    for one in ordered:
        if runs and runs[-1][0].value == one.value and one.at - runs[-1][0].at <= LONGEST_RUN:
            runs[-1].append(one)
        else:
            runs.append([one])
    return [Piece(run[0].at, run[-1].at, run[0].value, run[0].source, tuple(one.at for one in run)) for run in runs]


def _asked(pieces: list[Piece], from_at: int | None, to_at: int | None) -> list[Piece]:
    start = 0
    if from_at is not None:
        before = [index for index, piece in enumerate(pieces) if piece.observed_at < from_at]
        start = before[-1] if before else 0
    return [piece for piece in pieces[start:] if to_at is None or piece.observed_at < to_at]


def driver(seed: int = 5, **changes: Any) -> Car:
    """A 60 kWh car that commutes, charges at home at 11 kW, and most weekends on the road by DC."""
    home = Place(name="Home", address="1 Example Street", latitude=52.5, longitude=13.4)
    profile = CarProfile(
        id="9b6d1c9e-3b0e-4a39-9d05-111111111111",
        vin="ZZZSYNTH000000001",
        make="ACME",
        model="Test",
        year=2025,
        home=home,
        capacity_kwh=60.0,
        consumption_kwh_per_km=0.16,
        inlet="CCS2",
        onboard_a=16.0,
        onboard_phases=3,
        dc_curve=((0, 80_000), (10, 120_000), (50, 120_000), (80, 50_000), (100, 10_000)),
        fast_charger="CCS",
        habits=Habits(road_trip_probability=0.8),
    )
    return Car(replace(profile, **changes), seed, T0)


def lived(
    car: Car, days: int, every_s: float, *, lost: float = 0.0, late: float = 0.0, source: str = "car", skew_ms: int = 0,
    only: Sequence[Signal] | None = None,
) -> tuple[list[Seen], list[dict[str, Any]]]:  # fmt: skip
    """The reports of some days of a car's life, in order of arrival, and the car's own records of them."""
    reporter = Reporter(car, 1, charging_every_s=every_s, drop_probability=lost, late_probability=late, source=source)
    found: list[Seen] = []
    records: dict[str, dict[str, Any]] = {}
    for day in range(days + 2):
        if day == days + 1:
            car.unplug()  # so that the last session has its record, too, and that is heard of
        for message in reporter.due(T0 + day * DAY):
            readings = [entry for entry in normalise(message, SIMULATOR).entries if isinstance(entry, Reading)]
            found += [
                Seen(each.signal, each.observed_at + skew_ms, each.value, source)
                for each in readings
                if each.signal.code != "charge-chargerecords" and (only is None or each.signal in only)
            ]
        records |= {record["id"]: record for record in car.snapshot()["records"]["values"]}
    return found, list(records.values())


def course(signal: Signal, values: Mapping[int, Value], source: str = "car") -> list[Seen]:
    """A signal's values by minutes since T0."""
    return [Seen(signal, T0 + minute * MINUTE, value, source) for minute, value in values.items()]


def steady(signal: Signal, minutes: range, value: Value, source: str = "car") -> list[Seen]:
    """The same value again and again."""
    return course(signal, dict.fromkeys(minutes, value), source)


def climbing(signal: Signal, minutes: range, start: float, an_hour: float, source: str = "car") -> list[Seen]:
    """A value that grows evenly."""
    return course(signal, {minute: round(start + (minute - minutes[0]) / 60 * an_hour, 2) for minute in minutes}, source)


def repeated(seen: list[Seen], share: float, seed: int) -> list[Seen]:
    """The same with some reports sent again, all in any order."""
    rng = Random(seed)
    again = [*seen, *(one for one in seen if rng.random() < share)]
    rng.shuffle(again)
    return again
