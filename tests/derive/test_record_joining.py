"""Sessions that sources report as records, joined with our own: each once, with the best of both."""

from collections.abc import Sequence

import msgspec
import pytest
from charging_days import HOUR, T0
from test_record_bodies import session

from chargeport.derive.records.joined import joined
from chargeport.derive.records.records import records, wire_instant
from chargeport.derive.records.reported import RECORDS, Reported, closed, identified, lists
from chargeport.derive.sessions.power import Slot
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import Piece, Track
from chargeport.signals.records import Cost

MINUTE = HOUR // 60


def listed_session(start: int, end: int, source: str = "evcc", **changes: object) -> Session:
    return session(T0 + start * MINUTE, (end - start) / 60, sources=(source,), reported_id=f"{source}-{start}", **changes)


def own(start: int, end: int, **changes: object) -> Session:
    stretches = (Stretch(T0 + start * MINUTE, T0 + end * MINUTE),)
    return session(T0 + start * MINUTE, (end - start) / 60, sources=("car",), stretches=stretches, **changes)


def test_reported_numbers_win_and_ours_fill_in_what_is_missing() -> None:
    mine = own(5, 60, energy_added_kwh=9.0, energy_drawn_kwh=10.0, start_soc=40.0, estimated=True, energy_method="integral")
    (one,) = joined([mine], [listed_session(0, 62, energy_added_kwh=9.4, energy_method="reported", cost=Cost("EUR", 3.0))])
    assert (one.started_at, one.ended_at) == (T0, T0 + 62 * MINUTE)
    assert (one.energy_added_kwh, one.energy_method, one.estimated) == (9.4, "reported", False)
    assert (one.energy_drawn_kwh, one.start_soc, one.cost) == (10.0, 40.0, Cost("EUR", 3.0))
    assert (one.sources, one.reported_id) == (("car", "evcc"), "evcc-0")


def test_energy_that_was_measured_in_a_part_of_a_reported_session_is_not_what_all_of_it_drew() -> None:
    quarter = Slot(T0 + 45 * MINUTE, 2.7)
    part = own(45, 60, energy_added_kwh=2.5, energy_drawn_kwh=2.7, energy_method="counter", slots=(quarter,))
    (one,) = joined([part], [listed_session(0, 60, energy_added_kwh=10.0, energy_method="reported")])
    assert (one.energy_added_kwh, one.energy_drawn_kwh, one.slots) == (10.0, None, ())
    (drawn,) = joined([part], [listed_session(0, 60, energy_drawn_kwh=11.0)])
    assert (drawn.energy_added_kwh, drawn.energy_method, drawn.energy_drawn_kwh, drawn.slots) == (None, None, 11.0, ())


def test_the_quarters_of_a_session_add_up_to_the_drawn_energy_that_a_source_reports() -> None:
    mine = own(0, 30, energy_drawn_kwh=5.0, slots=(Slot(T0, 2.0), Slot(T0 + 15 * MINUTE, 3.0)))
    (one,) = joined([mine], [listed_session(0, 31, energy_added_kwh=4.9, energy_drawn_kwh=5.2)])
    assert (one.energy_added_kwh, one.energy_drawn_kwh) == (4.9, 5.2)
    assert [slot.kwh for slot in one.slots] == pytest.approx([2.08, 3.12])


def test_half_in_common_is_not_enough_and_a_little_more_is() -> None:
    assert len(joined([own(0, 60)], [listed_session(30, 90)])) == 2
    assert len(joined([own(0, 60)], [listed_session(29, 89)])) == 1
    assert len(joined([own(0, 60)], [listed_session(61, 90)])) == 2


def test_two_sources_and_we_ourselves_make_one_of_one_session_in_any_order() -> None:
    maker, wallbox = (
        listed_session(1, 59, "maker", energy_added_kwh=9.1),
        listed_session(0, 65, "wallbox", energy_added_kwh=10.2, is_public=False),
    )
    expected = joined([own(0, 60)], [maker, wallbox])
    assert expected == joined([own(0, 60)], [wallbox, maker])
    (one,) = expected
    assert (one.energy_added_kwh, one.is_public, one.sources) == (9.1, False, ("car", "maker", "wallbox"))


