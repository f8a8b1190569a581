"""Who may connect to the central system, and what becomes of those who speak no OCPP; over a real websocket."""

import asyncio
import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import websockets
from ocpp_peers import PASSWORD, SETTINGS, Central, answer_to, basic, central, closed_with, listening
from source_world import Heard, source_context

from chargeport.attempts import LocalAttempts
from chargeport.sources.base import REFUSED, Cause, SourceError
from chargeport.sources.ocpp import source as ocpp_source
from chargeport.sources.ocpp.admission import Admission
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.sources.ocpp.source import TYPE, OcppSource

pytestmark = pytest.mark.service

HEARTBEAT = '[2,"h","Heartbeat",{}]'
KEY = "0123456789abcdef0123456789abcdef01234567"


def admission_of(box: StationSettings) -> Admission:
    return Admission(OcppSettings(stations={"box": box}), LocalAttempts(), "ocpp")


async def refusal(system: Central, *given: Any, **more: Any) -> tuple[int, str]:
    """The HTTP answer to an attempt to connect."""
    with pytest.raises(websockets.InvalidStatus) as found:
        await system.connect(*given, **more)
    response = found.value.response
    return response.status_code, (response.body or b"").decode()


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [("box", "wrong", 401), ("box", None, 401), ("box", PASSWORD + " ", 401), ("other", PASSWORD, 404)],
)
async def test_who_is_not_known_or_has_no_password_does_not_come_in(name: str, password: str | None, status: int) -> None:
    async with central() as system:
        found, sentence = await refusal(system, name, password)
        assert found == status
        assert sentence.endswith(".")
        (reported,) = await system.is_told(1)
        assert reported.topic == f"station {name}"
        assert reported.headers[REFUSED].startswith(f"station {name!r} was refused: it")
        status = system.reporter.stations[name]
        assert (status.is_connected, status.refusals) == (False, 1)
        assert status.refused_because in reported.headers[REFUSED]


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Bearer Ym94OmE=", "Basic Ym94", "Basic " + "QUFB" * 2000])
async def test_a_header_that_proves_nothing_is_refused(header: str) -> None:
    async with central() as system:
        with pytest.raises(websockets.InvalidStatus) as found:
            await websockets.connect(
                system.url + "box", subprotocols=["ocpp1.6"], additional_headers={"Authorization": header}, proxy=None
            )
        assert found.value.response.status_code == 401
        assert found.value.response.headers["www-authenticate"].startswith("Basic")


async def test_another_stations_name_does_not_open_the_door() -> None:
    both = OcppSettings(stations={"box": StationSettings(password="one"), "den": StationSettings(password="two")})
    async with central(both) as system:
        assert (await refusal(system, "box", "two"))[0] == 401
        async with system.connect("den", "two") as connection:
            assert (await answer_to(connection, HEARTBEAT))[0] == 3


async def test_a_key_in_hex_may_be_sent_as_the_bytes_it_stands_for() -> None:
    async with central(OcppSettings(stations={"box": StationSettings(password=KEY)})) as system:
        for spelling in (KEY.encode(), bytes.fromhex(KEY)):
            header = {"Authorization": "Basic " + base64.b64encode(b"box:" + spelling).decode()}
            async with websockets.connect(
                system.url + "box", subprotocols=["ocpp1.6"], additional_headers=header, proxy=None
            ) as connection:
                assert (await answer_to(connection, HEARTBEAT))[0] == 3


@pytest.mark.parametrize("path", ["box/", "/box", "box//", "box/box", "BOX", "%62ox/"])
async def test_a_station_is_known_in_every_spelling_of_its_address(path: str) -> None:
    async with central() as system:
        url = system.url + path
        async with websockets.connect(
            url, subprotocols=["ocpp1.6"], additional_headers=basic("box", PASSWORD), proxy=None
        ) as connection:
            assert (await answer_to(connection, HEARTBEAT))[0] == 3
        assert set(system.reporter.stations) == {"box"}


@pytest.mark.parametrize(("path", "word"), [("", "ends without its identity"), ("box/2", 'add [sources.stations."box/2"]')])
async def test_an_address_that_names_no_station_of_ours_is_refused_with_the_way_out(path: str, word: str) -> None:
    async with central() as system:
        assert (await refusal(system, path))[0] == 404
        (reported,) = await system.is_told(1)
        assert word in reported.headers[REFUSED]


