"""What a rule is: the signal that it gives, the inputs it needs and how old and far apart they may be, and its computation."""

from collections.abc import Callable

import msgspec

from chargeport.derive.live.view import View
from chargeport.signals.definition import Signal, Value

Compute = Callable[[View], Value | None]
"""Gives the value, or None where the inputs do not tell."""


class Input(msgspec.Struct, frozen=True):
    """A signal that a rule reads. `max_age_ms` is None for what holds, however old, until something changes it."""

    signal: Signal
    max_age_ms: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One way to a signal's value, in the signal's unit.

    All `inputs` are needed and those with an age lie within `max_spread_ms` of each other. `optional` ones are heeded where
    they fulfil the same, `series` are signals whose samples of this session are read. A changed computation is a new `version`.
    """

    name: str
    signal: Signal
    inputs: tuple[Input, ...] = ()
    optional: tuple[Input, ...] = ()
    series: tuple[Signal, ...] = ()
    max_spread_ms: int
    compute: Compute
    version: int = 1

    @property
    def label(self) -> str:
        """Name and version, as a derived value carries them: `wattage/voltage-amperage@1`."""
        return f"{self.name}@{self.version}"


class Derived(msgspec.Struct, frozen=True):
    """A value that follows from others. `rule` is the rule's label, `inputs` the reported signals behind it.

    `observed_at` is the newest instant of the measured inputs; of the lasting ones where there is no other. `inputs` is empty
    for a counter, which is no signal.
    """

    signal: Signal
    value: Value
    observed_at: int
    rule: str
    inputs: tuple[Signal, ...]
