"""The program as it is run: beside a server on the same file, started, stopped and cut off."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import ACME, PROGRAM, in_a_process

from chargeport.signals.catalogue import CATALOGUE

START_WITHIN_S = 20
STOP_WITHIN_S = 5
FACTS = ["url", "token", "client_id", "client_secret", "management_token", "vehicles"]

pytestmark = pytest.mark.service


@contextmanager
def running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server of ours, and the first line that it printed: it answers by then."""
    process = subprocess.Popen(
        [*PROGRAM, *arguments, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    assert process.stderr
    try:
        ready, _, _ = select.select([process.stdout], [], [], START_WITHIN_S)
        line = process.stdout.readline() if ready else ""
        assert line, process.stderr.read() if process.poll() is not None else "nothing was printed"
        yield process, line
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=STOP_WITHIN_S)


def stop(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """It ends by itself, in time and without a word."""
    process.send_signal(number)
    _, complaints = process.communicate(timeout=STOP_WITHIN_S)
    assert process.returncode == 0, complaints
    assert "Traceback" not in complaints


def output_of(*arguments: str, database: Path) -> Any:
    return in_a_process(*arguments, "--database", f"sqlite:///{database}", "--json").json


def test_commands_work_beside_a_server_on_the_same_file(tmp_path: Path) -> None:
    database = tmp_path / "cars.db"
    with running("serve", "--database", f"sqlite:///{database}") as (server, line):
        url = line.split()[3]
        app = output_of("app", "create", "Board", database=database)
        car = output_of("vehicle", "add", *ACME, database=database)["id"]
        token = output_of("app", "token", app["client_id"], database=database)["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        items = [{"vehicle": car, "signal": signal.code, "body": signal.example} for signal in CATALOGUE]
        with httpx.Client(base_url=url, headers=headers) as client:
            assert client.post("/ingest/readings", json=items).json()["accepted"] == len(items)
            every = client.get(f"/v3/vehicles/{car}/signals").text
            one = client.get(f"/v3/vehicles/{car}/signals/charge-voltage").text
            basic = httpx.BasicAuth(app["client_id"], app["client_secret"])
            assert client.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=basic).status_code == 200
        assert output_of("signals", car, database=database) == json.loads(every.replace(url, ""))
        assert output_of("signals", car, "charge-voltage", database=database) == json.loads(one.replace(url, ""))
        port = ("--host", "127.0.0.1", "--port", url.rpartition(":")[2])
        checks = output_of("doctor", *port, database=database)["checks"]
        assert "a Chargeport answers" in checks[-1]["found"]
        refused = in_a_process("serve", "--database", f"sqlite:///{database}", *port).refused()
        assert port[-1] in refused
        assert "--port" in refused
        stop(server, signal.SIGTERM)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cars.db", "cars.db.created"]


def test_serve_stops_at_ctrl_c(tmp_path: Path) -> None:
    with running("serve", "--database", str(tmp_path / "cars.db")) as (server, _):
        stop(server, signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_prints_its_facts_and_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running("demo", "--json", "--vehicles", "2") as (server, line):
        facts = json.loads(line)
        assert list(facts) == FACTS
        assert [list(car) for car in facts["vehicles"]] == [["id", "make", "model", "year"]] * 2
        first = facts["vehicles"][0]["id"]
        answer = httpx.get(f"{facts['url']}/v3/vehicles/{first}", headers={"Authorization": f"Bearer {facts['token']}"})
        assert answer.status_code == 200
        stop(server, number)
    assert not list(tmp_path.iterdir())


def test_the_demo_refuses_a_port_in_use_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = in_a_process("demo", "--port", port, env={"TMPDIR": str(tmp_path)}).refused()
    assert port in refused
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["for people", "json"])
def test_a_reader_that_has_seen_enough_is_no_error(more: tuple[str, ...], tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    words: Sequence[str] = (*PROGRAM, "migrate", "--database", str(tmp_path / "cars.db"), *more)
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, check=False, timeout=30)
    os.close(write)
    assert done.stderr == b""


def test_help_loads_neither_the_server_nor_the_tables(tmp_path: Path) -> None:
    late = "uvicorn starlette apsw chargeport.service rich.table"
    script = f"import sys, chargeport.cli.main; print([name for name in '{late}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"
