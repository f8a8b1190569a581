"""What the rules are given: the reported values that stand, the session that is open, and what is known of the car itself."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from chargeport.derive.live.curves import PowerCurve
from chargeport.derive.live.taper import Taper
from chargeport.signals.definition import Signal, Value


class Observed(msgspec.Struct, frozen=True):
    """The newest reported value of a signal, where it stands now. `observed_at` is when it was last confirmed."""

    value: Value
    observed_at: int
    source: str


class Sample(NamedTuple):
    """A measured number and its instant."""

    at: int
    value: float


class CarFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a car apart from its reports: from its owner, from data of its model, learnt from its sessions.

    `capacity_kwh` is what can be used of the battery, `connector` the inlet (a text of charge-chargingconnectortype), `phases`
    how many its own charger loads at most. `limit_percent` is where charging stops if the car reports no limit. The
    efficiencies are what reaches the battery of what the car draws, as `efficiency.learnt` gives them.
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
    """What was measured since a session began: in order of time, repeats included, nothing from before.

    `idle_at` is the last report before that did not charge yet. `power` is in W as reported (leave it empty where only
    voltage and current are), `soc` in percent. `energy_at_start_kwh` and `counter` are a counter that never falls, before the
    first energy and now; it counts on the `counter_side`.
    """

    started_at: int
    idle_at: int | None = None
    power: Sequence[Sample] = ()
    voltage: Sequence[Sample] = ()
    amperage: Sequence[Sample] = ()
    soc: Sequence[Sample] = ()
    energy_at_start_kwh: float | None = None
    counter: Sample | None = None
    counter_side: Literal["grid", "battery"] = "grid"


class Context(msgspec.Struct, frozen=True):
    """All that a derivation may look at. `values` are the reported ones that stand, companions included."""

    values: Mapping[Signal, Observed]
    session: OpenSession | None = None
    car: CarFacts = CarFacts()