@pytest.mark.parametrize("path", ["OCPP/box", "/ocpp/box", "Ocpp//box/"])
async def test_the_path_is_known_in_every_spelling(path: str) -> None:
    async with central() as system:
        url = system.url.removesuffix("ocpp/") + path
        async with websockets.connect(
            url, subprotocols=["ocpp1.6"], additional_headers=basic("box", PASSWORD), proxy=None
        ) as connection:
            assert (await answer_to(connection, HEARTBEAT))[0] == 3


@pytest.mark.parametrize(
    ("path", "station"),
    [("box", "box"), ("ocpp16/BOX/", "box"), ("steve/websocket/den", "den"), ("", "(none)"), ("ocpp", "(none)")],
)
async def test_a_station_at_another_path_is_refused_with_the_way_out(path: str, station: str) -> None:
    async with central() as system:
        url = system.url.removesuffix("ocpp/") + path
        with pytest.raises(websockets.InvalidStatus) as found:
            await websockets.connect(url, subprotocols=["ocpp1.6"], proxy=None)
        assert found.value.response.status_code == 404
        (reported,) = await system.is_told(1)
    assert reported.headers[REFUSED].startswith(f"station '{station}' was refused: its address ")
    assert set(system.reporter.stations) == {station}


async def test_what_is_no_station_and_no_path_of_ours_is_nobody_s_issue() -> None:
    async with central() as system:
        with pytest.raises(websockets.InvalidStatus) as found:
            await websockets.connect(system.url.removesuffix("ocpp/") + "live", subprotocols=["chat"], proxy=None)
        assert found.value.response.status_code == 403
        assert system.reported == []


async def test_who_guesses_passwords_has_to_wait_and_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    two = OcppSettings(stations={name: StationSettings(password=PASSWORD) for name in ("box", "den")})
    async with central(two) as system:
        for number in range(5):
            assert (await refusal(system, "box", f"guess {number}"))[0] == 401
        status, sentence = await refusal(system, "box", PASSWORD)
        assert (status, sentence) == (429, "Too many attempts have failed; try again in a minute.")
        async with system.connect("den", PASSWORD) as connection:
            assert (await answer_to(connection, HEARTBEAT))[0] == 3
        assert system.reporter.stations["box"].refusals == 6
    logged = [each.getMessage() for each in caplog.records if "password is wrong" in each.getMessage()]
    assert len(logged) == 1, "each reason once"
    assert "'box'" in logged[0]
    assert "from 127.0.0.1" in logged[0]
    assert not any("guess" in each.getMessage() for each in caplog.records)


async def test_who_guesses_from_many_addresses_has_to_wait_but_not_where_the_station_is_at_home() -> None:
    admission = admission_of(StationSettings(password=PASSWORD))

    async def status(address: str, password: str) -> int:
        refusal = await admission.refusal("box", basic("box", password)["Authorization"], address, over_tls=False)
        return 101 if refusal is None else refusal.status

    assert await status("192.0.2.1", PASSWORD) == 101
    guessed = [await status(f"198.51.100.{number}", f"guess {number}") for number in range(30)]
    assert guessed == [401] * 25 + [429] * 5
    assert await status("203.0.113.1", PASSWORD) == 429, "nothing is checked now, or guessing would go on"
    assert await status("192.0.2.1", PASSWORD) == 101


async def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    admission = admission_of(StationSettings(password=PASSWORD))
    header = basic("box", "wrong")["Authorization"]
    refusals = [await admission.refusal("box", header, f"2001:db8::{number:x}", over_tls=False) for number in range(7)]
    assert [each and each.status for each in refusals] == [401] * 5 + [429] * 2


async def test_who_tries_many_identities_has_to_wait_with_all_of_them() -> None:
    async with central() as system:
        for number in range(60):
            assert (await refusal(system, f"name-{number}"))[0] == 404
        assert (await refusal(system))[0] == 429


