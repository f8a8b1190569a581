"""Two sources of one car: whose word counts, for how long, and what becomes of the other's."""

import asyncio

import pytest

from chargeport.clock import ManualClock
from chargeport.derivation import worker as derivation
from chargeport.errors import SettingError
from chargeport.ingest import rivals
from chargeport.ingest.dialects import STATIONS, ordered
from chargeport.ingest.precedence import DERIVED, FRESH_MS, LASTING_FRESH_MS, Precedence
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Absence, AbsenceReason, Reading
from chargeport.store.protocols import Store
from feeding import CAR, T0, intake, said, value

S = 1000
SOC = "tractionbattery-stateofcharge"


@pytest.mark.parametrize(
    ("code", "better", "worse"),
    [("wattage", "wallbox", "car"), ("voltage", "wallbox", "car"), ("energyadded", "car", "wallbox"), (SOC, "car", "wallbox")],
)
async def test_the_better_source_stands_for_two_minutes_then_the_other_one_is_believed(
    store: Store, code: str, better: str, worse: str
) -> None:
    whole = intake(store, ManualClock(T0 + 600 * S))
    await whole.take([said({code: 10}, source=better, at=T0)])
    taken = await whole.take([said({code: 11}, source=worse, at=T0 + FRESH_MS)])
    assert (taken.outranked, taken.stored) == (1, 0)
    assert await value(store, code) == (10, better)
    await whole.take([said({code: 12}, source=worse, at=T0 + FRESH_MS + 1)])
    assert await value(store, code) == (12, worse)
    await whole.take([said({code: 13}, source=better, at=T0 + FRESH_MS + 2)])
    assert await value(store, code) == (13, better)


async def test_a_setting_of_the_car_stands_for_a_day(store: Store) -> None:
    whole = intake(store, ManualClock(T0 + 2 * LASTING_FRESH_MS))
    await whole.take([said({"charge-chargelimits": 80}, source="car")])
    assert (await whole.take([said({"charge-chargelimits": 90}, source="wallbox", at=T0 + LASTING_FRESH_MS)])).outranked == 1
    assert (await whole.take([said({"charge-chargelimits": 90}, source="wallbox", at=T0 + LASTING_FRESH_MS + 1)])).stored == 1


async def test_of_two_equal_sources_the_newer_word_holds(store: Store) -> None:
    whole = intake(store, ManualClock(T0 + 60 * S))
    await whole.take([said({"wattage": 1}, source="car")])
    await whole.take([said({"wattage": 2}, source="app", at=T0 + S)])
    assert await value(store, "wattage") == (2, "app")


async def test_what_the_better_source_says_late_takes_nothing_back_but_is_kept_in_history(store: Store) -> None:
    whole = intake(store, ManualClock(T0 + 60 * S))
    await whole.take([said({"wattage": 1}, source="car", at=T0 + 30 * S)])
    taken = await whole.take([said({"wattage": 2}, source="wallbox", at=T0)])
    assert taken.outcomes == {"superseded": 1}
    assert await value(store, "wattage") == (1, "car")


async def test_an_older_word_of_the_worse_source_goes_into_history(store: Store) -> None:
    whole = intake(store, ManualClock(T0 + 60 * S))
    await whole.take([said({"wattage": 2}, source="wallbox", at=T0 + 30 * S)])
    assert (await whole.take([said({"wattage": 1}, source="car", at=T0)])).outcomes == {"superseded": 1}


async def test_a_session_begins_with_the_first_that_notices_and_a_slow_denial_waits(store: Store) -> None:
    clock = ManualClock(T0)
    whole = intake(store, clock)
    await whole.take([said({"ischarging": True}, source="wallbox")])
    clock.move(10)
    assert (await whole.take([said({"ischarging": False}, source="car", at=clock.now())])).outranked == 1
    clock.move(20)
    await whole.take([said({"ischarging": True}, source="car", at=clock.now())])
    clock.move(300)
    assert await whole.reconsider() == 0, "the car has noticed, and so has nothing to deny"
    assert await value(store, "ischarging") == (True, "car")


async def test_a_denial_that_was_said_once_holds_when_the_other_word_has_grown_old(store: Store) -> None:
    clock = ManualClock(T0)
    whole = intake(store, clock)
    await whole.take([said({"ischarging": True}, source="car")])
    clock.move(60)
    await whole.take([said({"ischarging": False}, source="wallbox", at=clock.now())])
    clock.move(59)
    assert await whole.reconsider() == 0
    assert await value(store, "ischarging") == (True, "car")
    clock.move(1)
    assert await whole.reconsider() == 1
    assert await value(store, "ischarging") == (False, "wallbox")
    found = await store.readings.signal(CAR.id, BY_CODE["charge-ischarging"])
    assert found is not None
    assert found.states[BY_CODE["charge-ischarging"].key].changed_at == T0 + 60 * S
    assert await whole.reconsider() == 0


