"""The table of all rules for live values, and their application. The rules of a signal are in the order of their rank.

Signals that can only be guessed have no rule: colour, latch, flap, limits, timers, the requested current, cost.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from chargeport.derive.live import completion, electrics, energy, flags
from chargeport.derive.live.inputs import Context
from chargeport.derive.live.rule import Compute, Derived, Input, Rule
from chargeport.derive.live.view import (
    AMPERAGE,
    CABLE,
    CAPACITY,
    CHARGING,
    CONNECTOR,
    ENERGY_ADDED,
    FAST,
    LIMITS,
    PHASES,
    RANGE,
    RATE,
    SOC,
    STATUS,
    TIME,
    VOLTAGE,
    WATTAGE,
    Known,
    View,
)
from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.signals import wire
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Dimension, Signal, Value
from chargeport.signals.state import LIVE_FOR_MS

CLOSE_MS: Final = 2 * MINUTE_MS
"""The greatest distance in time of measurements of one flow: two clocks differ by up to this (docs/evidence/charging.md)."""
RATE_AGE_MS: Final = 20 * MINUTE_MS
"""Rates and times are of the present; the slowest sources report every 15 minutes."""
SOC_AGE_MS: Final = HOUR_MS

_A, _V, _W = (Input(signal, LIVE_FOR_MS) for signal in (AMPERAGE, VOLTAGE, WATTAGE))
_RATE, _NOW_CHARGING = Input(WATTAGE, RATE_AGE_MS), Input(CHARGING, LIVE_FOR_MS)
_FAST, _PHASES, _CABLE, _LIMITS = Input(FAST), Input(PHASES), Input(CABLE), Input(LIMITS)
_SOC, _CAPACITY, _CONNECTOR = Input(SOC, SOC_AGE_MS), Input(CAPACITY), Input(CONNECTOR)
_STATUS_NOW, _STATUS = Input(STATUS, LIVE_FOR_MS), Input(STATUS)

_FLAGS: Final = (
    Rule(
        name="ischargingcableconnected/detailedchargingstatus", signal=CABLE, inputs=(_STATUS,),
        max_spread_ms=CLOSE_MS, compute=flags.cable_by_status,
    ),
    Rule(
        name="ischargingcableconnected/ischarging", signal=CABLE, inputs=(_NOW_CHARGING,),
        max_spread_ms=CLOSE_MS, compute=flags.cable_by_charging,
    ),
    Rule(
        name="ischargingcableconnected/isfastchargerpresent", signal=CABLE, inputs=(_FAST,),
        max_spread_ms=CLOSE_MS, compute=flags.cable_by_fast_charger,
    ),
    Rule(
        name="ischarging/detailedchargingstatus", signal=CHARGING, inputs=(_STATUS_NOW,), optional=(_W,),
        max_spread_ms=CLOSE_MS, compute=flags.charging_by_status,
    ),
    Rule(
        name="ischarging/wattage", signal=CHARGING, inputs=(_W, _CABLE),
        optional=(Input(SOC, LIVE_FOR_MS), _LIMITS, _CAPACITY), series=(WATTAGE, SOC),
        max_spread_ms=LIVE_FOR_MS, compute=flags.charging_by_power,
    ),
    Rule(
        name="ischarging/stateofcharge", signal=CHARGING, inputs=(Input(SOC, LIVE_FOR_MS), _CABLE), series=(SOC,),
        max_spread_ms=CLOSE_MS, compute=flags.charging_by_soc,
    ),
    Rule(
        name="ischarging/ischargingcableconnected", signal=CHARGING, inputs=(_CABLE,),
        optional=(Input(WATTAGE), Input(AMPERAGE)), max_spread_ms=CLOSE_MS, compute=flags.charging_by_cable,
    ),
    Rule(
        name="isfastchargerpresent/ischargingcableconnected", signal=FAST, inputs=(_CABLE,),
        max_spread_ms=CLOSE_MS, compute=flags.fast_by_cable,
    ),
    Rule(
        name="isfastchargerpresent/voltage", signal=FAST, inputs=(_V,), optional=(_W, _PHASES, _CABLE),
        max_spread_ms=CLOSE_MS, compute=flags.fast_by_voltage,
    ),
    Rule(
        name="isfastchargerpresent/amperage", signal=FAST, inputs=(_A, _CABLE),
        max_spread_ms=CLOSE_MS, compute=flags.fast_by_amperage,
    ),
    Rule(
        name="isfastchargerpresent/wattage", signal=FAST, inputs=(_W, _CABLE), optional=(_PHASES,),
        max_spread_ms=CLOSE_MS, compute=flags.fast_by_wattage,
    ),
)  # fmt: skip

_FLOW: Final = (
    Rule(
        name="chargerphases/chargingconnectortype", signal=PHASES, inputs=(_CABLE,), optional=(_FAST, _CONNECTOR),
        series=(VOLTAGE,), max_spread_ms=CLOSE_MS, compute=electrics.phases_by_make,
    ),
    Rule(
        name="chargerphases/wattage-voltage-amperage", signal=PHASES, optional=(_FAST,), series=(WATTAGE, VOLTAGE, AMPERAGE),
        max_spread_ms=CLOSE_MS, compute=electrics.phases_by_power,
    ),
    Rule(
        name="wattage/voltage-amperage-phases", signal=WATTAGE, inputs=(_V, _A, _FAST, _PHASES),
        max_spread_ms=CLOSE_MS, compute=electrics.wattage_ac,
    ),
    Rule(
        name="wattage/voltage-amperage", signal=WATTAGE, inputs=(_V, _A, _FAST),
        max_spread_ms=CLOSE_MS, compute=electrics.wattage_dc,
    ),
    Rule(
        name="amperage/wattage-voltage-phases", signal=AMPERAGE, inputs=(_W, _V, _FAST, _PHASES),
        max_spread_ms=CLOSE_MS, compute=electrics.amperage_ac,
    ),
    Rule(
        name="amperage/wattage-voltage", signal=AMPERAGE, inputs=(_W, _V, _FAST),
        max_spread_ms=CLOSE_MS, compute=electrics.amperage_dc,
    ),
    Rule(
        name="voltage/wattage-amperage-phases", signal=VOLTAGE, inputs=(_W, _A, _PHASES), optional=(_FAST,),
        max_spread_ms=CLOSE_MS, compute=electrics.voltage_ac,
    ),
    Rule(
        name="voltage/wattage-amperage", signal=VOLTAGE, inputs=(_W, _A, _FAST),
        max_spread_ms=CLOSE_MS, compute=electrics.voltage_dc,
    ),
)  # fmt: skip


def _energy(name: str, compute: Compute, *series: Signal) -> Rule:
    return Rule(
        name=f"energyadded/{name}", signal=ENERGY_ADDED, optional=(_FAST, _PHASES, _CAPACITY, _LIMITS), series=series,
        max_spread_ms=CLOSE_MS, compute=compute,
    )  # fmt: skip


_SESSION: Final = (
    _energy("counter", energy.energy_by_counter, VOLTAGE),
    _energy("wattage-integral", energy.energy_by_integral, WATTAGE, VOLTAGE),
    _energy("voltage-amperage-integral", energy.energy_by_product, VOLTAGE, AMPERAGE),
    _energy("wattage-integral-with-gaps", energy.energy_by_bridged_integral, WATTAGE, VOLTAGE),
    _energy("voltage-amperage-integral-with-gaps", energy.energy_by_bridged_product, VOLTAGE, AMPERAGE),
    _energy("stateofcharge", energy.energy_by_soc, SOC),
    Rule(
        name="chargerate/wattage-range", signal=RATE, inputs=(_RATE, _SOC, Input(RANGE, SOC_AGE_MS)),
        optional=(_FAST, _A, _CAPACITY), max_spread_ms=5 * MINUTE_MS, compute=energy.charge_rate,
    ),
)  # fmt: skip


def _time(name: str, compute: Compute) -> Rule:
    return Rule(
        name=f"timetocomplete/{name}", signal=TIME, inputs=(_RATE, _SOC, _NOW_CHARGING),
        optional=(_FAST, _LIMITS, _A, _PHASES, _CAPACITY), series=(WATTAGE, VOLTAGE, AMPERAGE),
        max_spread_ms=HOUR_MS, compute=compute,
    )  # fmt: skip


RULES: Final[tuple[Rule, ...]] = (
    *_FLAGS,
    *_FLOW,
    *_SESSION,
    _time("wattage-learnt-ac", completion.minutes_ac_learned),
    _time("wattage-ac", completion.minutes_ac),
    _time("wattage-curve", completion.minutes_dc_curve),
    _time("wattage-learnt-dc", completion.minutes_dc_learned),
)

_DIGITS: Final = {Dimension.CURRENT: 2, Dimension.VOLTAGE: 1, Dimension.ENERGY: 2, Dimension.SPEED: 1}
_ORDER: Final = {signal: index for index, signal in enumerate(CATALOGUE)}


def derive(context: Context, now: int) -> list[Derived]:
    """Return the derived values of a context at `now`: one for each signal without a valid reported value, by its first rule.

    A derived value is an input of other rules; they are applied until no new value follows.
    """
    known = {
        signal: Known(each.value, each.observed_at, each.observed_at, (signal,)) for signal, each in context.values.items()
    }
    found: list[Derived] = []
    while True:
        before = len(found)
        for rule in RULES:
            if rule.signal not in known and (result := _apply(rule, known, context, now)) is not None:
                known[rule.signal], derived = result
                found.append(derived)
        if len(found) == before:
            return found


def _apply(rule: Rule, known: Mapping[Signal, Known], context: Context, now: int) -> tuple[Known, Derived] | None:
    """Return the value of a rule, as an input of other rules and as a derived value; None where it has none."""
    visible = _visible(rule, known, now)
    if visible is None:
        return None
    view = View(visible, context.session, context.car)
    value = _bounded(rule.signal, rule.compute(view))
    if value is None:
        return None
    aged = {each.signal for each in (*rule.inputs, *rule.optional) if each.max_age_ms is not None}
    used = [visible[signal] for signal in view.used if signal in visible]
    sampled = [*view.sampled.values(), *([] if view.counted_at is None else [view.counted_at])]
    measured = [visible[signal] for signal in view.used & aged if signal in visible]
    newest = [each.newest_at for each in measured] + sampled or [each.newest_at for each in used]
    oldest = [each.oldest_at for each in measured] + sampled or [each.oldest_at for each in used]
    if not newest:
        return None
    reported = _in_order({signal for each in used for signal in each.reported} | view.sampled.keys())
    return (
        Known(value, max(newest), min(oldest), reported),
        Derived(rule.signal, value, max(newest), rule.label, reported),
    )


def _visible(rule: Rule, known: Mapping[Signal, Known], now: int) -> dict[Signal, Known] | None:
    """Return the inputs of a rule; None where a needed one is missing, too old, or too distant in time from the others."""
    visible: dict[Signal, Known] = {}
    instants: list[int] = []
    for needed in rule.inputs:
        found = known.get(needed.signal)
        if found is None or not _is_fresh(needed, found, now):
            return None
        visible[needed.signal] = found
        instants += _instants(needed, found)
    if instants and max(instants) - min(instants) > rule.max_spread_ms:
        return None
    for optional in rule.optional:
        found = known.get(optional.signal)
        if found is not None and _is_fresh(optional, found, now):
            all_instants = instants + _instants(optional, found)
            if not all_instants or max(all_instants) - min(all_instants) <= rule.max_spread_ms:
                visible[optional.signal] = found
    return visible


def _is_fresh(rule_input: Input, found: Known, now: int) -> bool:
    return rule_input.max_age_ms is None or now - found.oldest_at <= rule_input.max_age_ms


def _instants(rule_input: Input, found: Known) -> list[int]:
    return [] if rule_input.max_age_ms is None else [found.newest_at, found.oldest_at]


def _bounded(signal: Signal, value: Value | None) -> Value | None:
    """Return the value rounded as the API shows it; None outside the bounds of the signal."""
    if value is None or isinstance(value, bool | str):
        return value
    if not math.isfinite(value):
        return None
    rounded = wire.canonical(float(round(value, _DIGITS.get(signal.dimension, 0) if signal.dimension else 0)))
    low, high = signal.minimum, signal.maximum
    return rounded if low is not None and high is not None and low <= rounded <= high else None


def _in_order(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    return tuple(sorted(signals, key=_ORDER.__getitem__))
