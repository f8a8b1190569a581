"""What Chargeport brings to other people's tests, used as they use it."""

import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from chargeport.testing import AnswerError, Receiver, Server

DOCS = Path(__file__).parents[2] / "docs" / "testing.md"
SOC, POWER = "tractionbattery-stateofcharge", "charge-wattage"


def night(server: Server) -> list[Any]:
    """A night of charging with a permission that is lost for a while, and an hour of silence: what an app sees of it."""
    car, clock = server.car, server.clock
    received = server.webhook(["charge-ischarging", SOC, POWER], ["charge-ischarging", SOC])
    seen: list[Any] = []

    def look() -> None:
        try:
            seen.append((car.value(SOC), car.value(POWER), car.signal(POWER)["status"]))
        except AnswerError as error:
            seen.append((error.status, error.type, error.code))

    car.plug()
    clock.advance(hours=1)
    look()
    fault = server.faults.add("PERMISSION", signal=SOC)
    look()
    fault.remove()
    car.silence(hours=1)
    clock.advance(minutes=55)
    look()
    clock.advance(hours=6)
    look()
    events = [
        (event["eventType"], event["data"].get("signals") or [(each["type"], each["code"]) for each in event["data"]["errors"]])
        for event in received.events
    ]
    return [*seen, events]


def test_a_night_with_a_permission_error_and_a_silence_takes_less_than_two_seconds() -> None:
    with Server() as server:
        began = time.process_time()
        charging, denied, silent, full, events = night(server)
        took_s = time.process_time() - began
    assert charging[0] > 45
    assert charging[1] > 10_000
    assert denied == (403, "PERMISSION", None)
    assert silent[1] is None
    assert silent[2]["error"]["code"] == "UNREACHABLE"
    assert full[0] == 80
    assert ("VEHICLE_ERROR", [("VEHICLE_STATE", "UNREACHABLE")]) in events
    assert len(events) > 70, "each minute of charging has one"
    assert took_s < 2, "of computing; how long that takes is the machine's business"


def test_the_night_is_the_same_at_every_run() -> None:
    runs = []
    for _ in range(2):
        with Server() as server:
            runs.append(night(server))
    assert runs[0] == runs[1]


@pytest.mark.service
def test_a_server_of_its_own_process_sees_the_same_night() -> None:
    with Server() as server, Server(in_process=False) as other:
        assert night(server) == night(other)


