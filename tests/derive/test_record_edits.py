"""What a person changes about records: laid over, found again, and taken back."""

import msgspec
import pytest
from charging_days import HOUR, T0
from test_record_bodies import CAR, session
from test_record_joining import own

from chargeport.derive.records.edits import Annotate, Edit, Merge, Split, edited, seen
from chargeport.derive.records.records import records
from chargeport.derive.records.tariffs import Tariff, priced
from chargeport.derive.sessions.power import Slot
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.stretches import Stretch
from chargeport.signals.records import Cost, Place

FIRST = own(0, 60, energy_added_kwh=10.0, energy_drawn_kwh=11.0, start_soc=20.0, end_soc=40.0, cost=Cost("EUR", 3.0, 1.0))
SECOND = own(120, 180, energy_added_kwh=5.0, energy_drawn_kwh=6.0, start_soc=40.0, end_soc=50.0, cost=Cost("EUR", 2.0))
COMPUTED = records(CAR, [FIRST, SECOND])


def test_a_merge_has_the_sums_and_the_ends_and_the_first_ones_id() -> None:
    (one,) = edited(COMPUTED, [Merge(tuple(seen(record) for record in COMPUTED))]).records
    merged = one.session
    assert (merged.started_at, merged.ended_at) == (FIRST.started_at, SECOND.ended_at)
    assert (merged.energy_added_kwh, merged.energy_drawn_kwh) == (15.0, 17.0)
    assert (merged.start_soc, merged.end_soc, merged.cost) == (20.0, 50.0, Cost("EUR", 5.0, 1.0))
    assert one.id == COMPUTED[0].id
    assert one.original_ids == tuple(record.id for record in COMPUTED)


