"""Several processes at one address: a client notices nothing of them, one that dies is replaced, and all end together."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import ACME, in_a_process

from postgres_server import PostgresServer
from servers import CHARGEPORT, Server, environment, free_port

WORKERS = 3
CODE = "charge-voltage"
WITHIN_S = 20.0

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes where Linux has them"),
]


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Fleet:
    """A server of several workers on a new database, with an application and a car."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "cars.db"
        self.server = Server(self.database, options=("--workers", str(WORKERS)))
        self.server.start()
        app = self.reported("app", "create", "Board")
        self.car = self.reported("vehicle", "add", *ACME)["id"]
        self.headers = {"Authorization": f"Bearer {self.reported('app', 'token', app['client_id'])['access_token']}"}
        self.path = f"/v3/vehicles/{self.car}/signals/{CODE}"

    def reported(self, *arguments: str) -> Any:
        return in_a_process(*arguments, "--database", f"sqlite:///{self.database}", "--json").json

    def client(self) -> httpx.Client:
        """A client on a connection of its own, so at any of the workers."""
        return httpx.Client(base_url=self.server.url, headers=self.headers, timeout=10)

    def workers(self) -> list[int]:
        return children(self.server.pid)

    def wait_for_all(self) -> None:
        began = time.monotonic()
        while True:
            found = httpx.get(f"{self.server.url}/readyz").json()["workers"]
            if len(found) == len(self.workers()) == WORKERS and all(each["status"] == "ready" for each in found):
                return
            assert time.monotonic() - began < WITHIN_S, found
            time.sleep(0.05)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    made = Fleet(tmp_path_factory.mktemp("workers"))
    made.wait_for_all()
    yield made
    made.server.stop()


def item(fleet: Fleet, volts: float, at: int) -> dict[str, Any]:
    return {"vehicle": fleet.car, "signal": CODE, "body": {"value": volts}, "observedAt": at}


def test_what_was_acknowledged_is_read_immediately_whichever_worker_answers(fleet: Fleet) -> None:
    at = int(time.time() * 1000) - 60_000

    def act(number: int) -> None:
        with fleet.client() as writer, fleet.client() as reader, fleet.client() as both:
            assert both.get("/healthz").status_code == 200
            for step in range(5):
                instant = at + number * 10 + step
                sender = both if step % 2 else writer
                assert sender.post("/ingest/readings", json=[item(fleet, 200 + number + step / 8, instant)]).status_code == 200
                for client in (reader, both):
                    meta = client.get(fleet.path).json()["data"]["meta"]
                    seen = meta["oemUpdatedAt"]
                    assert seen >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(instant // 1000)), seen
                    history = client.get(f"{fleet.path}/values", params={"from": instant, "to": instant + 1}).json()["data"]
                    assert [each["body"]["value"] for each in history] == [200 + number + step / 8]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(8)))


def test_a_large_body_and_many_connections_come_through_whole(fleet: Fleet) -> None:
    began = int(time.time() * 1000) - 3_600_000
    items = [item(fleet, 200 + each % 30, began + each) for each in range(5_000)]

    def act(number: int) -> int:
        part = items[number::20]
        with fleet.client() as client:
            return int(client.post("/ingest/readings", json=part).json()["rejected"] == [] and len(part))

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(act, range(20))) == len(items)
    with fleet.client() as client:
        answer = client.post("/ingest/readings", json=items).json()
    assert answer["unchanged"] + answer["superseded"] + answer["accepted"] == len(items)
    assert answer["accepted"] == 0


def test_a_change_reaches_the_streams_of_every_worker_soon(fleet: Fleet) -> None:
    with concurrent.futures.ThreadPoolExecutor(6) as pool:

        def follow(_: int) -> float:
            with fleet.client() as client, client.stream("GET", "/stream", params={"signal": "charge-amperage"}) as stream:
                for line in stream.iter_lines():
                    if line.startswith("data:"):
                        return time.monotonic()
            raise AssertionError("the stream ended")

        following = [pool.submit(follow, number) for number in range(6)]
        count = f'chargeport_requests_total{{route="/stream",status="200"}} {6}.0'
        began = time.monotonic()
        while count not in httpx.get(f"{fleet.server.url}/metrics").text:
            assert time.monotonic() - began < WITHIN_S
            time.sleep(0.05)
        body = [{"vehicle": fleet.car, "signal": "charge-amperage", "body": {"value": 16}}]
        with fleet.client() as client:
            assert client.post("/ingest/readings", json=body).json()["accepted"] == 1
        stored = time.monotonic()
        late = [each.result(WITHIN_S) - stored for each in following]
    assert max(late) < 1.0, "rings go from worker to worker: nobody waits for the next look"


