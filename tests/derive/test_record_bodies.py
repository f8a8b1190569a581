"""Records as the API shows them, their ids, and the total that only grows."""

import msgspec
import pytest
from charging_days import DAY, HOUR, T0
from hypothesis import given
from hypothesis import strategies as st

from chargeport.derive.records.records import NEWEST, Record, id_at, record_id, records, to_body, total_kwh
from chargeport.derive.sessions.session import Session
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.records import Cost, Place

CAR = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
RECORDS = BY_CODE["charge-chargerecords"]


def session(start: int = T0, hours: float = 1, **changes: object) -> Session:
    return msgspec.structs.replace(Session(started_at=start, ended_at=start + round(hours * HOUR), is_open=False), **changes)


def test_a_record_has_the_members_that_are_known_in_the_wires_form() -> None:
    full = session(
        start_soc=25,
        end_soc=90.5,
        energy_added_kwh=65.2049,
        is_public=False,
        charging_type="DC",
        cost=Cost("GBP", 12.56, 0),
        place=Place("Home", None, 51.5, -0.14),
    )
    (shown,) = to_body(records(CAR, [full]))["values"]
    assert shown == {
        "startTime": "2026-05-01T02:00:00.000Z",
        "endTime": "2026-05-01T03:00:00.000Z",
        "startStateOfCharge": 25,
        "endStateOfCharge": 90.5,
        "energyAdded": 65.2,
        "isPublicCharger": False,
        "chargingType": "DC",
        "cost": {"currency": "GBP", "energyAmount": 12.56, "otherAmount": 0},
        "location": {"name": "Home", "latitude": 51.5, "longitude": -0.14},
        "id": id_at(CAR, T0),
    }


def test_what_is_not_known_is_left_out_and_an_open_session_has_no_end() -> None:
    (shown,) = to_body(records(CAR, [session(is_open=True, end_soc=50)]))["values"]
    assert set(shown) == {"startTime", "id"}


def test_the_newest_two_hundred_are_shown_the_newest_last() -> None:
    shown = to_body(records(CAR, [session(T0 + day * DAY) for day in reversed(range(NEWEST + 50))]))["values"]
    assert len(shown) == NEWEST
    assert [one["startTime"] for one in shown] == sorted(one["startTime"] for one in shown)
    assert shown[-1]["id"] == id_at(CAR, T0 + (NEWEST + 49) * DAY)


def test_an_id_is_of_car_and_start_alone() -> None:
    assert record_id(CAR, session()) == record_id(CAR, session(hours=5, energy_added_kwh=3.0, is_open=True))
    assert record_id(CAR, session()) != record_id("another", session())
    assert record_id(CAR, session()) != record_id(CAR, session(T0 + 1))
    assert record_id(CAR, session()).startswith("CHG-20260501-")
    assert record_id(CAR, session(reported_id="evcc-7")) == "evcc-7"


def test_two_reported_sessions_of_one_id_are_both_kept_apart() -> None:
    found = records(CAR, [session(reported_id="7"), session(T0 + DAY, reported_id="7")])
    assert len({record.id for record in found}) == len(found) == 2


@given(st.lists(st.builds(session, st.integers(0, 2**42), st.floats(0.1, 40)), max_size=10))
def test_every_body_is_one_that_we_would_take_ourselves(found: list[Session]) -> None:
    bodies.parse(RECORDS, to_body([Record(id=str(index), session=one) for index, one in enumerate(found)]))


@given(st.lists(st.one_of(st.none(), st.floats(0, 100))))
def test_the_total_is_the_sum_of_what_is_known(energies: list[float | None]) -> None:
    found = [session(energy_added_kwh=energy) for energy in energies]
    assert total_kwh(found) == pytest.approx(sum(energy or 0 for energy in energies))


def test_a_cost_below_zero_is_shown_as_it_is() -> None:
    body = to_body(records(CAR, [session(cost=Cost("EUR", -0.42))]))
    assert body["values"][0]["cost"] == {"currency": "EUR", "energyAmount": -0.42}
    assert bodies.parse(RECORDS, body)