async def test_somebody_who_is_refused_under_the_name_of_a_station_does_not_disconnect_it() -> None:
    async with central() as system, system.connect() as connection:
        assert (await refusal(system, "box", "wrong"))[0] == 401
        assert (await answer_to(connection, HEARTBEAT))[0] == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (OcppSettings(), "No station can connect: name them in [sources.stations]"),
        (OcppSettings(accept_unknown_stations=True, security_profile=0), "can connect as any station"),
        (OcppSettings(stations={"den": StationSettings(security_profile=0)}), "can connect as den"),
        (SETTINGS, None),
        (OcppSettings(accept_unknown_stations=True, password="common"), None),
    ],
)
async def test_settings_that_let_nobody_in_or_anybody_warn_at_the_start(
    settings: OcppSettings, sentence: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with central(settings):
        warnings = [each.getMessage() for each in caplog.records if each.name == "chargeport.sources.ocpp"]
    assert len(warnings) == (sentence is not None)
    assert all(sentence in each for each in warnings if sentence is not None)


async def test_profile_2_wants_tls() -> None:
    async with central(msgspec.structs.replace(SETTINGS, security_profile=2)) as system:
        assert (await refusal(system))[0] == 403


async def test_profile_2_believes_who_mounts_it_that_a_proxy_had_tls() -> None:
    settings = msgspec.structs.replace(SETTINGS, security_profile=2)
    async with central(settings, over_tls=True) as system:
        assert (await refusal(system, "box", "wrong"))[0] == 401
        async with system.connect() as connection:
            assert (await answer_to(connection, HEARTBEAT))[0] == 3


async def test_a_source_that_does_not_run_sends_stations_away_for_a_while() -> None:
    source = OcppSource(SETTINGS, source_context("boxes", "ocpp"))
    async with listening(source) as url:
        assert await refusal(Central(url, Heard(), source)) == (503, "The central system is not running; try again later.")


async def test_profile_0_asks_for_no_password() -> None:
    async with central(OcppSettings(stations={"box": StationSettings(security_profile=0)})) as system:
        async with system.connect(password=None) as connection:
            assert (await answer_to(connection, HEARTBEAT))[0] == 3
        assert (await refusal(system, "other", None))[0] == 404


async def test_unknown_stations_come_in_with_the_common_password() -> None:
    async with central(OcppSettings(accept_unknown_stations=True, password="common")) as system:
        assert (await refusal(system, "new", "wrong"))[0] == 401
        async with system.connect("new", "common") as connection:
            await answer_to(
                connection, '[2,"1","StatusNotification",{"connectorId":2,"errorCode":"NoError","status":"Available"}]'
            )
        assert [one.vehicle for one in system.reported] == [None, "new/2"]


@pytest.mark.parametrize("identity", ["x" * 65, "box%0A2026%20ERROR", "%1B[2J", "%C2%9B"])
async def test_no_station_has_an_identity_that_can_not_be_shown_or_has_no_end(identity: str) -> None:
    async with central(OcppSettings(accept_unknown_stations=True, security_profile=0)) as system:
        assert (await refusal(system, identity, None))[0] in (403, 404)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (OcppSettings(stations={"box": StationSettings()}), "stations.box: a password is missing"),
        (OcppSettings(accept_unknown_stations=True), "accept_unknown_stations: a password for them is missing"),
        (OcppSettings(password="env:CHARGEPORT_TEST_NOTHING"), "password: the environment has no variable"),
    ],
)
def test_a_setting_that_lets_nobody_in_or_everybody_stops_the_source(settings: OcppSettings, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence) as found:
        TYPE.build(settings, source_context("boxes", "ocpp"))
    assert found.value.cause is Cause.CONFIGURATION


def test_a_password_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n")
    with pytest.raises(SourceError, match="empty"):
        OcppSource(OcppSettings(password=f"file:{tmp_path}/password"), source_context())
    (tmp_path / "password").write_text("secret\n")
    OcppSource(OcppSettings(password=f"file:{tmp_path}/password", accept_unknown_stations=True), source_context())


def test_without_the_extra_the_source_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocpp_source, "find_spec", lambda name: None if name == "ocpp" else name)
    with pytest.raises(SourceError, match=r"pip install .*ocpp>=.* \(the extra ocpp\)"):
        OcppSource(SETTINGS, source_context())


def test_settings_refuse_what_is_no_connector() -> None:
    for connector in ("0", "one", "-1"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"stations": {"box": {"connectors": {connector: "car"}}}}, OcppSettings)


@pytest.mark.parametrize("offered", [None, ["ocpp1.5"], ["soap", "ocpp2.2"]])
async def test_who_speaks_no_version_that_we_do_is_hung_up_on(offered: Sequence[str] | None) -> None:
    async with central() as system, system.connect(protocols=offered) as connection:
        assert connection.subprotocol is None
        assert await closed_with(connection) == 1002
        (reported,) = await system.is_told(1)
        assert ("it names no version" if offered is None else f"it supports {', '.join(offered)} only") in reported.headers[
            REFUSED
        ]
        assert "set its protocol to OCPP 1.6J" in (system.reporter.stations["box"].refused_because or "")