async def test_who_said_so_may_deny_it_at_once(store: Store) -> None:
    whole = intake(store, ManualClock(T0 + 60 * S))
    await whole.take([said({"ischarging": True}, source="car")])
    await whole.take([said({"wattage": 7000}, source="wallbox", at=T0 + S)])
    await whole.take([said({"ischarging": False}, source="car", at=T0 + 2 * S)])
    assert await value(store, "ischarging") == (False, "car")


async def test_denials_that_wait_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "MAX_WAITING", 1)
    clock = ManualClock(T0)
    whole = intake(store, clock)
    both = {"ischarging": True, "charge-ischargingcableconnected": True}
    await whole.take([said(both, source="car")])
    await whole.take([said(dict.fromkeys(both, False), source="wallbox")])
    clock.move(1000)
    assert await whole.reconsider() == 1


async def test_that_one_source_can_not_tell_hides_nothing_that_another_told(store: Store) -> None:
    signal = BY_CODE["charge-voltage"]
    told = Reading(CAR.id, signal, 231, T0, T0, "car")
    await store.readings.write([told])
    found = await store.readings.signal(CAR.id, signal)
    assert found is not None
    state, precedence = found.states[signal.key], Precedence(STATIONS)
    for reason in AbsenceReason:
        absence = Absence(CAR.id, signal, reason, T0 + 86_400 * S, T0, "app")
        assert precedence.outranks(state, absence) is (reason is not AbsenceReason.NOT_CHARGING)
        assert not precedence.outranks(state, Absence(CAR.id, signal, reason, T0, T0, "car"))


async def test_the_settings_may_name_another_order(store: Store) -> None:
    order = ordered({"charge-wattage": ["app", "car"], "charge-ischarging": ["car"]}, {"app", "car"})
    whole = intake(store, ManualClock(T0 + 60 * S), precedence=Precedence(STATIONS, order))
    await whole.take([said({"wattage": 1, "ischarging": False}, source="car")])
    await whole.take([said({"wattage": 2, "ischarging": True}, source="evcc", at=T0 + S)])
    assert await value(store, "wattage") == (1, "car")
    assert await value(store, "ischarging") == (False, "car")
    await whole.take([said({"wattage": 3}, source="app", at=T0 + 2 * S)])
    assert await value(store, "wattage") == (3, "app")


@pytest.mark.parametrize(("order", "named"), [({"wattage": ["car"]}, "wattage"), ({"charge-wattage": ["cra"]}, "cra")])
def test_an_order_of_what_is_not_there_stops_the_start(order: dict[str, list[str]], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        ordered(order, {"car"})


async def test_what_was_derived_stands_against_nobody(store: Store) -> None:
    assert derivation.PREFIX == DERIVED
    await store.readings.write([Reading(CAR.id, BY_CODE["tractionbattery-range"], '{"value":1}', T0, T0, f"{DERIVED}x")])
    whole = intake(store, ManualClock(T0 + 60 * S))
    assert (await whole.take([said({"tractionbattery-range": 300}, source="wallbox", at=T0 + S)])).stored == 1


async def test_a_car_of_one_source_is_not_looked_up_each_time(store: Store) -> None:
    looked_up = []

    class Watched:
        def __getattr__(self, name: str) -> object:
            if name == "signals":
                looked_up.append(name)
            return self if name == "readings" else getattr(store.readings if hasattr(store.readings, name) else store, name)

    whole = intake(Watched(), ManualClock(T0 + 60 * S))  # type: ignore[arg-type]
    for second in range(20):
        await whole.take([said({"wattage": second}, at=T0 + second * S)])
    assert len(looked_up) == 1
    await store.readings.write([Reading(CAR.id, BY_CODE["charge-voltage"], 230, T0, T0, "http")])
    await whole.take([said({"wattage": 21}, at=T0 + 30 * S)])
    assert len(looked_up) == 2, "another source was heard of"


async def test_what_is_remembered_of_cars_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "MAX_CARS", 2)
    monkeypatch.setattr(rivals, "MAX_SETS", 2)
    known = rivals.Rivals(store, ManualClock(T0), Precedence(STATIONS))
    batch = [Reading(f"car {number}", BY_CODE["charge-wattage"], 1, T0, T0, f"source {number}") for number in range(10)]
    for entry in batch:
        assert await known._tellers(entry) == {entry.source}
    assert len(known._told_by) == 2
    assert len(known._sets) <= 2


async def test_two_sources_that_speak_at_once_are_weighed_one_after_the_other(store: Store) -> None:
    """Without a turn each would look at what was there before the other wrote: the denial would hold."""
    taking = intake(store)
    await taking.take([said({"ischarging": False}, source="car", at=T0 - 600_000)])
    await taking.take([said({"ischarging": False}, source="wallbox", at=T0 - 600_000)])
    denial, word = said({"ischarging": False}, source="car", at=T0 + 1), said({"ischarging": True}, source="wallbox", at=T0)
    await asyncio.gather(taking.take([word]), taking.take([denial]))
    assert await value(store, "ischarging") == (True, "wallbox")
