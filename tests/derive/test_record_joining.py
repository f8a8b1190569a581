"""Sessions that sources report as records, joined with our own: each once, with the best of both."""

import msgspec
from charging_days import HOUR, T0
from test_record_bodies import session

from chargeport.derive.records.joined import RECORDS, joined, reported
from chargeport.derive.records.records import records, wire_instant
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import Piece, Track
from chargeport.signals.records import Cost

MINUTE = HOUR // 60


def told(start: int, end: int, source: str = "evcc", **changes: object) -> Session:
    return session(T0 + start * MINUTE, (end - start) / 60, sources=(source,), reported_id=f"{source}-{start}", **changes)


def own(start: int, end: int, **changes: object) -> Session:
    stretches = (Stretch(T0 + start * MINUTE, T0 + end * MINUTE),)
    return session(T0 + start * MINUTE, (end - start) / 60, sources=("car",), stretches=stretches, **changes)


def test_reported_numbers_win_and_ours_fill_in_what_is_missing() -> None:
    mine = own(5, 60, energy_added_kwh=9.0, energy_drawn_kwh=10.0, start_soc=40.0, estimated=True, energy_method="integral")
    (one,) = joined([mine], [told(0, 62, energy_added_kwh=9.4, energy_method="reported", cost=Cost("EUR", 3.0))])
    assert (one.started_at, one.ended_at) == (T0, T0 + 62 * MINUTE)
    assert (one.energy_added_kwh, one.energy_method, one.estimated) == (9.4, "reported", False)
    assert (one.energy_drawn_kwh, one.start_soc, one.cost) == (10.0, 40.0, Cost("EUR", 3.0))
    assert (one.sources, one.reported_id) == (("car", "evcc"), "evcc-0")


def test_half_in_common_is_not_enough_and_a_little_more_is() -> None:
    assert len(joined([own(0, 60)], [told(30, 90)])) == 2
    assert len(joined([own(0, 60)], [told(29, 89)])) == 1
    assert len(joined([own(0, 60)], [told(61, 90)])) == 2


def test_two_sources_and_we_ourselves_make_one_of_one_session_in_any_order() -> None:
    maker, wallbox = told(1, 59, "maker", energy_added_kwh=9.1), told(0, 65, "wallbox", energy_added_kwh=10.2, is_public=False)
    expected = joined([own(0, 60)], [maker, wallbox])
    assert expected == joined([own(0, 60)], [wallbox, maker])
    (one,) = expected
    assert (one.energy_added_kwh, one.is_public, one.sources) == (9.1, False, ("car", "maker", "wallbox"))


def test_segments_of_a_quarter_that_a_source_makes_of_one_session_are_summed() -> None:
    (one,) = joined([own(0, 60)], [told(start, start + 15, energy_added_kwh=2.5) for start in (0, 15, 30, 45)])
    assert (one.energy_added_kwh, one.started_at, one.ended_at) == (10.0, T0, T0 + HOUR)
    (part,) = joined([own(0, 60, energy_added_kwh=9.9)], [told(0, 15, energy_added_kwh=2.5), told(15, 30)])
    assert part.energy_added_kwh == 9.9  # a sum with an unknown part is not known


def test_our_own_sessions_are_never_joined_by_themselves() -> None:
    assert joined([own(0, 60), own(60, 90)], []) == [own(0, 60), own(60, 90)]


def test_a_reported_session_that_we_know_nothing_of_keeps_its_id_and_one_that_we_know_has_ours() -> None:
    alone, both = records("car", joined([own(600, 660)], [told(0, 60), told(600, 660)]))
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
        Piece(T0 + 11, T0 + 11, body(500), "chargeport"),
        Piece(T0 + 12, T0 + 12, None, "maker", absence="UNREACHABLE"),
    )
    found = reported(Track(RECORDS, pieces), ours="chargeport")
    assert [((one.started_at - T0) // MINUTE, one.sources, one.energy_added_kwh) for one in found] == [
        (0, ("maker",), 5.0),
        (60, ("evcc",), 5.0),
        (60, ("maker",), 6.0),
        (120, ("maker",), 6.0),
    ]
    assert all(one.is_open for one in found)
    assert reported(None) == []


def test_a_record_without_a_start_is_left_out() -> None:
    assert reported(Track(RECORDS, (Piece(T0, T0, '{"values":[{"id":"x","energyAdded":3}]}', "maker"),))) == []
