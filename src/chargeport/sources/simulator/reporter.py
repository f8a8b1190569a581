"""The reports of a car: when it reports, how exactly it measures, and what is lost or late on the way.

A first report has all fields; so does one after a change of state and, while idle, one an hour. In between, a charging
car sends every few seconds the fields that change, and an idle one that is awake repeats it every two minutes, so that a
car that sends nothing is asleep or unreachable. An absent field does not affect earlier values, but `charging`, `plugged`
and `status` in the same report do. Messages depend on car and seed alone, not on how often `due` is called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Any

from chargeport.sources.base import RawMessage
from chargeport.sources.simulator.car import Car
from chargeport.sources.simulator.profile import CarProfile
from chargeport.sources.simulator.snapshot import LIVE_FIELDS

DIALECT = "simulator"

CHARGING_EVERY_S = 10.0
AWAKE_EVERY_S = 120.0
"""Live values are valid for five minutes at the least: an idle car that is awake may lose a report."""
WHOLE_EVERY_S = 3_600.0

VOLTAGE_NOISE = 0.002
CURRENT_NOISE = 0.004
"""Relative standard deviations of the samples of sensors in cars."""
WIDEST_NOISE = 3.0

LATE_BY_CADENCES = (1.5, 6.0)
"""A late report comes after at least one newer one, and before the values have expired."""


@dataclass(slots=True)
class Link:
    """The transmission of a car's reports: each number may be changed at any time.

    A report that is late arrives after newer ones. Before `silent_until_at` none arrives: it is lost, or, if `is_kept`,
    arrives then with all others.
    """

    drop_probability: float = 0.0
    late_probability: float = 0.0
    repeat_probability: float = 0.0
    latency_ms: int = 0
    silent_until_at: int = 0
    is_kept: bool = False


class Reporter:
    """Turns the states of a car into messages.

    `prelude` are the events of the car before its first report; it runs when the car is first needed, so that creating
    thousands of reporters costs nothing.
    """

    def __init__(
        self,
        car: Car,
        seed: int,
        *,
        charging_every_s: float = CHARGING_EVERY_S,
        drop_probability: float = 0.0,
        late_probability: float = 0.0,
        noise: bool = True,
        source: str = "simulator",
        prelude: Callable[[Car], None] | None = None,
    ) -> None:
        self.source = source
        self._car = car
        self._prelude = prelude
        self._rng = Random(f"{seed}:{car.profile.id}:reports")
        self._charging_every_ms = round(charging_every_s * 1000)
        self._awake_every_ms = round(AWAKE_EVERY_S * 1000)
        self.link = Link(drop_probability, late_probability)
        self._noise = noise
        self._changes = 0
        self.reported_at = -1
        self._next_at = 0
        self._whole_at = 0
        self._first_reported_at: int | None = None
        self._under_way: list[tuple[int, int, RawMessage]] = []
        self._sent = 0
        self._held_back: list[tuple[dict[str, Any], int]] = []

    @property
    def profile(self) -> CarProfile:
        """The profile of the car, without simulating its past."""
        return self._car.profile

    @property
    def car(self) -> Car:
        """The car itself, for its controls; advance it to the present before using one."""
        if self._prelude is not None:
            prelude, self._prelude = self._prelude, None
            prelude(self._car)
        return self._car

    def due(self, to_at: int) -> list[RawMessage]:
        """Advance the car to `to_at`; return the messages that have arrived by then, in order of arrival.

        Nothing arrives before the instant of the first call: reception begins there.
        """
        if self._first_reported_at is None:
            self._first_reported_at = to_at
            self._open(self.car)
        while self._report_is_due(self.car, to_at):
            self._report(self.car)
        self._release(to_at)
        arrived = []
        while self._under_way and self._under_way[0][0] <= to_at:
            arrived.append(heappop(self._under_way)[2])
        return arrived

    def _open(self, car: Car) -> None:
        """Send the first report, which is never lost; of a sleeping car, its state when it fell asleep."""
        observed_at = car.at if car.asleep_at is None else car.asleep_at
        fields = self._measured(car.snapshot())
        not_capable = car.profile.not_capable
        if not_capable:
            fields["not_capable"] = list(not_capable)
        self._send(fields, observed_at, car.at)
        self._reported(car, whole=True)

    def _report_is_due(self, car: Car, to_at: int) -> bool:
        """Advance the car to its next report, or to `to_at`; return which."""
        while True:
            if car.asleep_at is not None:
                self._changes = car.changes
            elif car.changes != self._changes or car.at >= self._next_at:
                return True
            if car.at >= to_at:
                return False
            car.step(to_at if car.asleep_at is not None else min(to_at, self._next_at))

    def _report(self, car: Car) -> None:
        fields = self._measured(car.snapshot())
        whole = car.changes != self._changes or (car.status != "CHARGING" and car.at >= self._whole_at)
        if not whole:
            fields = {name: fields[name] for name in LIVE_FIELDS if name in fields}
        link = self.link
        is_silent = car.at < link.silent_until_at
        dropped = self._rng.random() < link.drop_probability or (is_silent and not link.is_kept)
        late = self._rng.random() < link.late_probability
        delay_ms = round(self._rng.uniform(*LATE_BY_CADENCES) * self._every_ms(car)) if late else 0
        repeated = link.repeat_probability > 0 and self._rng.random() < link.repeat_probability
        self._release(car.at)
        if is_silent and not dropped:
            self._held_back.append((fields, car.at))
        elif not dropped:
            self._send(fields, car.at, car.at + delay_ms + link.latency_ms)
            if repeated:
                self._send(fields, car.at, car.at + delay_ms + link.latency_ms + 1_000)
        self._reported(car, whole=whole)

    def _release(self, at: int) -> None:
        """Send the reports that were held back while the link was down, once it is up."""
        if at < self.link.silent_until_at:
            return
        for fields, observed_at in self._held_back:
            self._send(fields, observed_at, self.link.silent_until_at)
        self._held_back.clear()

    def _reported(self, car: Car, *, whole: bool) -> None:
        self._changes = car.changes
        self.reported_at = car.at
        self._next_at = car.at + self._every_ms(car)
        if whole:
            self._whole_at = car.at + round(WHOLE_EVERY_S * 1000)

    def _every_ms(self, car: Car) -> int:
        return self._charging_every_ms if car.status == "CHARGING" else self._awake_every_ms

    def _send(self, fields: dict[str, Any], observed_at: int, arrives_at: int) -> None:
        message = RawMessage(
            source=self.source,
            dialect=DIALECT,
            vehicle=self.profile.id,
            fields=fields,
            received_at=max(arrives_at, self._first_reported_at or 0),
            observed_at=observed_at,
        )
        self._sent += 1
        heappush(self._under_way, (arrives_at, self._sent, message))

    def _measured(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Add noise to voltage and current as sensors do; compute power and rate from them, so that they are consistent.

        Current only varies downwards: a charger regulates below its set point, never above it.
        """
        if not (self._noise and fields.get("charging") and {"voltage_v", "current_a", "power_w"} <= fields.keys()):
            return fields
        voltage_v = round(fields["voltage_v"] * (1 + VOLTAGE_NOISE * self._gauss()), 1)
        current_a = round(fields["current_a"] * (1 - CURRENT_NOISE * abs(self._gauss())), 1)
        # Not the field `phases`: not every car reports how many it charges on.
        phases = round(fields["power_w"] / (fields["voltage_v"] * fields["current_a"]))
        power_w = round(voltage_v * current_a * phases)
        measured = {"voltage_v": voltage_v, "current_a": current_a, "power_w": power_w}
        if "rate_km_h" in fields:
            measured["rate_km_h"] = round(fields["rate_km_h"] * power_w / max(1, fields["power_w"]), 1)
        return fields | measured

    def _gauss(self) -> float:
        return max(-WIDEST_NOISE, min(WIDEST_NOISE, self._rng.gauss(0, 1)))