def test_the_tests_of_the_docs_pass(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (tmp_path / "test_docs.py").write_text("\n\n".join(blocks), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider", "test_docs.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert re.search(r"^3 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_the_fixture_gives_a_car_a_clock_and_a_token(chargeport_server: Server) -> None:
    assert chargeport_server.clock.now() == datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert chargeport_server.clock.set("2026-03-02T22:00:00Z") == datetime(2026, 3, 2, 22, tzinfo=UTC)
    (listed,) = chargeport_server.client.get("/v3/vehicles")["data"]
    assert listed["id"] == chargeport_server.car.id
    chargeport_server.car.set_soc(15)
    assert chargeport_server.car.value(SOC) == 15
    assert chargeport_server.car.state["isPluggedIn"] is False
    assert chargeport_server.headers == {"Authorization": f"Bearer {chargeport_server.token}"}


@pytest.mark.chargeport(at="2026-07-01T06:00:00Z")
def test_the_marker_says_when(chargeport_server: Server) -> None:
    assert chargeport_server.clock.now().month == 7


def test_the_handle_outlives_tokens_that_expire(chargeport_server: Server) -> None:
    chargeport_server.faults.expire_tokens()
    assert chargeport_server.car.value("charge-ischarging") is False
    assert chargeport_server.client.token != chargeport_server.token


def test_a_lost_webhook_is_lost_and_a_repeated_one_comes_twice(chargeport_server: Server) -> None:
    received = chargeport_server.webhook(["charge-ischargingcableconnected"])
    chargeport_server.faults.add_webhook("DROP", times=1)
    chargeport_server.car.plug()
    chargeport_server.clock.advance(minutes=1)
    chargeport_server.faults.add_webhook("REPEAT", times=1)
    chargeport_server.car.unplug()
    chargeport_server.clock.advance(minutes=1)
    assert received.values("charge-ischargingcableconnected") == [False, False, False]


def test_a_client_gives_up_on_a_late_answer_and_the_server_stops_without_it() -> None:
    with Server() as server:
        fault = server.faults.add_latency(60, vehicle=server.car)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(
                f"{server.url}/v3/vehicles/{server.car.id}/signals/{SOC}",
                headers=server.headers,
                timeout=httpx.Timeout(10, read=0.1),
            )
        fault.remove()
        assert server.car.value(SOC) == 40
        began = time.monotonic()
    assert time.monotonic() - began < 4


def test_faults_are_aimed_at_a_car_and_a_signal_and_count_what_they_hit(chargeport_server: Server) -> None:
    car, faults = chargeport_server.car, chargeport_server.faults
    limited = faults.add(
        "RATE_LIMIT", "VEHICLE", vehicle=car, signal=SOC, times=1, retry_after_s=7, latency_s=0.01, detail="Wait."
    )
    elsewhere = faults.add("SERVER", vehicle="another")
    assert car.value("charge-ischarging") is False
    answer = httpx.get(f"{chargeport_server.url}/v3/vehicles/{car.id}/signals/{SOC}", headers=chargeport_server.headers)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["description"]) == (429, "7", "Wait.")
    assert car.value(SOC) == 40
    assert (limited.hits, elsewhere.hits) == (1, 0)
    with pytest.raises(AnswerError, match="rate"):
        faults.add_webhook("DELAY", delay_s=5, rate=2)


def test_reports_get_lost_and_late_on_demand(chargeport_server: Server) -> None:
    car, clock = chargeport_server.car, chargeport_server.clock
    car.reports(drop=1)
    car.plug()
    clock.advance(minutes=1)
    assert car.value("charge-ischargingcableconnected") is False
    car.reports(drop=0, latency_s=30)
    car.report()
    assert car.value("charge-ischargingcableconnected") is False, "it is on its way"
    clock.advance(minutes=1)
    assert car.value("charge-ischargingcableconnected") is True


def test_a_webhook_is_sent_again_after_each_delay_of_the_servers_clock_and_no_more(chargeport_server: Server) -> None:
    received, clock = chargeport_server.webhook(["charge-ischargingcableconnected"]), chargeport_server.clock
    received.statuses[:] = [500, 500, 500, 200]
    before = len(received.events)
    chargeport_server.car.plug()
    counts = []
    for seconds in (24, 2, 48, 2, 98, 2, 3600):
        clock.advance(seconds=seconds)
        counts.append(len(received.events) - before)
    assert counts == [1, 2, 2, 3, 3, 4, 4]
    assert len({event["eventId"] for event in received.events[before:]}) == 1
    received.statuses[:] = [500] * 9
    chargeport_server.car.unplug()
    clock.advance(hours=1)
    assert len(received.events) - before == 8
    (hook,) = chargeport_server.client.get("/v3/webhooks")["data"]
    (lost, *_) = chargeport_server.client.get(f"/v3/webhooks/{hook['id']}/deliveries")["data"]
    assert (lost["attributes"]["state"], len(lost["attributes"]["attempts"])) == ("dead", 4)


def test_while_the_clock_runs_fast_a_webhook_is_sent_again_by_that_clock(chargeport_server: Server) -> None:
    received, clock = chargeport_server.webhook(["charge-ischargingcableconnected"]), chargeport_server.clock
    received.statuses[:] = [500] * 4
    before = len(received.events)
    clock.run(1)
    chargeport_server.car.plug()
    received.wait(before + 1)
    clock.run(600)
    received.wait(before + 4)
    first, *_, last = [event["meta"]["deliveredAt"] for event in received.events[before:]]
    assert 175_000 <= last - first < 2_400_000, "and not every two seconds of the machine's clock, which are 20 minutes"
    with pytest.raises(TimeoutError, match="instead of 99"):
        received.wait(99, timeout_s=0)


def test_a_running_clock_is_set_forward_by_nothing_too(chargeport_server: Server) -> None:
    chargeport_server.clock.run(3600)
    for _ in range(5):
        before = chargeport_server.clock.now()
        assert chargeport_server.clock.advance() >= before


def test_an_answer_of_the_receiver_is_one_packet() -> None:
    with Receiver("key") as receiver, socket.create_connection(("127.0.0.1", int(receiver.url.split(":")[2][:-1]))) as sender:
        body = b'{"eventType": "VERIFY", "data": {"challenge": "c"}}'
        for _ in range(5):
            sender.sendall(b"POST / HTTP/1.1\r\nHost: us\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            assert b'{"challenge":' in sender.recv(65_536), "who waits for a second one waits for 40 ms"


def test_an_unknown_scenario_is_named() -> None:
    with pytest.raises(Exception, match="nearest name is parked"), Server("parkd"):
        pass
    with pytest.raises(Exception, match="nearest name is parked"), Server("parkd", in_process=False):
        pass