def test_segments_of_a_quarter_that_a_source_makes_of_one_session_are_summed() -> None:
    (one,) = joined([own(0, 60)], [listed_session(start, start + 15, energy_added_kwh=2.5) for start in (0, 15, 30, 45)])
    assert (one.energy_added_kwh, one.started_at, one.ended_at) == (10.0, T0, T0 + HOUR)
    (part,) = joined([own(0, 60, energy_added_kwh=9.9)], [listed_session(0, 15, energy_added_kwh=2.5), listed_session(15, 30)])
    assert part.energy_added_kwh == 9.9  # a sum with an unknown part is not known


def test_segments_of_a_session_are_checked_together_against_what_we_measured_of_all_of_it() -> None:
    mine = own(0, 240, energy_added_kwh=36.0, energy_drawn_kwh=40.0, energy_bounds_kwh=(33.0, 39.0))
    parts = [listed_session(0, 100, energy_added_kwh=14.8), listed_session(100, 240, energy_added_kwh=21.4)]
    (one,) = joined([mine], parts)
    assert (one.energy_added_kwh, one.estimated) == (pytest.approx(36.2), False)
    assert [fact.fact for fact in one.evidence.facts if fact.fact == "set_aside"] == []


def test_our_own_sessions_are_never_joined_by_themselves() -> None:
    assert joined([own(0, 60), own(60, 90)], []) == [own(0, 60), own(60, 90)]


def test_a_reported_session_that_we_know_nothing_of_keeps_its_id_and_one_that_we_know_has_ours() -> None:
    alone, both = records("car", joined([own(600, 660)], [listed_session(0, 60), listed_session(600, 660)]))
    assert alone.id == "evcc-0"
    assert both.id == records("car", [own(600, 660)])[0].id


def body(*starts: int, kwh: float = 5.0) -> str:
    listed = [{"id": str(start), "startTime": wire_instant(T0 + start * MINUTE), "energyAdded": kwh} for start in starts]
    return msgspec.json.encode({"values": listed}).decode()


