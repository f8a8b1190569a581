"""Start, stop and limit over OCPP 1.6, 2.0.1 and 2.1, at stations that obey, refuse, are offline or answer late."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from ocpp.routing import after, on
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from ocpp_peers import NOW, PASSWORD, Central, Station16, Station201, booted, central
from source_world import T0, KeptMemory, source_context

from chargeport.clock import ManualClock
from chargeport.sources.base import Command, CommandError, Done, SourceError
from chargeport.sources.ocpp import commanding, station_connection
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.sources.ocpp.source import OcppSource

pytestmark = pytest.mark.service

SETTINGS = OcppSettings(
    stations={"box": StationSettings(password=PASSWORD, connectors={"1": "car-a", "2": "car-b"}, id_tags={"CARD-A": "car-a"})},
    zone="Europe/Berlin",
)
STAMP = datetime.fromtimestamp(T0 / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wanted(kind: str, **more: Any) -> Command:
    return Command(kind=f"charge-{kind}", names=frozenset({"car-a", "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"}), **more)


class Box16(Station16):
    """Does what it is asked to; `status` is what it answers, after `waits_s`, and `is_lazy` that it does nothing then."""

    status, waits_s, is_lazy, takes_profiles = "Accepted", 0.0, False, "Accepted"
    transaction = 0
    with_start: Any = None
    profile: Any = None
    tag = ""

    @on("RemoteStartTransaction")
    async def on_start(self, id_tag: str, **more: Any) -> Any:
        self.tag, self.with_start = id_tag, more.get("charging_profile")
        await asyncio.sleep(self.waits_s)
        return result16.RemoteStartTransaction(self.status)

    @after("RemoteStartTransaction")
    async def after_start(self, id_tag: str, connector_id: int, **_: Any) -> None:
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
    async def on_profile(self, connector_id: int, cs_charging_profiles: Any) -> Any:
        self.profile = cs_charging_profiles
        self.profiles[cs_charging_profiles["charging_profile_id"]] = connector_id
        self.has_profile.set()
        return result16.SetChargingProfile(self.takes_profiles)

    @on("ClearChargingProfile")
    async def on_clear(self, **given: Any) -> Any:
        self.has_cleared.set()
        return result16.ClearChargingProfile("Accepted" if self.profiles.pop(given["id"], None) else "Unknown")

    async def heartbeat(self) -> None:
        await self.call(call16.Heartbeat())

    async def boots(self) -> None:
        await booted(self, call16.BootNotification(charge_point_model="One", charge_point_vendor="ACME"))

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.profiles: dict[int, int] = {}
        self.has_profile, self.has_cleared = asyncio.Event(), asyncio.Event()

    def periods(self) -> list[tuple[int, float]]:
        schedule = self.profile["charging_schedule"]
        return [(each["start_period"], each["limit"]) for each in schedule["charging_schedule_period"]]


class Box201(Station201):
    """The same over 2.0.1."""

    status, waits_s, is_lazy, takes_profiles = "Accepted", 0.0, False, "Accepted"
    evse = 1
    with_start: Any = None
    profile: Any = None
    tag = ""

    @on("RequestStartTransaction")
    async def on_start(self, id_token: Any, evse_id: int, **more: Any) -> Any:
        self.tag, self.with_start, self.evse = id_token["id_token"], more.get("charging_profile"), evse_id
        await asyncio.sleep(self.waits_s)
        return result201.RequestStartTransaction(self.status)

    @after("RequestStartTransaction")
    async def after_start(self, **_: Any) -> None:
        if self.status == "Accepted" and not self.is_lazy:
            await self.begin(self.evse)

    async def begin(self, connector: int = 1) -> None:
        self.evse = connector
        await self.call(self.event("Started", 0, "RemoteStart"))

    def event(self, kind: str, number: int, reason: str) -> Any:
        return call201.TransactionEvent(
            event_type=kind, timestamp=STAMP, trigger_reason=reason, seq_no=number,
            evse={"id": self.evse, "connectorId": 1},
            transaction_info={"transactionId": f"T-{self.evse}", "chargingState": "Charging"},
        )  # fmt: skip

    @on("RequestStopTransaction")
    async def on_stop(self, transaction_id: str) -> Any:
        assert transaction_id == f"T-{self.evse}"
        return result201.RequestStopTransaction(self.status)

    @after("RequestStopTransaction")
    async def after_stop(self, **_: Any) -> None:
        await self.call(self.event("Ended", 1, "RemoteStop"))

    @on("SetChargingProfile")
    async def on_profile(self, evse_id: int, charging_profile: Any) -> Any:
        self.profile = charging_profile
        self.profiles[charging_profile["id"]] = evse_id
        self.has_profile.set()
        return result201.SetChargingProfile(self.takes_profiles)

    @on("ClearChargingProfile")
    async def on_clear(self, charging_profile_id: int, **_: Any) -> Any:
        self.has_cleared.set()
        return result201.ClearChargingProfile("Accepted" if self.profiles.pop(charging_profile_id, None) else "Unknown")

    async def heartbeat(self) -> None:
        await self.call(call201.Heartbeat())

    async def boots(self) -> None:
        await booted(self, call201.BootNotification(charging_station={"model": "One", "vendorName": "ACME"}, reason="PowerUp"))

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.profiles: dict[int, int] = {}
        self.has_profile, self.has_cleared = asyncio.Event(), asyncio.Event()

    def periods(self) -> list[tuple[int, float]]:
        (schedule,) = self.profile["charging_schedule"]
        return [(each["start_period"], each["limit"]) for each in schedule["charging_schedule_period"]]


class Box21(Box201):
    """The same over 2.1, checked by the schemas of 2.1."""

    _ocpp_version = "2.1"


of_both = pytest.mark.parametrize("kind", [Box16, Box201, Box21], ids=["1.6", "2.0.1", "2.1"])


async def with_box(
    kind: Any, work: Callable[[Central, Any], Awaitable[None]], settings: OcppSettings = SETTINGS, **given: Any
) -> None:
    async with central(settings, **given) as system, system.station(kind) as station:
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
        monkeypatch.setattr(station_connection, "ANSWER_WITHIN_S", 0.05)
        assert await refused(system, wanted("start")) == ("UPSTREAM", "NO_RESPONSE")

    await with_box(kind, work)

    async def patient(system: Central, station: Any) -> None:
        station.waits_s = 0.05
        monkeypatch.setattr(station_connection, "ANSWER_WITHIN_S", 10)
        assert await system.source.command(wanted("start")) is Done.OBEYED

    await with_box(kind, patient)


async def test_a_station_that_is_offline_does_not_answer() -> None:
    async with central(SETTINGS) as system:
        assert await refused(system, wanted("start")) == ("UPSTREAM", "NO_RESPONSE")


async def test_a_car_that_is_at_no_station_is_left_to_others() -> None:
    async def work(system: Central, _: Any) -> None:
        assert await system.source.command(Command(kind="charge-start", names=frozenset({"car-z"}))) is None

    await with_box(Box16, work)


def of_car_b(kind: str, **more: Any) -> Command:
    return Command(kind=f"charge-{kind}", names=frozenset({"car-b"}), **more)


@of_both
async def test_each_of_two_connectors_is_commanded_for_itself(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        await station.begin(1)
        assert await refused(system, of_car_b("stop")) == ("VEHICLE_STATE", "NOT_CHARGING")
        assert await system.source.command(wanted("set-limit", seconds_left=60)) is Done.OBEYED
        assert await system.source.command(of_car_b("start")) is Done.OBEYED
        assert await system.source.command(of_car_b("set-limit", seconds_left=90)) is Done.OBEYED
        assert sorted(station.profiles.values()) == [1, 2], "the second limit left the first in force"
        assert await system.source.command(of_car_b("stop")) is Done.OBEYED
        assert await refused(system, wanted("start")) == ("VEHICLE_STATE", "CHARGING_IN_PROGRESS")

    await with_box(kind, work)


@of_both
async def test_a_station_that_refuses_profiles_only_starts_and_stops_still(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        station.takes_profiles = "Rejected"
        assert await system.source.command(wanted("start")) is Done.OBEYED
        assert await refused(system, wanted("set-limit", seconds_left=60)) == ("UPSTREAM", "UNKNOWN_ISSUE")
        assert await refused(system, created("daily", **NIGHT)) == ("UPSTREAM", "UNKNOWN_ISSUE")
        assert await refused(system, DELETED) == ("RESOURCE_NOT_FOUND", "PATH")
        assert await system.source.command(wanted("stop")) is Done.OBEYED

    await with_box(kind, work)


NIGHT = {"startTime": "22:00", "stopTime": "06:00"}
DELETED = wanted("schedule-delete", parameters={"scheduleId": "s-1"})
HOUR_S = 3600


def created(kind: str, **windows: Any) -> Command:
    return wanted("schedule-create", parameters={"scheduleType": kind, "scheduleId": "s-1", **windows})


def begin_of(station: Any) -> datetime:
    schedule = station.profile["charging_schedule"]
    (schedule,) = schedule if isinstance(schedule, list) else [schedule]
    return datetime.fromisoformat(schedule["start_schedule"]).astimezone(ZoneInfo("Europe/Berlin"))


@of_both
async def test_a_daily_schedule_recurs_from_its_local_start_until_it_is_deleted(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        assert await system.source.command(created("daily", **NIGHT)) is Done.OBEYED
        profile = station.profile
        assert (profile["charging_profile_purpose"], profile["charging_profile_kind"]) == ("TxDefaultProfile", "Recurring")
        assert profile["recurrency_kind"] == "Daily"
        assert station.periods() == [(0, 500), (8 * HOUR_S, 0)]
        begin = begin_of(station)
        assert (begin.hour, begin.minute) == (22, 0)
        assert timedelta(0) <= datetime.fromtimestamp(NOW / 1000, UTC) - begin < timedelta(days=1)
        assert await system.source.command(DELETED) is Done.OBEYED
        assert station.profiles == {}
        assert await refused(system, DELETED) == ("RESOURCE_NOT_FOUND", "PATH")

    await with_box(kind, work)


@of_both
async def test_a_weekly_schedule_recurs_from_monday_and_runs_over_its_end(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        days = {"sunday": NIGHT, "monday": {"startTime": "05:00", "stopTime": "07:00"}}
        assert await system.source.command(created("weekly", days=days)) is Done.OBEYED
        assert station.profile["recurrency_kind"] == "Weekly"
        assert station.periods() == [(0, 500), (7 * HOUR_S, 0), ((6 * 24 + 22) * HOUR_S, 500)]
        begin = begin_of(station)
        assert (begin.weekday(), begin.hour, begin.minute) == (0, 0, 0)

    await with_box(kind, work)


@of_both
async def test_a_workweek_schedule_has_windows_of_its_own_at_the_weekend(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        noon = {"startTime": "11:00", "stopTime": "12:00"}
        assert await system.source.command(created("workweek", weekdays=noon, weekends=None)) is Done.OBEYED
        days = [(day * 24 + 11) * HOUR_S for day in range(5)]
        assert station.periods() == [(0, 0), *(each for at in days for each in ((at, 500), (at + HOUR_S, 0)))]

    await with_box(kind, work)


@of_both
async def test_a_new_schedule_takes_the_place_of_the_old_one(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        await system.source.command(created("daily", **NIGHT))
        later = {"scheduleType": "daily", "scheduleId": "s-2", "startTime": "00:00", "stopTime": "00:00"}
        assert await system.source.command(wanted("schedule-create", parameters=later)) is Done.OBEYED
        assert station.periods() == [(0, 500)], "all day"
        assert len(station.profiles) == 1
        assert await refused(system, DELETED) == ("RESOURCE_NOT_FOUND", "PATH")

    await with_box(kind, work)


@of_both
async def test_start_overrules_a_schedule(kind: Any) -> None:
    async def work(system: Central, station: Any) -> None:
        await system.source.command(created("daily", **NIGHT))
        assert await system.source.command(wanted("start")) is Done.OBEYED
        assert station.with_start["charging_profile_purpose"] == "TxProfile"
        assert await system.source.command(wanted("start")) is Done.OBEYED
        assert (station.profile["charging_profile_purpose"], station.periods()) == ("TxProfile", [(0, 500)])

    await with_box(kind, work)


@of_both
async def test_a_schedule_that_the_station_has_forgotten_can_be_deleted_after_a_restart(kind: Any) -> None:
    memory = KeptMemory()

    async def first(system: Central, _: Any) -> None:
        await system.source.command(created("daily", **NIGHT))

    async def second(system: Central, _: Any) -> None:
        stranger = Command(kind="charge-schedule-delete", names=frozenset({"car-b"}), parameters={"scheduleId": "s-1"})
        assert await refused(system, stranger) == ("RESOURCE_NOT_FOUND", "PATH")
        assert await system.source.command(DELETED) is Done.OBEYED

    await with_box(kind, first, memory=memory)
    await with_box(kind, second, memory=memory)


@of_both
async def test_a_schedule_moves_with_the_local_clock(kind: Any) -> None:
    clock = ManualClock(NOW)

    async def work(system: Central, station: Any) -> None:
        await system.source.command(created("daily", **NIGHT))
        clock.move(183 * 86_400)
        station.has_profile.clear()
        await station.heartbeat()
        async with asyncio.timeout(10):
            await station.has_profile.wait()
        assert begin_of(station).hour == 22

    await with_box(kind, work, clock=clock)


@of_both
async def test_the_schedule_of_an_erased_car_is_cleared_while_the_station_is_connected(kind: Any) -> None:
    memory = KeptMemory()

    async def work(system: Central, station: Any) -> None:
        await system.source.command(created("daily", **NIGHT))
        memory.erase("car-a")
        await station.heartbeat()
        async with asyncio.timeout(10):
            await station.has_cleared.wait()
        assert station.profiles == {}

    await with_box(kind, work, memory=memory)


@of_both
async def test_the_schedule_of_a_car_that_was_erased_meanwhile_is_cleared_when_the_station_connects(kind: Any) -> None:
    memory = KeptMemory()

    async def first(system: Central, _: Any) -> None:
        await system.source.command(created("daily", **NIGHT))

    async def second(system: Central, station: Any) -> None:
        await station.heartbeat()
        async with asyncio.timeout(10):
            await station.has_cleared.wait()

    await with_box(kind, first, memory=memory)
    memory.erase("car-a")
    await with_box(kind, second, memory=memory)


async def test_a_schedule_needs_a_time_zone_and_a_connector_of_the_cars_own() -> None:
    async def without_zone(system: Central, _: Any) -> None:
        with pytest.raises(CommandError, match="zone"):
            await system.source.command(created("daily", **NIGHT))

    await with_box(Box16, without_zone, msgspec.structs.replace(SETTINGS, zone=None))

    async def with_card(system: Central, station: Any) -> None:
        await station.begin()
        with pytest.raises(CommandError, match="not the car's own"):
            await system.source.command(created("daily", **NIGHT))

    own = StationSettings(password=PASSWORD, id_tags={"CARD-A": "car-a"})
    await with_box(Box16, with_card, msgspec.structs.replace(SETTINGS, stations={"box": own}))


def test_a_time_zone_that_there_is_not_stops_the_source() -> None:
    with pytest.raises(SourceError, match="'Mars/Base' is no time zone"):
        OcppSource(msgspec.structs.replace(SETTINGS, zone="Mars/Base"), source_context("boxes", "ocpp"))
