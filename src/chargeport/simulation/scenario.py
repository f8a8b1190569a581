"""Scenarios: TOML files with cars, events, and the values that a client then reads.

Times are relative to the start (`after = "PT2H"`), or the next occurrence of a local time at the first car's home
(`at = "22:30"`). `scenarios/` has the built-in ones; tests check their `[[sees]]`.
"""

import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from chargeport.dialects.simulator import SIMULATOR
from chargeport.errors import MALFORMED, Problem, instead_of
from chargeport.signals import instants
from chargeport.signals.catalogue import BY_CODE
from chargeport.sources.simulator import Car, CarProfile, Limit, Place, Reporter, Tariff, models
from chargeport.sources.simulator.demo_cars import vin
from chargeport.sources.simulator.timers import timers_from_the_wire

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
MAX_CARS: Final = 1_000
_MODELS: Final[Mapping[str, CarProfile]] = {
    "grand": models.GRAND, "tourer": models.TOURER_800, "runabout": models.RUNABOUT, "frontier": models.FRONTIER,
    "piccola": models.PICCOLA, "fjord": models.FJORD,
}  # fmt: skip
_HOME: Final = Place(name="Home", address="1 Example Street, Lisbon", latitude=38.72, longitude=-9.14)
_FIELDS: Final = {row.signal.code: row.fields[0] for row in SIMULATOR.rows}

_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]
_Percent = Annotated[float, Meta(ge=0, le=100)]
_LocalTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class CarPart(_Part, frozen=True, kw_only=True):
    """A car and its state at the start."""

    name: _Name
    id: str | None = None
    model: Literal["grand", "tourer", "runabout", "frontier", "piccola", "fjord"] = "runabout"
    soc: _Percent = 50.0
    home: str | None = None
    limit: _Percent | None = None
    timers: list[dict[str, Any]] = []
    tariff: Tariff | None = None
    not_capable: list[str] = []
    report_every_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    sleep_after_min: Annotated[float, Meta(gt=0)] | None = None
    utc_offset_min: Annotated[int, Meta(ge=-840, le=840)] = 0


class _Timed(_Part, frozen=True, kw_only=True):
    """An entry with a time and a car, by default the first one."""

    after: str | None = None
    at: _LocalTime | None = None
    car: str | None = None

    def check(self, names: Sequence[str]) -> None:
        """Check the entry; `names` are those of the cars. Raises Problem."""
        self.instant(0, 0)
        if self.car is not None and self.car not in names:
            raise Problem(MALFORMED, f"there is no car {self.car!r}: {instead_of(self.car, names)}.")

    def instant(self, start_at: int, utc_offset_min: int) -> int:
        """Return the time in milliseconds since the epoch. Raises Problem."""
        if (self.after is None) == (self.at is None):
            raise Problem(MALFORMED, 'give after = "PT2H" or at = "22:30", one of the two.')
        if self.at is not None:
            return next_at(start_at, self.at, utc_offset_min)
        duration_ms = instants.duration_ms(self.after or "")
        if duration_ms is None:
            raise Problem(MALFORMED, f"after: {str(self.after)[:40]!r} is no duration: write PT90S, PT30M or PT2H.")
        return start_at + duration_ms


class EventPart(_Timed, frozen=True, kw_only=True):
    """An event: an action (`do`, `with`) on a car, a `fault`, or the removal of all faults."""

    do: str | None = None
    body: dict[str, Any] = msgspec.field(default_factory=dict, name="with")
    fault: dict[str, Any] | None = None
    clear_faults: bool = False

    def check(self, names: Sequence[str]) -> None:
        """Check that the event has one effect. Raises Problem."""
        super().check(names)
        if (self.do is not None) + (self.fault is not None) + self.clear_faults != 1:
            raise Problem(MALFORMED, "an event has do, fault or clear_faults = true: one of the three.")


class SightPart(_Timed, frozen=True, kw_only=True):
    """What a client sees: the value of a signal, its minimum or maximum, or an error as `TYPE/CODE`."""

    signal: str
    text: str
    value: bool | float | str | None = None
    least: float | None = None
    most: float | None = None
    error: str | None = None

    def check(self, names: Sequence[str]) -> None:
        """Check the signal, and that there is an expectation. Raises Problem."""
        super().check(names)
        if self.signal not in BY_CODE:
            raise Problem(MALFORMED, f"there is no signal {self.signal!r}: {instead_of(self.signal, BY_CODE)}.")
        if (self.value, self.least, self.most, self.error) == (None,) * 4:
            raise Problem(MALFORMED, "name the expectation: value, least, most or error.")