@pytest.mark.parametrize("offered", ["OCPP1.6", "ocpp1.6J", "ocpp1.6j", "Ocpp2.0.1"])
async def test_a_version_is_known_in_every_spelling_of_its_name(offered: str) -> None:
    async with central() as system, system.connect(protocols=[offered]) as connection:
        assert connection.subprotocol == offered
        assert (await answer_to(connection, '[2,"a","Heartbeat",{}]'))[0] == 3


async def test_of_several_versions_the_one_that_the_station_prefers_is_spoken() -> None:
    async with central() as system:
        for offered in (["ocpp2.2", "ocpp1.6", "ocpp2.0.1"], ["ocpp2.0.1", "ocpp1.6"], ["ocpp2.1", "ocpp2.0.1"]):
            async with system.connect(protocols=offered) as connection:
                assert connection.subprotocol == next(each for each in offered if each != "ocpp2.2")


GARBAGE = {
    "no json": ("hello", "-1", "FormationViolation"),
    "no array": ('{"a":1}', "-1", "FormationViolation"),
    "an open bracket": ("[" * 100_000, "-1", "FormationViolation"),
    "no id": ("[2]", "-1", "FormationViolation"),
    "an id that is a number": ('[2,5,"Heartbeat",{}]', 5, "FormationViolation"),
    "an id that is none": ('[2,null,"Heartbeat",{}]', "-1", "FormationViolation"),
    "a long id": (f'[2,"{"i" * 40}","Heartbeat",{{}}]', "i" * 40, "FormationViolation"),
    "a comma too many": ('[2,"b-7","MeterValues",{"connectorId":1,"meterValue":[,]}]', "b-7", "FormationViolation"),
    "a frame that is cut off": (' [ 2 , "c 8","StatusNot', "c 8", "FormationViolation"),
    "a frame that is cut off in its id": ('[2,"c 8', "-1", "FormationViolation"),
    "no payload": ('[2,"a","Heartbeat"]', "a", "FormationViolation"),
    "a payload that is none": ('[2,"a","Heartbeat",[]]', "a", "FormationViolation"),
    "five parts": ('[2,"a","Heartbeat",{},{}]', "a", "FormationViolation"),
    "an unknown action": ('[2,"a","Teleport",{}]', "a", "NotImplemented"),
    "an action for stations": ('[2,"a","Reset",{"type":"Hard"}]', "a", "NotSupported"),
    "a member that is missing": ('[2,"a","StartTransaction",{"idTag":"A"}]', "a", "OccurenceConstraintViolation"),
    "a member of another type": ('[2,"a","Authorize",{"idTag":5}]', "a", "TypeConstraintViolation"),
    "a text without end": ('[2,"a","Authorize",{"idTag":"' + "x" * 999 + '"}]', "a", "TypeConstraintViolation"),
    "bytes that are no text": (b'[2,"a","Authorize",{"idTag":"\xff"}', "a", "FormationViolation"),
    "a session of the whole station": (
        '[2,"a","StartTransaction",{"connectorId":0,"idTag":"CARD-A","meterStart":1,"timestamp":"2026-05-01T10:00:00Z"}]',
        "a",
        "PropertyConstraintViolation",
    ),
}