@pytest.mark.parametrize(
    ("slots", "share"),
    [((), 0.25), ((Slot(T0, 1.0), Slot(T0 + HOUR // 4, 9.0)), 0.1)],
    ids=["by the time of charging", "by when it was drawn"],
)
def test_the_halves_of_a_split_are_together_what_there_was(slots: tuple[Slot, ...], share: float) -> None:
    computed = records(CAR, [msgspec.structs.replace(FIRST, slots=slots)])
    one, other = edited(computed, [Split(seen(computed[0]), T0 + HOUR // 4)]).records
    assert (one.session.started_at, one.session.ended_at) == (T0, T0 + HOUR // 4)
    assert (other.session.started_at, other.session.ended_at) == (T0 + HOUR // 4, T0 + HOUR)
    assert one.session.energy_added_kwh == pytest.approx(10 * share)
    assert (one.session.energy_added_kwh or 0) + (other.session.energy_added_kwh or 0) == pytest.approx(10)
    assert one.session.cost is not None
    assert one.session.cost.energyAmount == pytest.approx(3 * share)
    assert (one.session.start_soc, one.session.end_soc) == (20.0, None)
    assert (other.session.start_soc, other.session.end_soc) == (None, 40.0)
    assert one.id == computed[0].id != other.id
    assert one.original_ids == other.original_ids == (computed[0].id,)
    assert other.session.stretches == (Stretch(T0 + HOUR // 4, T0 + HOUR),)


def test_a_note_and_corrections_are_shown_and_the_rest_stays() -> None:
    edit = Annotate(record=seen(COMPUTED[0]), note="visitors", place_name="Lake", is_public=True, energy_added_kwh=9.0)
    one, other = edited(COMPUTED, [edit]).records
    assert (one.note, one.session.place, one.session.is_public) == ("visitors", Place(name="Lake"), True)
    assert (one.session.energy_added_kwh, one.session.energy_method) == (9.0, "reported")
    assert one.session.energy_drawn_kwh == 11.0
    assert other == COMPUTED[1]


def by_tariff(session: Session) -> Session:
    return priced([session], [Tariff(name="home", currency="EUR", price=0.3)])[0]


@pytest.mark.parametrize(("kwh", "cost"), [(9.5, Cost("EUR", 3.0)), (19.0, None), (2.0, None)])
def test_a_corrected_energy_has_no_cost_of_another_energy(kwh: float, cost: Cost | None) -> None:
    quarters = tuple(Slot(T0 + quarter * HOUR // 4, 2.5) for quarter in range(4))
    found = records(CAR, [own(0, 60, energy_added_kwh=9.0, energy_drawn_kwh=10.0, slots=quarters)])
    (one,) = edited(found, [Annotate(record=seen(found[0]), energy_added_kwh=kwh)], by_tariff).records
    assert (one.session.energy_added_kwh, one.session.cost) == (kwh, cost)
    paid = edited(found, [Annotate(record=seen(found[0]), energy_added_kwh=kwh, cost=Cost("EUR", 7.0))], by_tariff).records
    assert paid[0].session.cost == Cost("EUR", 7.0)


def test_the_costs_of_a_split_by_tariff_are_together_what_the_session_cost() -> None:
    quarters = tuple(Slot(T0 + quarter * HOUR // 4, 2.5) for quarter in range(4))
    found = records(CAR, [own(0, 60, energy_added_kwh=9.0, energy_drawn_kwh=10.0, slots=quarters)])
    halves = edited(found, [Split(seen(found[0]), T0 + HOUR // 2)], by_tariff).records
    assert [half.session.cost for half in halves] == [Cost("EUR", 1.5), Cost("EUR", 1.5)]


def test_the_originals_stay_and_come_back_without_the_edit() -> None:
    before = list(COMPUTED)
    edited(COMPUTED, [Merge(tuple(seen(record) for record in COMPUTED)), Split(seen(COMPUTED[0]), T0 + HOUR // 2)])
    assert before == COMPUTED
    assert edited(COMPUTED, []).records == COMPUTED


def test_the_cost_of_a_split_is_in_whole_cents_and_sums_up() -> None:
    paid = own(0, 60, energy_added_kwh=10.0, cost=Cost("EUR", 7.65))
    (record,) = records(CAR, [paid])
    split = Split(seen(record), T0 + HOUR // 3)
    first, second = edited([record], [split]).records
    assert (first.session.cost, second.session.cost) == (Cost("EUR", 2.55), Cost("EUR", 5.1))
    (whole,) = edited([record], [split, Merge((seen(first), seen(second)))]).records
    assert whole.session.cost == Cost("EUR", 7.65)  # and no other amount that nobody told


def test_a_split_within_a_quarter_of_an_hour_takes_the_part_of_its_energy_that_was_drawn_before() -> None:
    minute = HOUR // 60
    quarters = tuple(Slot(T0 + quarter * HOUR // 4, 2.5) for quarter in range(4))
    (record,) = records(CAR, [own(0, 60, energy_added_kwh=9.0, energy_drawn_kwh=10.0, slots=quarters)])
    first, second = edited([record], [Split(seen(record), T0 + 20 * minute)]).records
    assert first.session.energy_added_kwh == pytest.approx(3)
    assert second.session.energy_drawn_kwh == pytest.approx(10 * 2 / 3)
    assert sum(slot.kwh for slot in first.session.slots) == pytest.approx(10 / 3)
    assert sum(slot.kwh for slot in second.session.slots) == pytest.approx(10 * 2 / 3)


def test_a_split_and_a_merge_leave_readings_of_the_meter_where_they_were_taken() -> None:
    (record,) = records(CAR, [own(0, 60, energy_added_kwh=9.0, meter_start_kwh=100.0, meter_end_kwh=110.0)])
    first, second = edited([record], [Split(seen(record), T0 + HOUR // 2)]).records
    assert (first.session.meter_start_kwh, first.session.meter_end_kwh) == (100.0, None)
    assert (second.session.meter_start_kwh, second.session.meter_end_kwh) == (None, 110.0)
    (whole,) = edited([first, second], [Merge((seen(first), seen(second)))]).records
    assert (whole.session.meter_start_kwh, whole.session.meter_end_kwh) == (100.0, 110.0)


def test_edits_go_on_from_each_other() -> None:
    split = Split(seen(COMPUTED[0]), T0 + HOUR // 2)
    halves = edited(COMPUTED, [split]).records
    again = edited(COMPUTED, [split, Merge((seen(halves[0]), seen(halves[1])))]).records
    assert len(again) == 2
    assert again[0].session.energy_added_kwh == pytest.approx(10)


def test_an_edit_finds_its_record_though_a_late_report_moved_its_start() -> None:
    edit = Annotate(record=seen(COMPUTED[0]), note="visitors")
    moved = records(CAR, [session(T0 - 60_000, 62 / 60), SECOND])
    assert moved[0].id != COMPUTED[0].id
    assert [record.note for record in edited(moved, [edit]).records] == ["visitors", None]


@pytest.mark.parametrize(
    "edit",
    [
        Annotate(record=seen(records(CAR, [session(T0 + 99 * HOUR)])[0]), note="gone"),
        Split(seen(COMPUTED[0]), T0 + 2 * HOUR),
        Merge(()),
    ],
    ids=["no such record", "outside", "nothing to merge"],
)
def test_an_edit_that_does_not_fit_changes_nothing_and_is_told(edit: Edit) -> None:
    assert edited(COMPUTED, [edit]) == (COMPUTED, [edit])


def test_edits_can_be_stored() -> None:
    edits: list[Edit] = [
        Merge((seen(COMPUTED[0]),)),
        Split(seen(COMPUTED[0]), T0),
        Annotate(record=seen(COMPUTED[1]), note="x"),
    ]
    assert msgspec.json.decode(msgspec.json.encode(edits), type=list[Edit]) == edits
