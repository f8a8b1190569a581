"""Sessions become records: whatever the order of arrival, however often all is made anew, and wherever a process was killed."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from chargeport.derivation.queue import Changed, Progress
from chargeport.derivation.sessions import SessionDeriver
from chargeport.derive.records.edits import Annotate, Edit, Merge, Remove, Split, Undo, seen
from chargeport.derive.records.records import Record
from chargeport.settings import PlaceSettings, Settings, TariffSettings
from chargeport.signals.definition import Permission
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.signals.state import State
from chargeport.store.retention_policy import KeepFor, Policy
from derived_cars import (
    CABLE,
    CAPACITY,
    CAR,
    CHARGING,
    ENERGY,
    HOUR,
    LOCATION,
    MINUTE,
    RECORDS,
    SOC,
    T0,
    TOTAL,
    WATTAGE,
    House,
    absent,
    night,
    reading,
)  # fmt: skip
from mortal_store import KilledError, Mortal

DAY = 24 * HOUR
CHARGES = ((CHARGING, True), (WATTAGE, 7400))


async def lived(house: House, days: int = 1) -> list[Entry]:
    """So many nights, worked out after the last one."""
    reported: list[Entry] = [reading(CAPACITY, {"capacity": 60}, T0 - DAY)]
    for day in range(days):
        reported += night(T0 + day * DAY, hours=2 + day % 3)
    house.clock.move((T0 + days * DAY - house.clock.now()) / 1000)
    await house.take(reported)
    await house.work()
    return reported


async def made(house: House) -> list[Record]:
    found = await house.store.readings.signals(CAR.id)
    assert found is not None
    return await SessionDeriver(house.store, house.settings, house.clock).records(found)


async def edit(house: House, change: Edit | Undo) -> int:
    number = await house.store.sessions.add_edit(CAR.id, house.clock.now(), msgspec.json.encode(change).decode())
    await house.work()
    return number


async def test_a_session_becomes_a_record_and_counts_in_the_total(house: House) -> None:
    await lived(house)
    (record,) = await house.records()
    assert record["startTime"] == "2026-05-01T10:00:00.000Z"
    assert record["endTime"] == "2026-05-01T12:00:00.000Z"
    assert record["energyAdded"] == pytest.approx(7.4 * 2 * 0.9, rel=0.03)
    assert record["chargingType"] == "AC"
    assert record["id"].startswith("CHG-20260501-")
    assert await house.total_kwh() == record["energyAdded"]
    shown = await house.read(RECORDS)
    assert shown["meta"]["source"] == "derived:sessions"
    assert "charge-wattage" in shown["meta"]["derivedFrom"]


async def test_a_session_that_goes_on_counts_but_is_no_record_yet(house: House) -> None:
    reported = night(hours=4)
    totals = []
    for minute in range(0, 120, 10):
        until = T0 + minute * MINUTE
        house.clock.move((until - house.clock.now()) / 1000)
        await house.take([each for each in reported if until - 10 * MINUTE < each.observed_at <= until])
        await house.work()
        totals.append(await house.total_kwh() or 0.0)
    assert totals == sorted(totals)
    assert totals[-1] > 5
    assert await house.records() == []
    assert await house.store.sessions.cars_with_open_sessions() == [(CAR.id, T0)]


async def test_the_total_is_the_sum_of_the_records_whatever_was_corrected_before(house: House) -> None:
    await lived(house)
    before = await house.total_kwh()
    assert before is not None
    glitch = {"startTime": "2026-04-20T10:00:00.000Z", "endTime": "2026-04-20T11:00:00.000Z", "energyAdded": 57.3, "id": "G1"}
    await house.take([reading(RECORDS, {"values": [glitch]}, T0 + 3 * HOUR, "evcc")])
    await house.work()
    assert await house.total_kwh() == pytest.approx(before + 57.3)
    await house.take([reading(RECORDS, {"values": [glitch | {"energyAdded": 6.5}]}, T0 + 4 * HOUR, "evcc")])
    await house.work()
    assert await house.total_kwh() == pytest.approx(before + 6.5)


async def test_what_a_source_tells_of_a_session_is_one_with_ours(house: House) -> None:
    await lived(house)
    reported = {
        "startTime": "2026-05-01T10:02:00.000Z",
        "endTime": "2026-05-01T11:59:00.000Z",
        "energyAdded": 13.9,
        "id": "evcc-7",
    }
    alone = {"startTime": "2026-04-20T10:00:00.000Z", "endTime": "2026-04-20T11:00:00.000Z", "energyAdded": 5.0, "id": "evcc-6"}
    await house.take([reading(RECORDS, {"values": [alone, reported]}, T0 + 3 * HOUR, "evcc")])
    await house.work()
    first, second = await house.records()
    assert (first["id"], first["energyAdded"]) == ("evcc-6", 5.0)
    assert (second["energyAdded"], second["chargingType"]) == (13.9, "AC"), "its number, and ours where it has none"
    assert second["id"].startswith("CHG-20260501-"), "the name that was shown stays"
    assert await house.total_kwh() == 18.9
    assert (await house.read(RECORDS))["meta"]["source"] == "derived:sessions"


async def test_a_list_that_drops_old_records_takes_none_from_us(house: House) -> None:
    def reported(number: int) -> dict[str, Any]:
        day = f"2026-04-{number:02}"
        return {"startTime": f"{day}T10:00:00.000Z", "endTime": f"{day}T11:00:00.000Z", "energyAdded": 5.0, "id": f"e{number}"}

    await lived(house)
    for number in range(1, 6):
        await house.take([reading(RECORDS, {"values": [reported(number)]}, T0 + 3 * HOUR + number * MINUTE, "evcc")])
        await house.work()
    assert [each["id"] for each in await house.records()][:5] == ["e1", "e2", "e3", "e4", "e5"]


@pytest.mark.parametrize("left", [1, 0])
async def test_a_list_that_gets_shorter_and_reports_nothing_new_takes_no_record_away(house: House, left: int) -> None:
    listed = [
        {"id": f"oem-{day}", "startTime": f"2026-04-{day}T10:00:00.000Z", "endTime": f"2026-04-{day}T11:00:00.000Z",
         "energyAdded": 5.5}
        for day in (20, 22)
    ]  # fmt: skip
    await house.take([reading(RECORDS, {"values": listed}, T0, "oem")])
    await house.work()
    await house.take([reading(RECORDS, {"values": listed[:left]}, T0 + HOUR, "oem")])
    await house.work()
    assert [each["id"] for each in await house.records()] == ["oem-20", "oem-22"]
    assert await house.total_kwh() == 11.0


async def test_reported_records_alone_are_left_as_they_are(house: House) -> None:
    await house.take([reading(RECORDS, {"values": [{"startTime": "2026-04-20T10:00:00.000Z", "energyAdded": 5.0}]}, T0, "oem")])
    await house.work()
    assert await house.derived(RECORDS) is None
    assert (await house.read(RECORDS))["meta"]["source"] == "oem"


async def test_a_correction_of_a_record_that_only_a_source_reported_shows_in_the_list_and_in_the_total(house: House) -> None:
    one = {"id": "S-1", "startTime": "2026-04-20T10:00:00.000Z", "endTime": "2026-04-20T12:00:00.000Z", "energyAdded": 20.0}
    await house.take([reading(RECORDS, {"values": [one]}, T0, "oem")])
    await house.work()
    assert await house.derived(RECORDS) is None
    (record,) = await made(house)
    await edit(house, Annotate(record=seen(record), energy_added_kwh=11.0))
    assert [each["energyAdded"] for each in await house.records()] == [11.0]
    assert await house.total_kwh() == 11.0


async def test_edits_hold_when_everything_is_made_anew_and_can_be_taken_back(house: House) -> None:
    reported = await lived(house, 2)
    one, other = await made(house)
    await edit(house, Annotate(record=seen(one), note="at my aunt's", energy_added_kwh=12.5))
    number = await edit(house, Split(seen(other), T0 + DAY + HOUR))
    assert (await house.records())[0]["energyAdded"] == 12.5
    assert len(await house.records()) == 3
    house.restart()
    await house.derivation.resume()
    await house.take([msgspec.structs.replace(each, observed_at=each.observed_at + 1) for each in reported])  # type: ignore[type-var]
    await house.work()
    assert [record.note for record in await made(house)][:1] == ["at my aunt's"]
    assert len(await house.records()) == 3
    await edit(house, Undo(number))
    assert len(await house.records()) == 2
    assert (await house.records())[0]["energyAdded"] == 12.5
    assert len(await house.store.sessions.edits(CAR.id)) == 3, "what was changed, and that it was taken back, stays known"


async def test_an_edit_shows_even_if_its_list_is_the_lesser_text(house: House) -> None:
    """Of two values at one instant the greater holds, so an edit must be told later, in any direction."""
    await lived(house)
    (record,) = await made(house)
    for kwh in (99.0, 10.0, 50.0, 1.0):
        await edit(house, Annotate(record=seen(record), energy_added_kwh=kwh))
        assert [each["energyAdded"] for each in await house.records()] == [kwh]


async def test_merged_records_are_one(house: House) -> None:
    await lived(house, 2)
    one, other = await made(house)
    await edit(house, Merge((seen(one), seen(other))))
    (merged,) = await house.records()
    assert merged["id"] == one.id
    assert merged["endTime"] == "2026-05-02T13:00:00.000Z"


async def test_a_capacity_that_is_known_late_changes_what_was_worked_out_without_it(house: House) -> None:
    climb = [reading(SOC, 20 + minute / 2, T0 + minute * MINUTE) for minute in range(0, 100, 5)]
    plugged = [reading(each.signal, each.value, each.observed_at) for each in night() if each.signal.code.endswith("connected")]
    house.clock.move(3 * DAY / 1000)
    await house.take([*climb, *plugged])
    await house.work()
    assert [each.get("energyAdded") for each in await house.records()] in ([], [None])
    await house.take([reading(CAPACITY, {"capacity": 60}, T0 + 2 * DAY)])
    house.clock.move(60)
    await house.work()
    (record,) = await house.records()
    assert record["energyAdded"] == pytest.approx(0.475 * 60, rel=0.1)


async def test_what_another_process_stores_is_worked_out_too(house: House) -> None:
    house.clock.move(DAY / 1000)
    await house.store.readings.write(night())  # an import, say, that nobody here has heard of
    await house.work()
    assert len(await house.records()) == 1


async def test_a_mere_confirmation_counts_even_if_the_process_died_right_after_it(house: House) -> None:
    """It changes nothing that the feed would tell, and yet the session went on for longer."""
    reported = [reading(CHARGING, False, T0 - HOUR)]
    reported += [reading(signal, value, T0 + minute * MINUTE) for minute in range(0, 31, 5) for signal, value in CHARGES]
    house.clock.move(2.2 * HOUR / 1000)
    await house.take(reported)
    await house.work()
    assert [(each.started_at, each.is_open) for each in await house.store.sessions.sessions(CAR.id, 0, 1 << 62)] == [
        (T0, False)
    ]
    late = [reading(signal, value, T0 + 2 * HOUR) for signal, value in CHARGES]
    assert set(
        await house.store.readings.write([msgspec.structs.replace(each, received_at=house.clock.now()) for each in late])
    ) == {"unchanged"}
    house.restart()
    await house.derivation.resume()
    await house.work()
    (record,) = await made(house)
    assert record.session.ended_at == T0 + 2 * HOUR


async def test_a_record_that_the_wire_has_no_form_for_hides_no_other(house: House, caplog: pytest.LogCaptureFixture) -> None:
    await lived(house, 2)
    one, _ = await made(house)
    await edit(house, Annotate(record=seen(one), energy_added_kwh=9999))
    assert [each["startTime"][:10] for each in await house.records()] == ["2026-05-02"]
    assert f"the record {one.id} is not shown" in caplog.text


async def test_sessions_outlive_the_history_that_they_were_worked_out_from(house: House) -> None:
    """Runs are folded into hours; what came of them stays, whatever is worked out again."""
    await lived(house, 6)
    before = await house.records()
    policy, after, more = Policy({"Charge": KeepFor(raw_days=3), "TractionBattery": KeepFor(raw_days=3)}), 0, True
    while more:
        step = await house.store.retention.fold(policy, house.clock.now(), after)
        after, more = step.after, step.more
    assert await house.store.history.horizon(CAR.id, CHARGING) is not None
    await house.take([reading(CAPACITY, {"capacity": 61}, T0 + 5 * DAY)])
    house.derivation._queue.mark(CAR.id, "sessions", Changed(Progress(), 0, house.clock.now()))
    house.clock.move(60)
    await house.work()
    assert await house.records() == before
    await house.take([reading(WATTAGE, 7400, T0 + HOUR + 1, "late")])
    await house.work()
    assert await house.records() == before


HOME = PlaceSettings(name="Home", latitude=52.5, longitude=13.4, is_public=False, tariff="night")
FLAT = TariffSettings(name="night", currency="EUR", price=0.30)


async def test_a_car_that_says_where_it_is_has_its_sessions_placed_and_priced(house: House) -> None:
    house.settings = Settings(places=[HOME], tariffs=[FLAT])
    house.restart()
    await house.take([reading(LOCATION, {"latitude": 52.5003, "longitude": 13.4002, "heading": 90}, T0 - 5 * MINUTE)])
    await lived(house)
    (record,) = await house.records()
    assert record["location"] == {"name": "Home", "latitude": 52.5003, "longitude": 13.4002}
    assert record["isPublicCharger"] is False
    assert record["cost"]["currency"] == "EUR"
    assert record["cost"]["energyAmount"] == pytest.approx(0.30 * 7.4 * 2, rel=0.03)
    shown = await house.read(RECORDS, frozenset(Permission) - {Permission.READ_CHARGE_LOCATIONS})
    assert "location" not in shown["attributes"]["body"]["values"][0]


async def test_a_position_that_comes_late_places_the_session_all_the_same(house: House) -> None:
    house.settings = Settings(places=[HOME], tariffs=[FLAT])
    house.restart()
    await lived(house)
    assert "location" not in (await house.records())[0]
    await house.take([reading(LOCATION, {"latitude": 52.5003, "longitude": 13.4002}, T0 + MINUTE)])
    await house.work()
    assert (await house.records())[0]["location"]["name"] == "Home"


async def test_forgetting_a_source_takes_its_sessions_also_where_nothing_of_that_time_is_left(house: House) -> None:
    house.clock.move(5 * DAY / 1000)
    await house.take(
        [*night(source="car"), reading(SOC, 50, T0 + 3 * DAY, "car"), reading(CHARGING, False, T0 + 4 * DAY, "box")]
    )
    await house.work()
    assert len(await house.records()) == 1
    await house.store.readings.forget("car")
    await house.work()
    assert await house.store.sessions.sessions(CAR.id, 0, T0 + 5 * DAY) == []
    assert await house.records() == []


async def test_forgetting_a_list_takes_its_records_and_their_energy_while_others_stay(house: House) -> None:
    reported = {"startTime": "2026-04-20T10:00:00Z", "endTime": "2026-04-20T11:00:00Z", "energyAdded": 5, "id": "e0"}
    await lived(house, 4)
    known = await house.records(), await house.total_kwh()
    await house.take([reading(RECORDS, {"values": [reported]}, T0 + HOUR, "evcc")])
    await house.work()
    assert len(await house.records()) == 5
    await house.store.readings.forget("evcc")
    await house.work()
    assert (await house.records(), await house.total_kwh()) == known


def charging_on(at: int, counted_kwh: float) -> list[Entry]:
    return [reading(CHARGING, True, at), reading(WATTAGE, 7200, at), reading(ENERGY, counted_kwh, at)]


@pytest.mark.parametrize("counted_kwh", [0, 0.4])
async def test_a_counter_that_begins_after_a_pause_takes_nothing_from_what_came_before(
    house: House, counted_kwh: float
) -> None:
    """The cable stays in, so it is one session; the counter was not told in its first part."""
    resumed_at = T0 + 8 * HOUR
    first = [each for each in night() if each.signal is not CABLE or each.value]
    house.clock.move((resumed_at + HOUR - T0) / 1000)
    await house.take([*first, reading(CABLE, True, resumed_at), *charging_on(resumed_at, counted_kwh)])
    await house.work()
    (record,) = await made(house)
    assert record.session.energy_added_kwh == pytest.approx(7.4 * 2 * 0.92 + counted_kwh, rel=0.05)
    await house.take([reading(CABLE, True, resumed_at + 30 * MINUTE), *charging_on(resumed_at + 30 * MINUTE, 3.6)])
    await house.work()
    (record,) = await made(house)
    assert record.session.energy_added_kwh == pytest.approx(7.4 * 2 * 0.92 + 3.6, rel=0.05)
    assert record.session.estimated


async def test_before_a_counter_that_begins_late_every_part_of_the_session_counts(house: House) -> None:
    resumed_at = T0 + 16 * HOUR
    parts = [each for start in (T0, T0 + 8 * HOUR) for each in night(start) if each.signal is not CABLE or each.value]
    parts = [each for each in parts if each.observed_at < T0 + 2 * HOUR or each.observed_at >= T0 + 8 * HOUR - MINUTE]
    rising = [msgspec.structs.replace(each, value=each.value + 22) for each in parts
              if each.signal is SOC and each.observed_at > T0 + 7 * HOUR]  # type: ignore[operator]  # fmt: skip
    reported = [each for each in parts if each.signal is not SOC or each.observed_at < T0 + 7 * HOUR]
    off = [reading(CHARGING, False, T0 + 2 * HOUR), reading(WATTAGE, 0, T0 + 2 * HOUR)]
    house.clock.move((resumed_at + MINUTE - T0) / 1000)
    await house.take([*reported, *rising, *off, reading(CABLE, True, resumed_at), *charging_on(resumed_at, 0.2)])
    await house.work()
    (record,) = await made(house)
    assert record.session.energy_added_kwh == pytest.approx(2 * 7.4 * 2 * 0.92, rel=0.06)


async def test_what_a_counter_shows_when_a_car_charges_again_is_not_of_the_session_before(house: House) -> None:
    again_at = T0 + 18 * HOUR
    fallen = [reading(SOC, 62, again_at - 9 * HOUR), reading(SOC, 40, again_at)]  # it was driven, whatever the cable says
    first = [each for each in night() if each.signal is not CABLE or each.value]
    house.clock.move((again_at + MINUTE - T0) / 1000)
    await house.take([*first, *fallen, reading(CABLE, True, again_at), *charging_on(again_at, 9)])
    await house.work()
    record = (await made(house))[0]
    assert record.session.ended_at == T0 + 2 * HOUR
    assert record.session.energy_added_kwh == pytest.approx(7.4 * 2 * 0.92, rel=0.03)


async def test_without_any_energy_that_is_known_the_total_is_not_known_either(house: House) -> None:
    await lived(house)
    total_kwh = await house.total_kwh()
    assert total_kwh == pytest.approx(7.4 * 2 * 0.92, rel=0.1)
    (record,) = await made(house)
    number = await edit(house, Remove(record=seen(record)))
    assert await house.total_kwh() is None
    assert (await house.read(TOTAL))["attributes"]["status"]["value"] == "ERROR"
    await edit(house, Undo(number))
    assert await house.total_kwh() == total_kwh


def parked(at: int, latitude: float) -> Entry:
    return reading(LOCATION, {"latitude": latitude, "longitude": 13.4}, at)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (1, 3, 4, 0, 2)])
async def test_a_position_told_on_change_places_all_sessions_until_the_next_in_any_order(
    house: House, order: tuple[int, ...]
) -> None:
    house.clock.move(10 * DAY / 1000)
    asleep = absent(LOCATION, AbsenceReason.UNREACHABLE, T0 + DAY)
    withdrawn = absent(LOCATION, AbsenceReason.NOT_PERMITTED, T0 + 6 * DAY)
    reported = [
        [parked(T0 - 5 * HOUR, 52.5)],
        [each for day in range(3) for each in night(T0 + day * DAY)],
        [asleep, parked(T0 + 3 * DAY, 48.0), withdrawn],
        night(T0 + 4 * DAY),
        night(T0 + 8 * DAY),
    ]
    for index in order:
        await house.take(reported[index])
        await house.work()
    placed = [each.get("location", {}).get("latitude") for each in await house.records()]
    assert placed == [52.5, 52.5, 52.5, 48.0, None]


@pytest.mark.parametrize("seed", range(2))
async def test_a_shuffled_month_leaves_the_same_records(house: House, seed: int) -> None:
    """In portions of any size, with repeats, and with restarts in between."""
    reported: list[Entry] = [reading(CAPACITY, {"capacity": 60}, T0 - DAY)]
    for day in range(30):
        reported += night(T0 + day * DAY, hours=1 + day % 4, every_s=900)
    house.clock.move(31 * DAY / 1000)
    await house.take(reported)
    await house.work()
    expected, total = await house.records(), await house.total_kwh()
    assert len(expected) == 30
    await house.store.vehicles.remove_vehicle(CAR.id)
    await house.store.vehicles.add_vehicle(CAR)
    house.restart()
    rng = random.Random(seed)
    again = [*reported, *rng.sample(reported, len(reported) // 5)]
    rng.shuffle(again)
    while again:
        size = rng.choice([100, 400, 1600])
        portion, again = again[:size], again[size:]
        await house.take(portion)
        if rng.random() < 0.3:
            house.restart()
            await house.derivation.resume()
        await house.work()
    assert await house.records() == expected
    assert await house.total_kwh() >= total  # type: ignore[operator]


# Killed between any two writes.


def life() -> list[list[Entry]]:
    """A session in portions, with what a source tells of it itself, and a late report."""
    reported: list[Entry] = [reading(CAPACITY, {"capacity": 60}, T0 - DAY), *night(hours=1, every_s=600)]
    reported.sort(key=lambda each: each.observed_at)
    late = reported.pop(len(reported) // 2)
    values = [{"startTime": "2026-05-01T10:01:00.000Z", "endTime": "2026-05-01T11:00:00.000Z", "energyAdded": 6.6, "id": "e1"}]
    portions = [reported[start : start + 6] for start in range(0, len(reported), 6)]
    return [*portions, [late], [reading(RECORDS, {"values": values}, T0 + 3 * HOUR, "evcc")]]


async def live(house: House, store: Any, portions: Sequence[list[Entry]]) -> int:
    """Go through the life; how many portions were acknowledged before the end."""
    house.restart(store)
    try:
        await house.derivation.resume()
        for number, portion in enumerate(portions):
            newest = max(each.observed_at for each in portion)
            house.clock.move(max(0, newest + 1000 - house.clock.now()) / 1000)
            try:
                outcomes = await store.readings.write(portion)
            except KilledError:
                return number
            house.derivation.note(portion, outcomes)
            try:
                await house.work()
            except KilledError:
                return number + 1
    except KilledError:
        return 0
    return len(portions)


@pytest.mark.parametrize("after", [False, True])
async def test_a_process_that_is_killed_at_any_write_leaves_the_same_record(house: House, after: bool) -> None:
    """What was not acknowledged is sent again, as sources do; then all is as if nothing had happened."""
    portions = life()
    counting = Mortal(house.store, 0, after=after)
    await live(house, counting, portions)
    expected, total = await house.records(), await house.total_kwh()
    assert len(expected) == 1
    assert counting.writes > 20
    for lives in range(1, counting.writes + 1):
        await house.store.vehicles.remove_vehicle(CAR.id)
        await house.store.vehicles.add_vehicle(CAR)
        house.clock.move((T0 - house.clock.now()) / 1000)
        acknowledged = await live(house, Mortal(house.store, lives, after=after), portions)
        await live(house, Mortal(house.store, 0, after=after), portions[acknowledged:])
        house.clock.move(3600)
        await house.work()
        assert (await house.records(), await house.total_kwh()) == (expected, total), lives


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_is_erased_of_a_source_takes_its_sessions_and_their_energy_along(house: House, restarted: bool) -> None:
    await lived(house)
    assert await made(house)
    sources = {state.source for states in (await known(house)).values() for state in states} - {DERIVED, None}
    for source in sources:
        await house.store.readings.forget(str(source))
    if restarted:
        house.restart()
        await house.derivation.resume()
    await house.work()
    assert await made(house) == []


async def known(house: House) -> dict[int, tuple[State, ...]]:
    found = await house.store.readings.signals(CAR.id)
    assert found is not None
    return found.series


async def test_a_reported_list_whose_records_were_all_removed_is_as_old_as_that_list(house: House) -> None:
    listed = {"values": [{"startTime": "2026-04-01T10:00:00.000Z", "endTime": "2026-04-01T12:00:00.000Z", "energyAdded": 10}]}
    await house.take([reading(RECORDS, listed, T0)])
    await house.work()
    await edit(house, Remove(record=seen((await made(house))[0])))
    await house.work()
    state = await house.state(RECORDS)
    assert state is not None
    assert await house.records() == []
    assert state.observed_at == T0
