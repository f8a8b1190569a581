"""The inputs of the rules for live values: the valid reported values, the open session, and facts of the car."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from chargeport.derive.live.curves import PowerCurve
from chargeport.derive.live.taper import Taper
from chargeport.signals.definition import Signal, Value


class Observed(msgspec.Struct, frozen=True):
    """The newest reported value of a signal, if it is valid now. `observed_at` is the instant of its last report."""

    value: Value
    observed_at: int
    source: str


class Sample(NamedTuple):
    """A measured number and its instant."""

    at: int
    value: float


class CarFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of a car in addition to its reports: from its owner, from the data of its model, or learned from its sessions.

    `capacity_kwh` is the usable capacity, `connector` the inlet (a text of charge-chargingconnectortype), `phases` the maximum
    that its on-board charger loads. `limit_percent` is the charge limit if the car reports none. The efficiencies are those of
    `efficiency.learned`.
    """

    capacity_kwh: float | None = None
    curve: PowerCurve | None = None
    taper: Taper | None = None
    connector: str | None = None
    make: str | None = None
    phases: int | None = None
    limit_percent: float | None = None
    ac_efficiency: float | None = None
    dc_efficiency: float | None = None


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements since a session began: ordered by time, with repeated values.

    `idle_at` is the instant of the last report before without charging, `soc_before` the state of charge then. `power` is the
    reported power in W (empty where only voltage and current are reported), `soc` in percent. `energy_at_start_kwh` and
    `counter` are the readings of a register before the session and now; it measures on the `counter_side`.
    """

    started_at: int
    idle_at: int | None = None
    soc_before: float | None = None
    power: Sequence[Sample] = ()
    voltage: Sequence[Sample] = ()
    amperage: Sequence[Sample] = ()
    soc: Sequence[Sample] = ()
    energy_at_start_kwh: float | None = None
    counter: Sample | None = None
    counter_side: Literal["grid", "battery"] = "grid"


class Context(msgspec.Struct, frozen=True):
    """All inputs of a derivation. `values` are the valid reported values, also of companion signals."""

    values: Mapping[Signal, Observed]
    session: OpenSession | None = None
    car: CarFacts = CarFacts()