class Scenario(_Part, frozen=True, kw_only=True):
    """The contents of a file."""

    name: _Name
    summary: str
    cars: Annotated[list[CarPart], Meta(min_length=1, max_length=MAX_CARS)]
    start: _LocalTime | None = None
    places: dict[str, Place] = {}
    events: list[EventPart] = []
    sees: list[SightPart] = []

    def start_at(self, now: int) -> int:
        """Return when it starts: now, or at the next local time `start` at the first car's home."""
        return now if self.start is None else next_at(now, self.start, self.cars[0].utc_offset_min)

    def reporters(self, at: int) -> dict[str, Reporter]:
        """Return the cars in their states at the start, by name. Raises Problem."""
        return {car.name: self._reporter(index, car, at) for index, car in enumerate(self.cars)}

    def _reporter(self, index: int, car: CarPart, at: int) -> Reporter:
        if car.home is not None and car.home not in self.places:
            raise Problem(
                MALFORMED, f"scenario: {car.name}: there is no place {car.home!r}: {instead_of(car.home, self.places)}."
            )
        origin = f"chargeport:{self.name}:{car.name}"
        try:
            profile = replace(
                _MODELS[car.model],
                id=str(uuid.UUID(car.id) if car.id else uuid.uuid5(uuid.NAMESPACE_URL, origin)),
                vin=vin(_seed(self.name), index),
                home=_HOME if car.home is None else self.places[car.home],
                tariff=car.tariff,
                start_soc_percent=car.soc,
                limits=() if car.limit is None else (Limit(type="GLOBAL", limit=car.limit),),
                timers=timers_from_the_wire(car.timers),
                not_capable=tuple(_field(code) for code in car.not_capable),
                sleep_after_min=car.sleep_after_min,
                utc_offset_min=car.utc_offset_min,
            )
        except ValueError as error:
            raise Problem(MALFORMED, f"scenario: {car.name}: {error}") from None
        seed = _seed(origin)
        return Reporter(Car(profile, seed, at), seed, charging_every_s=car.report_every_s)


class RunningScenario(NamedTuple):
    """A scenario that runs: its start, and its cars' ids by name."""

    scenario: Scenario
    start_at: int
    ids: dict[str, str]

    def car(self, name: str | None) -> str:
        """Return the id of a car by its name, by default of the first one."""
        return self.ids[name] if name is not None else next(iter(self.ids.values()))

    def instant(self, timed: EventPart | SightPart) -> int:
        """Return the time of an entry. Raises Problem."""
        return timed.instant(self.start_at, self.scenario.cars[0].utc_offset_min)


def parsed(text: str) -> Scenario:
    """Return the scenario in a TOML text. Raises Problem."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Problem(MALFORMED, f"scenario: {error}.") from None
    names = [car.name for car in scenario.cars]
    if len(set(names)) < len(names):
        raise Problem(MALFORMED, "scenario: two cars have one name.")
    for table, parts in (("events", scenario.events), ("sees", scenario.sees)):
        for index, part in enumerate(parts):
            with located(table, index):
                part.check(names)
    return scenario


@contextmanager
def located(table: str, index: int) -> Iterator[None]:
    """Prefix a Problem of the block with the entry of the file, counted from 0."""
    try:
        yield
    except Problem as problem:
        raise Problem(MALFORMED, f"scenario: {table}[{index}]: {problem}") from None


@cache
def library() -> Mapping[str, Scenario]:
    """Return the built-in scenarios by name."""
    files = [file for file in resources.files(__package__).joinpath("scenarios").iterdir() if file.name.endswith(".toml")]
    scenarios = [parsed(file.read_text("utf-8")) for file in sorted(files, key=lambda file: file.name)]
    return {scenario.name: scenario for scenario in scenarios}


def ready(name: str) -> Scenario:
    """Return a built-in scenario by its name. Raises Problem."""
    if name not in library():
        raise Problem(MALFORMED, f"There is no scenario {name[:60]!r}: {instead_of(name, library())}.")
    return library()[name]


def named(name: str) -> Scenario:
    """Return a built-in scenario by its name, or that of a file by its path. Raises Problem."""
    if not name.endswith(".toml"):
        return ready(name)
    try:
        return parsed(Path(name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(MALFORMED, f"The scenario {name} can't be read: {error}.") from None


def next_at(at: int, local_time: str, utc_offset_min: int) -> int:
    """Return the first instant from `at` on with this local time."""
    hours, minutes = local_time.split(":")
    time_ms = (int(hours) * 60 + int(minutes) - utc_offset_min) * MINUTE_MS
    return at + (time_ms - at) % DAY_MS


def _field(code: str) -> str:
    if code not in _FIELDS:
        raise ValueError(f"not_capable: {code!r} is no signal of a simulated car: {instead_of(code, _FIELDS)}")
    return _FIELDS[code]


def _seed(text: str) -> int:
    return uuid.uuid5(uuid.NAMESPACE_URL, text).int & 0xFFFF_FFFF