@pytest.mark.parametrize(("frame", "answered", "code"), GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_refused_kept_and_does_no_harm(frame: str | bytes, answered: str | int, code: str) -> None:
    async with central() as system, system.connect() as connection:
        found = await answer_to(connection, frame)
        assert found[:3] == [4, answered, code]
        assert found[3], "a sentence says why"
        assert (await answer_to(connection, HEARTBEAT))[0] == 3
        (kept,) = system.received.deliveries
    assert (kept.vehicle, kept.headers["station"]) == (None, "box")
    assert kept.headers["error"].startswith(f"{code}: ")
    if isinstance(frame, str):
        assert kept.payload.decode() in frame


async def test_a_frame_that_asks_for_nothing_gets_no_answer() -> None:
    async with central() as system, system.connect() as connection:
        for frame in (
            '[7,"a"]',
            '[5,"a","x","",{}]',
            "[3]",
            '[3,"nobody asked",{}]',
            '[4,"nobody asked","GenericError","",{}]',
            '[3,"a",5]',
        ):
            await connection.send(frame)
        assert (await answer_to(connection, HEARTBEAT))[1] == "h"
        assert len(system.received.deliveries) == 3, "an answer that nobody waits for is no issue"


async def test_the_words_for_garbage_are_those_of_the_version() -> None:
    async with central() as system, system.connect(protocols=["ocpp2.0.1"]) as connection:
        assert (await answer_to(connection, "hello"))[:3] == [4, "-1", "RpcFrameworkError"]
        assert (await answer_to(connection, '[2,"a","Heartbeat"]'))[:3] == [4, "a", "FormatViolation"]


async def test_who_sends_garbage_without_end_is_hung_up_on() -> None:
    async with central() as system, system.connect() as connection:
        for _ in range(10):
            await connection.send("hello")
        assert await closed_with(connection) == 1008


async def test_garbage_between_good_frames_ends_nothing() -> None:
    async with central() as system, system.connect() as connection:
        for number in range(25):
            broken = f'[2,"m{number}","MeterValues",{{"meterValue":[,]}}]'
            assert (await answer_to(connection, broken))[:2] == [4, f"m{number}"]
            assert (await answer_to(connection, HEARTBEAT))[0] == 3


async def test_a_reply_that_cannot_be_read_is_no_call_and_ends_the_wait_for_it() -> None:
    async with central() as system, system.connect() as connection:
        await connection.send(HEARTBEAT)
        asked = []
        async with asyncio.timeout(20):
            while "TriggerMessage" not in asked:
                frame = json.loads(await connection.recv())
                assert frame[0] != 4, "a reply gets none"
                if frame[0] == 2:
                    asked.append(frame[2])
                    await connection.send(f'[3,"{frame[1]}",{{"status":"Acce')
        assert asked[:2] == ["GetConfiguration", "ChangeConfiguration"]


async def test_what_2_1_sends_without_waiting_gets_no_reply() -> None:
    async with central() as system, system.connect(protocols=["ocpp2.1"]) as connection:
        stream = '{"id":1,"pending":0,"basetime":"2026-05-01T10:00:00Z","data":[{"t":0,"v":"1"}]}'
        await connection.send(f'[6,"s","NotifyPeriodicEventStream",{stream}]')
        await connection.send('[6,"t","Teleport",{}]')
        assert (await answer_to(connection, HEARTBEAT))[1] == "h"
        assert (await answer_to(connection, '[2,"p","NotifyPriorityCharging",{"transactionId":"1","activated":true}]'))[0] == 3
        assert (await answer_to(connection, '[2,"u","UsePriorityCharging",{}]'))[2] == "NotSupported"
    async with central() as system, system.connect(protocols=["ocpp2.0.1"]) as connection:
        assert (await answer_to(connection, '[2,"p","NotifyPriorityCharging",{}]'))[2] == "NotImplemented"


async def test_a_message_that_is_too_long_ends_the_connection_and_is_an_issue_with_the_way_out() -> None:
    async with central(msgspec.structs.replace(SETTINGS, max_message_bytes=4096)) as system, system.connect() as connection:
        await connection.send('[2,"a","Heartbeat",{"x":"' + "y" * 4096 + '"}]')
        assert await closed_with(connection) == 1009
        (received,) = system.reported
    assert received.vehicle is None
    assert "longer than max_message_bytes = 4096" in received.headers["error"]


async def test_who_says_too_much_has_to_wait_and_loses_nothing() -> None:
    async with central(msgspec.structs.replace(SETTINGS, max_messages_per_s=1)) as system, system.connect() as connection:
        times = [(await answer_to(connection, HEARTBEAT))[2]["currentTime"] for _ in range(13)]
    assert [time[17:23] for time in times] == ["58.000"] * 10 + ["59.000", "00.000", "01.000"]


async def test_a_station_that_refuses_all_that_it_is_asked_is_heard_nevertheless() -> None:
    async with central() as system, system.connect() as connection:
        await connection.send(HEARTBEAT)
        asked = []
        async with asyncio.timeout(20):
            while "TriggerMessage" not in asked[-1:] or asked.count("TriggerMessage") < 2:
                frame = json.loads(await connection.recv())
                if frame[0] == 2:
                    asked.append(frame[2])
                    await connection.send(json.dumps([4, frame[1], "NotSupported", "", {}]))
        assert asked[0] == "GetConfiguration"
        assert (await answer_to(connection, HEARTBEAT))[0] == 3
