"""Start, stop and limit over OCPP 1.6, 2.0.1 and 2.1, at stations that obey, refuse, are offline or answer late."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ocpp.routing import after, on
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from ocpp_peers import PASSWORD, Central, Station16, Station201, booted, central
from source_world import T0

from chargeport.sources.base import Command, CommandError, Done
from chargeport.sources.ocpp import commanding, session
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings

pytestmark = pytest.mark.service

SETTINGS = OcppSettings(
    stations={"box": StationSettings(password=PASSWORD, connectors={"1": "car-a"}, id_tags={"CARD-A": "car-a"})}
)
STAMP = datetime.fromtimestamp(T0 / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wanted(kind: str, **more: Any) -> Command:
    return Command(kind=f"charge-{kind}", names=frozenset({"car-a", "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"}), **more)


class Box16(Station16):
    """Does what it is asked to; `status` is what it answers, after `waits_s`, and `is_lazy` that it does nothing then."""

    status, waits_s, is_lazy = "Accepted", 0.0, False
    transaction = 0
    profile: Any = None
    tag = ""

    @on("RemoteStartTransaction")
    async def on_start(self, id_tag: str, **_: Any) -> Any:
        self.tag = id_tag
        await asyncio.sleep(self.waits_s)
        return result16.RemoteStartTransaction(self.status)

    @after("RemoteStartTransaction")
    async def after_start(self, id_tag: str, connector_id: int) -> None:
        if self.status == "Accepted" and not self.is_lazy:
            await self.begin(connector_id, id_tag)

    async def begin(self, connector: int = 1, tag: str = "CARD-A") -> None:
        begun = call16.StartTransaction(connector_id=connector, id_tag=tag, meter_start=100, timestamp=STAMP)
        self.transaction = (await self.call(begun)).transaction_id

    @on("RemoteStopTransaction")
    async def on_stop(self, transaction_id: int) -> Any:
        assert transaction_id == self.transaction
        return result16.RemoteStopTransaction(self.status)

    @after("RemoteStopTransaction")
    async def after_stop(self, transaction_id: int) -> None:
        await self.call(call16.StopTransaction(transaction_id=transaction_id, meter_stop=200, timestamp=STAMP))

    @on("SetChargingProfile")
    async def on_profile(self, cs_charging_profiles: Any, **_: Any) -> Any:
        self.profile = cs_charging_profiles
        return result16.SetChargingProfile(self.status)

    async def boots(self) -> None:
        await booted(self, call16.BootNotification(charge_point_model="One", charge_point_vendor="ACME"))

    def periods(self) -> list[tuple[int, float]]:
        schedule = self.profile["charging_schedule"]
        return [(each["start_period"], each["limit"]) for each in schedule["charging_schedule_period"]]


class Box201(Station201):
    """The same over 2.0.1."""

    status, waits_s, is_lazy = "Accepted", 0.0, False
    transaction = "T-1"
    profile: Any = None
    tag = ""

    @on("RequestStartTransaction")
    async def on_start(self, id_token: Any, **_: Any) -> Any:
        self.tag = id_token["id_token"]
        await asyncio.sleep(self.waits_s)
        return result201.RequestStartTransaction(self.status)

    @after("RequestStartTransaction")
    async def after_start(self, **_: Any) -> None:
        if self.status == "Accepted" and not self.is_lazy:
            await self.begin()

    async def begin(self) -> None:
        await self.call(self.event("Started", 0, "RemoteStart"))

    def event(self, kind: str, number: int, reason: str) -> Any:
        return call201.TransactionEvent(
            event_type=kind, timestamp=STAMP, trigger_reason=reason, seq_no=number, evse={"id": 1, "connectorId": 1},
            transaction_info={"transactionId": self.transaction, "chargingState": "Charging"},
        )  # fmt: skip

    @on("RequestStopTransaction")
    async def on_stop(self, transaction_id: str) -> Any:
        assert transaction_id == self.transaction
        return result201.RequestStopTransaction(self.status)

    @after("RequestStopTransaction")
    async def after_stop(self, **_: Any) -> None:
        await self.call(self.event("Ended", 1, "RemoteStop"))

    @on("SetChargingProfile")
    async def on_profile(self, charging_profile: Any, **_: Any) -> Any:
        self.profile = charging_profile
        return result201.SetChargingProfile(self.status)

    async def boots(self) -> None:
        await booted(self, call201.BootNotification(charging_station={"model": "One", "vendorName": "ACME"}, reason="PowerUp"))

    def periods(self) -> list[tuple[int, float]]:
        (schedule,) = self.profile["charging_schedule"]
        return [(each["start_period"], each["limit"]) for each in schedule["charging_schedule_period"]]


class Box21(Box201):
    """The same over 2.1, checked by the schemas of 2.1."""

    _ocpp_version = "2.1"


of_both = pytest.mark.parametrize("kind", [Box16, Box201, Box21], ids=["1.6", "2.0.1", "2.1"])


async def with_box(kind: Any, work: Callable[[Central, Any], Awaitable[None]]) -> None:
    async with central(SETTINGS) as system, system.station(kind) as station:
        await station.boots()
        await work(system, station)


async def refused(system: Central, command: Command) -> tuple[str, str]:
    with pytest.raises(CommandError) as raised:
        await system.source.command(command)
    return raised.value.type, raised.value.code


@of_both
async def test_a_station_that_obeys_starts_limits_and_stops(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        assert await system.source.command(wanted("start")) is Done.OBEYED
        assert station.tag.upper() == "CARD-A", "the car's own card"
        assert await refused(system, wanted("start")) == ("VEHICLE_STATE", "CHARGING_IN_PROGRESS")
        assert await system.source.command(wanted("set-limit", seconds_left=1800.4)) is Done.OBEYED
        assert station.periods() == [(0, 500), (1800, 0)]
        assert await system.source.command(wanted("stop")) is Done.OBEYED
        assert await refused(system, wanted("stop")) == ("VEHICLE_STATE", "NOT_CHARGING")

    await with_box(kind, work)


@of_both
async def test_a_limit_that_is_reached_already_stops_the_current_at_once(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        await station.begin()
        assert await system.source.command(wanted("set-limit", seconds_left=0)) is Done.OBEYED
        assert station.periods() == [(0, 0)]

    await with_box(kind, work)


@of_both
async def test_without_a_state_of_charge_there_is_no_limit(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        assert await refused(system, wanted("set-limit", seconds_left=60)) == ("VEHICLE_STATE", "NOT_CHARGING")
        await station.begin()
        assert await refused(system, wanted("set-limit")) == ("COMPATIBILITY", "VEHICLE_NOT_CAPABLE")

    await with_box(kind, work)


@of_both
async def test_a_station_that_refuses_is_said_to(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        station.status = "Rejected"
        assert await refused(system, wanted("start")) == ("UPSTREAM", "UNKNOWN_ISSUE")

    await with_box(kind, work)


@of_both
async def test_a_station_that_promises_and_does_not_begin_is_pending(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commanding, "CONFIRMED_WITHIN_S", 0.1)

    async def work(system: Central, station: Any) -> None:
        station.is_lazy = True
        assert await system.source.command(wanted("start")) is Done.TAKEN

    await with_box(kind, work)


@of_both
async def test_a_late_answer_counts_and_one_that_is_too_late_does_not(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(system: Central, station: Any) -> None:
        station.waits_s = 0.2
        monkeypatch.setattr(session, "ANSWER_WITHIN_S", 0.05)
        assert await refused(system, wanted("start")) == ("UPSTREAM", "NO_RESPONSE")

    await with_box(kind, work)

    async def patient(system: Central, station: Any) -> None:
        station.waits_s = 0.05
        monkeypatch.setattr(session, "ANSWER_WITHIN_S", 10)
        assert await system.source.command(wanted("start")) is Done.OBEYED

    await with_box(kind, patient)


async def test_a_station_that_is_offline_does_not_answer() -> None:
    async with central(SETTINGS) as system:
        assert await refused(system, wanted("start")) == ("UPSTREAM", "NO_RESPONSE")


async def test_a_car_that_is_at_no_station_is_left_to_others() -> None:
    async def work(system: Central, _: Any) -> None:
        assert await system.source.command(Command(kind="charge-start", names=frozenset({"car-z"}))) is None

    await with_box(Box16, work)


@of_both
async def test_a_schedule_is_beyond_a_station(kind: Any) -> None:
    async def work(system: Central, _: Any) -> None:
        assert await refused(system, wanted("schedule-create")) == ("COMPATIBILITY", "VEHICLE_NOT_CAPABLE")

    await with_box(kind, work)
