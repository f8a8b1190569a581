"""The definition of a rule: its signal, its inputs with their greatest age and distance in time, and its computation."""

from collections.abc import Callable

import msgspec

from chargeport.derive.live.view import View
from chargeport.signals.definition import Signal, Value

Compute = Callable[[View], Value | None]
"""Return the value; None where the inputs do not determine it."""


class Input(msgspec.Struct, frozen=True):
    """A signal that a rule reads. `max_age_ms` is None for a lasting signal, whose age does not matter."""

    signal: Signal
    max_age_ms: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One way to compute a signal's value, in the signal's unit.

    All `inputs` are needed; those with a greatest age must be within `max_spread_ms` of each other. `optional` inputs are used
    if they meet the same conditions. `series` are signals whose samples of the session are read. Increase `version` with every
    change of the computation.
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
        """The name and version that derived values state, such as `wattage/voltage-amperage@1`."""
        return f"{self.name}@{self.version}"


class Derived(msgspec.Struct, frozen=True):
    """A derived value. `rule` is the label of its rule, `inputs` the reported signals that it was derived from.

    `observed_at` is the newest instant of the inputs with a greatest age; of the lasting ones where there is no other. `inputs`
    is empty for a counter, which is not a signal.
    """

    signal: Signal
    value: Value
    observed_at: int
    rule: str
    inputs: tuple[Signal, ...]