def test_metrics_are_those_of_all_workers_and_outlive_each(fleet: Fleet) -> None:
    def healthy() -> float:
        text = httpx.get(f"{fleet.server.url}/metrics").text
        (line,) = [each for each in text.splitlines() if each.startswith('chargeport_requests_total{route="/healthz"')]
        return float(line.split()[-1])

    for _ in range(40):
        httpx.get(f"{fleet.server.url}/healthz")
    began, seen = time.monotonic(), [healthy() for _ in range(8)]
    while len(set(seen)) > 1:  # each worker tells the others once a second: then all say the same
        assert time.monotonic() - began < WITHIN_S
        time.sleep(0.05)
        seen = [healthy() for _ in range(8)]
    before = seen[0]
    victim = fleet.workers()[-1]
    os.kill(victim, signal.SIGKILL)
    while victim in fleet.workers():
        time.sleep(0.01)
    fleet.wait_for_all()
    assert healthy() >= before
    assert len(fleet.workers()) == WORKERS
    assert victim not in fleet.workers()


@pytest.mark.parametrize("index", [0, 1], ids=["the one that writes", "one that reads"])
def test_a_worker_that_dies_is_replaced_and_loses_nothing_acknowledged(fleet: Fleet, index: int) -> None:
    at = int(time.time() * 1000) - 30_000
    with fleet.client() as client:
        assert client.post("/ingest/readings", json=[item(fleet, 240 + index, at + index)]).status_code == 200
    by_number = sorted(fleet.workers())
    os.kill(by_number[index], signal.SIGKILL)
    began, stored = time.monotonic(), False
    while not stored:
        assert time.monotonic() - began < WITHIN_S
        try:
            with fleet.client() as client:
                stored = client.post("/ingest/readings", json=[item(fleet, 250 + index, at + 10 + index)]).status_code == 200
        except httpx.TransportError:  # it was that worker's connection
            continue
    fleet.wait_for_all()
    with fleet.client() as client:
        values = client.get(f"{fleet.path}/values", params={"from": at + index}).json()["data"]
    assert {240 + index, 250 + index} <= {each["body"]["value"] for each in values}


def test_all_end_together_when_the_server_is_stopped_or_its_parent_dies(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        server = Server(tmp_path / "cars.db", options=("--workers", "2"))
        server.start()
        workers = children(server.pid)
        os.kill(server.pid, number)
        began = time.monotonic()
        while any(Path(f"/proc/{each}").is_dir() for each in workers):
            assert time.monotonic() - began < WITHIN_S
            time.sleep(0.02)
        server.stop()


def test_a_port_in_use_and_tls_on_sqlite_are_refused_in_a_sentence(tmp_path: Path) -> None:
    common = ("serve", "--workers", "2", "--database", str(tmp_path / "cars.db"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert port in in_a_process(*common, "--port", port).refused()
    tls = {"CHARGEPORT_SERVER_TLS_CERTIFICATE": "cert.pem", "CHARGEPORT_SERVER_TLS_KEY": "key.pem"}
    assert "reverse proxy" in in_a_process(*common, "--port", "0", env=tls).refused()
    (tmp_path / "broken.db").write_text("no database at all, but long enough to be looked at" * 40)
    broken = ("serve", "--workers", "2", "--database", str(tmp_path / "broken.db"), "--port", str(free_port()))
    done = subprocess.run([CHARGEPORT, *broken], env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "is not an SQLite database" in done.stderr
    assert "Traceback" not in done.stderr


def test_on_postgresql_workers_are_all_alike_and_what_one_did_once_another_does_when_it_dies(postgres: PostgresServer) -> None:
    url = postgres.database()
    server = Server(url, options=("--workers", "2"))
    server.start()
    try:
        app = in_a_process("app", "create", "Board", "--database", url, "--json").json
        car = in_a_process("vehicle", "add", *ACME, "--database", url, "--json").json["id"]
        token = in_a_process("app", "token", app["client_id"], "--database", url, "--json").json["access_token"]
        headers, at = {"Authorization": f"Bearer {token}"}, int(time.time() * 1000) - 60_000

        def is_derived(amperes: int, instant: int) -> bool:
            """Send what the power follows from, and say whether it has been worked out."""
            bodies = {
                "charge-voltage": 230, "charge-amperage": amperes, "charge-ischarging": True, "charge-chargerphases": 1,
                "charge-isfastchargerpresent": False,
            }  # fmt: skip
            items = [
                {"vehicle": car, "signal": code, "body": {"value": value}, "observedAt": instant}
                for code, value in bodies.items()
            ]
            try:
                assert httpx.post(f"{server.url}/ingest/readings", json=items, headers=headers).status_code == 200
                found = httpx.get(f"{server.url}/v3/vehicles/{car}/signals/charge-wattage", headers=headers)
            except httpx.TransportError:  # a connection of the one that died
                return False
            return found.status_code == 200 and found.json()["data"]["attributes"]["body"]["value"] == 230 * amperes

        for step, victim in enumerate([None, *children(server.pid)]):
            if victim is not None:
                os.kill(victim, signal.SIGKILL)
            began = time.monotonic()
            while not is_derived(10 + step, at + step * 1000):
                assert time.monotonic() - began < WITHIN_S
                time.sleep(0.1)
    finally:
        server.stop()
