"""What holds of derived values whatever is reported."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.derive.live import curves
from chargeport.derive.live.inputs import CarFacts, Context, Observed, OpenSession, Sample
from chargeport.derive.live.rules import RULES, derive
from chargeport.derive.live.taper import Taper, TaperCurve
from chargeport.signals import bodies, wire
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Kind, Signal, Value

T0 = 1_777_629_600_000
DAY = 86_400_000
FLOW = [BY_CODE[f"charge-{name}"] for name in ("voltage", "amperage", "wattage")]

percent = st.floats(0, 100)
documents: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "charge-chargelimits": st.one_of(
        st.fixed_dictionaries({"activeLimit": percent}),
        st.builds(lambda limit: {"values": [{"type": "GLOBAL", "limit": limit}]}, percent),
        st.just({"values": []}),
    ),
    "tractionbattery-nominalcapacity": st.builds(lambda kwh: {"capacity": kwh}, st.floats(0, 2000)),
    "tractionbattery-range": st.builds(lambda km: {"value": km}, st.floats(0, 5000)),
}


def values_of(signal: Signal) -> st.SearchStrategy[Value]:
    """Any value that the signal can have."""
    match signal.kind:
        case Kind.FLAG:
            return st.booleans()
        case Kind.TEXT:
            known = st.sampled_from(signal.known) if signal.known else st.nothing()
            return known | st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20)
        case Kind.COUNT:
            return st.integers(int(signal.minimum or 0), int(signal.maximum or 0))
        case Kind.QUANTITY:
            return st.floats(signal.minimum, signal.maximum) | st.just(0)
        case _:
            return documents.get(signal.code, st.just(signal.example)).map(lambda body: bodies.parse(signal, body))


def observed(signal: Signal) -> st.SearchStrategy[Observed]:
    ages = st.sampled_from([0, 0, 0, 1_000, 100_000, 1_000_000]) | st.integers(-DAY, DAY)
    return st.builds(lambda value, age: Observed(value, T0 - age, "box"), values_of(signal), ages)


def samples(high: float) -> st.SearchStrategy[list[Sample]]:
    steps = st.lists(st.tuples(st.integers(0, 2_000_000), st.floats(0, high)), max_size=8)

    def laid_out(parts: list[tuple[int, float]]) -> list[Sample]:
        at, course = T0 - sum(step for step, _ in parts), []
        for step, value in parts:
            at += step
            course.append(Sample(at, value))
        return course

    return steps.map(laid_out)


sessions = st.builds(
    OpenSession,
    started_at=st.integers(T0 - DAY, T0),
    idle_at=st.none() | st.integers(T0 - DAY, T0),
    power=samples(4_000_000),
    voltage=samples(1500),
    amperage=samples(3000),
    soc=samples(100),
    energy_at_start_kwh=st.none() | st.floats(0, 1e6),
    counter=st.none() | st.builds(Sample, st.just(T0), st.floats(0, 1e6)),
    counter_side=st.sampled_from(["grid", "battery"]),
)
cars = st.builds(
    CarFacts,
    capacity_kwh=st.none() | st.floats(0, 500),
    curve=st.none() | st.just(curves.curve([(0, 1.0), (100, 300_000)])),
    connector=st.none() | st.sampled_from(["J1772", "Type 2", "?"]),
    make=st.none() | st.sampled_from(["Tesla", "ACME"]),
    phases=st.none() | st.sampled_from([1, 2, 3]),
    limit_percent=st.none() | percent,
)
scattered = st.builds(
    Context,
    st.fixed_dictionaries({}, optional={signal: observed(signal) for signal in CATALOGUE}),
    st.none() | sessions,
    cars,
)


@st.composite
def charging(draw: st.DrawFn) -> Context:
    """A car in the middle of a session, all of it fresh, with some of its signals missing."""
    codes = ["charge-chargelimits", "charge-chargerphases", "charge-isfastchargerpresent", "tractionbattery-range"]
    drawn = {BY_CODE[code]: draw(values_of(BY_CODE[code])) for code in codes if draw(st.integers(0, 4))}
    voltage_v, current_a = draw(st.floats(80, 1000)), draw(st.floats(0, 500))
    soc_percent, minutes = draw(percent), draw(st.integers(1, 90))
    now: dict[Signal, Value] = dict(zip(FLOW, (voltage_v, current_a, voltage_v * current_a), strict=True))
    now |= {BY_CODE["charge-ischarging"]: True, BY_CODE["tractionbattery-stateofcharge"]: soc_percent}
    kept = {signal: value for signal, value in now.items() if draw(st.integers(0, 3))} | drawn
    instants = [T0 - n * 60_000 for n in range(minutes, -1, -1)]
    session = OpenSession(
        started_at=instants[0],
        power=[Sample(at, voltage_v * current_a) for at in instants] if FLOW[2] in kept else (),
        voltage=[Sample(at, voltage_v) for at in instants],
        amperage=[Sample(at, current_a) for at in instants],
        soc=[Sample(at, max(0.0, soc_percent - (T0 - at) / 600_000)) for at in instants],
    )
    car = msgspec.structs.replace(draw(cars), taper=draw(st.sampled_from([None, TAPER])))
    return Context({signal: Observed(value, T0, "box") for signal, value in kept.items()}, session, car)


COURSE = TaperCurve(((1.0, 1.0), (50.0, 0.8), (99.0, 0.1)), 200_000.0)
TAPER = Taper(ac=COURSE, dc=COURSE)
contexts = scattered | charging()


@given(contexts)
def test_whatever_is_reported_each_missing_signal_is_derived_once_or_not_at_all(context: Context) -> None:
    found = derive(context, T0)
    signals = [each.signal for each in found]
    assert len(set(signals)) == len(signals)
    assert not set(signals) & context.values.keys()


@given(contexts)
def test_every_derived_value_is_one_that_the_signal_can_have_and_says_where_it_comes_from(context: Context) -> None:
    sampled = {
        BY_CODE[code] for code in ("charge-wattage", "charge-voltage", "charge-amperage", "tractionbattery-stateofcharge")
    }
    labels = {rule.label: rule.signal for rule in RULES}
    for each in derive(context, T0):
        assert bodies.parse(each.signal, wire.body(each.signal, each.value).encode()) == each.value
        assert labels[each.rule] == each.signal
        assert set(each.inputs) <= context.values.keys() | sampled
        assert each.inputs or each.rule == "energyadded/counter@1"


@given(contexts)
def test_the_same_scene_gives_the_same_whatever_the_order_of_its_values(context: Context) -> None:
    backwards = msgspec.structs.replace(context, values=dict(reversed(context.values.items())))
    assert derive(backwards, T0) == derive(context, T0)


@given(contexts)
def test_nothing_measured_a_day_ago_makes_a_live_value_but_that_nothing_charges_without_a_cable(context: Context) -> None:
    old = {signal: Observed(each.value, T0 - DAY, each.source) for signal, each in context.values.items()}
    live = {*FLOW, BY_CODE["charge-ischarging"]}
    found = [each for each in derive(Context(old, None, context.car), T0) if each.signal in live]
    assert [each.rule for each in found if each.value is not False] == []


mains = st.floats(90, 277)
packs = st.floats(200, 950)


flows = st.one_of(
    st.tuples(st.just(False), mains, st.floats(3, 80), st.sampled_from([1, 2, 3])),
    st.tuples(st.just(True), packs, st.floats(3, 500), st.just(1)),
)


@given(flows, st.sampled_from([1, 2, 3]), st.sampled_from(FLOW))
def test_power_is_voltage_times_current_times_phases_whichever_of_them_is_derived(
    flow: tuple[bool, float, float, int], phases: int, hidden: Signal
) -> None:
    dc, voltage_v, current_a, count = flow
    whole: dict[Signal, Value] = dict(zip(FLOW, (voltage_v, current_a, voltage_v * current_a * count), strict=True))
    whole |= {BY_CODE["charge-isfastchargerpresent"]: dc, BY_CODE["charge-chargerphases"]: phases if dc else count}
    values = {signal: Observed(value, T0, "box") for signal, value in whole.items() if signal is not hidden}
    found = {each.signal: each.value for each in derive(Context(values), T0)}
    volts, amperes, watts = (float((whole | found)[signal]) for signal in FLOW)
    assert hidden in found
    assert watts == pytest.approx(volts * amperes * count, rel=0.005, abs=1)


@given(st.integers(120_001, DAY), st.sampled_from(FLOW[:2]))
def test_a_voltage_and_a_current_of_different_times_make_no_power(apart_ms: int, older: Signal) -> None:
    values = {
        FLOW[0]: Observed(230, T0, "box"),
        FLOW[1]: Observed(16, T0, "box"),
        BY_CODE["charge-isfastchargerpresent"]: Observed(False, T0, "box"),
        BY_CODE["charge-chargerphases"]: Observed(3, T0, "box"),
    }
    assert FLOW[2] in {each.signal for each in derive(Context(values), T0)}
    values[older] = msgspec.structs.replace(values[older], observed_at=T0 - apart_ms)
    assert FLOW[2] not in {each.signal for each in derive(Context(values), T0)}