def test_every_record_that_was_ever_reported_counts_once_with_its_newest_word() -> None:
    pieces = (
        Piece(T0, T0, body(0, 60), "maker"),
        Piece(T0 + 1, T0 + 9, body(60, 120, kwh=6.0), "maker"),
        Piece(T0 + 10, T0 + 10, body(60), "evcc"),
        Piece(T0 + 12, T0 + 12, None, "maker", absence="UNREACHABLE"),
    )
    found = sorted((each.session for each in known(pieces)), key=lambda one: (one.started_at, one.sources))
    assert [((one.started_at - T0) // MINUTE, one.sources, one.energy_added_kwh) for one in found] == [
        (0, ("maker",), 5.0),
        (60, ("evcc",), 5.0),
        (60, ("maker",), 6.0),
        (120, ("maker",), 6.0),
    ]
    assert all(one.is_open for one in found)
    assert lists(None) == []


def known(pieces: Sequence[Piece], before: Sequence[Reported] = ()) -> list[Reported]:
    """What is known of sessions after lists were reported."""
    found = {(each.source, each.name): each for each in before}
    changed = identified(before, lists(Track(RECORDS, tuple(pieces))))
    return list((found | {(each.source, each.name): each for each in changed}).values())


def test_a_record_without_a_start_is_left_out() -> None:
    assert known([Piece(T0, T0, '{"values":[{"id":"x","energyAdded":3}]}', "maker")]) == []


def listing(at: int, *records: tuple[str | None, int, int | None, float], source: str = "maker") -> Piece:
    """A list, told so many hours after T0, of (id, start, end, kWh), the times in minutes."""
    values = [
        {"id": name, "startTime": wire_instant(T0 + start * MINUTE), "energyAdded": kwh}
        | ({} if end is None else {"endTime": wire_instant(T0 + end * MINUTE)})
        for name, start, end, kwh in records
    ]
    return Piece(T0 + at * HOUR, T0 + at * HOUR, msgspec.json.encode({"values": values}).decode(), source)


def kwhs(found: Sequence[Reported]) -> list[float | None]:
    return [each.session.energy_added_kwh for each in sorted(found, key=lambda each: each.session.started_at)]


@pytest.mark.parametrize(
    "name", ["", "-", "0", "null", "Unknown", "n/a", "00000000-0000-0000-0000-000000000000", "S-7", "#", "-99", "TBD"]
)
def test_what_stands_for_several_sessions_is_no_id(name: str) -> None:
    found = known([listing(99, (name, 0, 60, 5.0), (name, 600, 700, 6.0), (name, 1300, 1350, 7.0))])
    assert kwhs(found) == [5.0, 6.0, 7.0]
    assert all(each.session.reported_id is None for each in found)


@pytest.mark.parametrize("name", ["#", "-999", "TBD", "0.0", "#N/A", "n.a.", "0x0", "xxx", "false", "Unknown session"])
def test_a_placeholder_is_no_id_of_a_single_session_either(name: str) -> None:
    (found,) = known([listing(99, (name, 0, 60, 5.0))])
    assert found.session.reported_id is None


def test_an_id_that_is_used_again_for_another_session_makes_two() -> None:
    found = known([listing(10, ("last", 0, 60, 5.0))], known([]))
    found = known([listing(40, ("last", 1500, 1620, 11.0))], found)
    assert kwhs(found) == [5.0, 11.0]
    found = known([listing(70, ("last", 3000, 3120, 14.0))], found)  # as long as the one before, on another day
    assert kwhs(found) == [5.0, 11.0, 14.0]
    found = known([listing(71, ("last", 3300, 3420, 9.0))], found)  # as long as the one before, on the same day
    assert kwhs(found) == [5.0, 11.0, 14.0, 9.0]


def test_a_source_that_corrects_a_session_makes_no_second_one() -> None:
    by_id = known([listing(50, ("L1", -420, -300, 20.0))], known([listing(10, ("L1", 0, 120, 20.0))]))
    assert [each.session.started_at for each in by_id] == [T0 - 420 * MINUTE]
    moved = known([listing(50, (None, 1, 119, 21.0))], known([listing(10, (None, 0, 120, 20.0))]))
    assert kwhs(moved) == [21.0]
    zone = known(
        [listing(50, (None, -1440, -1400, 3.0), (None, -60, 60, 20.0))],
        known([listing(10, (None, -1440, -1400, 3.0), (None, 0, 120, 20.0))]),
    )
    assert kwhs(zone) == [3.0, 20.0]


def test_two_charges_of_the_same_length_and_energy_on_two_days_are_two() -> None:
    first = known([listing(10, (None, 0, 120, 20.0))])
    assert kwhs(known([listing(40, (None, 0, 120, 20.0), (None, 1440, 1560, 20.0))], first)) == [20.0, 20.0]


def test_a_list_counts_a_session_once_though_it_stands_there_twice() -> None:
    assert kwhs(known([listing(10, ("1", 0, 120, 6.5), ("5", 0, 120, 6.5))])) == [6.5]
    assert kwhs(known([listing(10, ("1", 0, 30, 1.2), ("5", 0, 120, 6.5), ("6", 120, 180, 2.0))])) == [6.5, 2.0]


def test_a_session_whose_end_a_list_never_tells_swallows_none_of_the_later_ones() -> None:
    found = known([listing(99, ("O1", 0, None, 3.0), ("O2", 600, 700, 13.0), ("O3", 1300, 1400, 7.0))])
    assert kwhs(found) == [3.0, 13.0, 7.0]


def test_an_older_list_that_comes_later_takes_nothing_back() -> None:
    newer, older = listing(50, (None, 1, 120, 21.0)), listing(10, (None, 0, 120, 20.0), (None, -600, -500, 9.0))
    assert kwhs(known([older], known([newer]))) == kwhs(known([older, newer])) == [9.0, 21.0]


def test_a_session_without_an_end_is_over_once_a_later_one_began_or_nobody_speaks_of_it() -> None:
    (one,) = (each.session for each in known([listing(2, ("a", 60, None, 3.0))]))
    assert [each.is_open for each in closed([one], [], T0 + 3 * HOUR)] == [True]
    assert [each.is_open for each in closed([one], [], T0 + 60 * HOUR)] == [False]
    (over,) = closed([one], [own(300, 400)], T0 + 8 * HOUR)
    assert (over.is_open, over.ended_at, over.estimated) == (False, T0 + 2 * HOUR, True)
    again = known([listing(200, ("a", 60, None, 3.0))], known([listing(2, ("a", 60, None, 3.0))]))
    assert [each.session.ended_at for each in again] == [T0 + 2 * HOUR]  # nothing new was said of it since
