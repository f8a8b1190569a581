"""The tests of the app, with the fixture that Chargeport brings."""

import pytest
from app import sentence

from chargeport.testing import Server


@pytest.fixture
def said(chargeport_server: Server):
    return lambda: sentence(chargeport_server.url, chargeport_server.token, chargeport_server.car.id)


def test_the_owner_is_told_when_the_car_is_ready(chargeport_server: Server, said) -> None:
    assert said() == "Your car is not charging."
    chargeport_server.car.plug()
    chargeport_server.clock.advance(minutes=2)
    assert said() == "Ready in 2 hours."
    chargeport_server.clock.advance(hours=8)
    assert said() == "Your car is ready."


def test_a_lost_permission_is_asked_for(chargeport_server: Server, said) -> None:
    chargeport_server.faults.add("PERMISSION", times=1)
    assert said() == "Please allow us to see your car again."
    assert said() == "Your car is not charging."


def test_a_silent_car_is_not_said_to_charge(chargeport_server: Server, said) -> None:
    chargeport_server.car.plug()
    chargeport_server.clock.advance(minutes=2)
    chargeport_server.car.silence(hours=1)
    chargeport_server.clock.advance(minutes=55)
    assert said() == "Your car can't be reached at the moment."
