"""Where sessions took place, and whether in public: only where somebody said so."""

import msgspec
import pytest
from charging_days import HOUR, MINUTE, T0

from chargeport.derive.records.geofences import Fix, Geofence, fence_of, located
from chargeport.derive.sessions.session import Session
from chargeport.signals.records import Place

HOME = Geofence(name="Home", latitude=52.5, longitude=13.4, radius_m=100, is_public=False, tariff="night")
MALL = Geofence(name="Mall", latitude=52.501, longitude=13.4, radius_m=500, is_public=True)
LAKE = Geofence(name="Lake", latitude=48.0, longitude=11.0)
ONE = Session(started_at=T0, ended_at=T0 + HOUR, is_open=False)


def test_a_session_is_public_as_its_fence_says_and_unknown_without_one() -> None:
    at_home = located(ONE, [HOME, LAKE], [Fix(T0 - MINUTE, 52.5001, 13.4)])
    assert (at_home.is_public, at_home.place) == (False, Place("Home", None, 52.5001, 13.4))
    assert located(ONE, [HOME], [Fix(T0, 40.0, 3.0)]).is_public is None
    assert located(ONE, [HOME]) == ONE
    assert located(ONE, [LAKE], [Fix(T0, 48.0, 11.0)]).is_public is None


@pytest.mark.parametrize(("at", "known"), [(-16, False), (-14, True), (30, True), (61, False)])
def test_a_fix_counts_from_shortly_before_the_start_to_the_end(at: int, known: bool) -> None:
    assert (located(ONE, [HOME], [Fix(T0 + at * MINUTE, 52.5, 13.4)]).place is not None) is known


@pytest.mark.parametrize(("at", "known"), [(-316, False), (-314, True), (-200, True)])
def test_a_car_that_waits_at_the_cable_stands_where_it_was_when_it_was_plugged_in(at: int, known: bool) -> None:
    waited = msgspec.structs.replace(ONE, plugged_at=T0 - 300 * MINUTE)
    assert (located(waited, [HOME], [Fix(T0 + at * MINUTE, 52.5, 13.4)]).place is not None) is known


@pytest.mark.parametrize(("at", "known"), [(61, True), (479, True), (481, False)])
def test_a_car_that_stays_at_the_cable_stands_where_it_is_reported_before_it_is_unplugged(at: int, known: bool) -> None:
    stays = msgspec.structs.replace(ONE, unplugged_at=T0 + 480 * MINUTE)
    assert (located(stays, [HOME], [Fix(T0 + at * MINUTE, 52.5, 13.4)]).place is not None) is known


def test_a_place_that_is_reported_again_and_again_holds_all_the_time_between() -> None:
    stays = Fix(T0 - 9 * 24 * HOUR, 52.5, 13.4, until=T0 + 9 * 24 * HOUR)
    left = Fix(T0 - 9 * 24 * HOUR, 52.5, 13.4, until=T0 - HOUR)
    assert located(ONE, [HOME], [stays]).place == Place("Home", None, 52.5, 13.4)
    assert located(ONE, [HOME], [left]).place is None


TOLD_ONCE = Fix(T0 - 9 * 24 * HOUR, 52.5, 13.4, source="car")
ELSEWHERE = Fix(T0 - 3 * 24 * HOUR, 48.0, 11.0, source="garage")


@pytest.mark.parametrize(
    ("sources", "fixes", "known"),
    [
        (("car",), [TOLD_ONCE], True),
        (("box", "car"), [TOLD_ONCE], True),
        (("box",), [TOLD_ONCE], False),
        (("car",), [TOLD_ONCE, ELSEWHERE], False),
        (("car",), [msgspec.structs.replace(TOLD_ONCE, withdrawn_at=T0 - 1)], False),
        (("car",), [msgspec.structs.replace(TOLD_ONCE, withdrawn_at=T0 + 1)], True),
    ],
    ids=["told once", "beside a box", "by who tells nothing now", "and another elsewhere", "taken back", "taken back later"],
)
def test_the_last_word_of_who_tells_of_the_charging_holds(sources: tuple[str, ...], fixes: list[Fix], known: bool) -> None:
    session = msgspec.structs.replace(ONE, sources=sources)
    assert (located(session, [HOME], fixes).place == Place("Home", None, 52.5, 13.4)) is known


def test_of_two_fences_the_nearer_middle_counts() -> None:
    assert fence_of(Place(latitude=52.5002, longitude=13.4), [MALL, HOME]) == HOME
    assert fence_of(Place(latitude=52.502, longitude=13.4), [MALL, HOME]) == MALL
    assert fence_of(Place(name="Home"), [HOME]) is None
    assert fence_of(None, [HOME]) is None


def test_a_fence_across_the_date_line_is_a_circle_too() -> None:
    fiji = Geofence(name="Fiji", latitude=-17.0, longitude=180.0, radius_m=300)
    assert fence_of(Place(latitude=-17.0, longitude=-179.999), [fiji]) == fiji


def test_what_a_source_said_of_the_place_stays() -> None:
    sent = Session(started_at=T0, ended_at=T0 + HOUR, is_open=False, place=Place("Garage", None, 52.5, 13.4), is_public=True)
    done = located(sent, [HOME])
    assert (done.place, done.is_public) == (sent.place, True)
