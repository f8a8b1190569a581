"""The demo beside other people's data, and whom its page trusts."""

import json
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import PROGRAM, CommandLine, in_a_process

from chargeport import installation


@contextmanager
def demo(*arguments: str) -> Iterator[dict[str, Any]]:
    """A demo that answers, and its facts."""
    command = [*PROGRAM, "demo", "--json", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)


def token_of(page: str) -> str | None:
    found = re.search(r'id="token">(.*?)</script>', page)
    assert found
    token: str | None = json.loads(found[1])
    return token


def test_a_database_with_somebodys_own_car_is_refused_and_left_as_it_is(chargeport: CommandLine, database: Path) -> None:
    car = chargeport.vehicle()
    refusal = in_a_process("demo", "--port", "0", "--database", str(database)).refused()
    assert "has a car that is not simulated" in refusal
    assert [each["id"] for each in chargeport("vehicle", "list", "--json").json] == [car]
    assert chargeport("app", "list", "--json").json == []


def test_what_is_stored_is_there_the_next_time(chargeport: CommandLine, database: Path) -> None:
    with demo("--vehicles", "2", "--database", str(database)) as first:
        pass
    history = chargeport("history", first["vehicles"][0]["id"], "wattage", "--json").json["data"]
    with demo("--vehicles", "2", "--database", str(database)) as second:
        same = ("client_id", "client_secret", "management_token", "vehicles")
        assert [second[name] for name in same] == [first[name] for name in same]
        again = httpx.get(f"{second['url']}/v3/vehicles", headers={"Authorization": f"Bearer {first['token']}"})
        assert again.status_code == 200
    later = chargeport("history", first["vehicles"][0]["id"], "wattage", "--json").json["data"]
    assert later[: len(history)] == history
    assert len(chargeport("app", "list", "--json").json) == 2


def test_only_a_browser_on_this_machine_is_given_the_token() -> None:
    with demo("--vehicles", "1") as facts:
        url = facts["url"]
        port = url.rpartition(":")[2]
        assert token_of(httpx.get(url).text) is not None
        assert token_of(httpx.get(url, headers={"Host": f"localhost:{port}"}).text) is not None
        for headers in ({"Host": "evil.example"}, {"X-Forwarded-For": "192.0.2.7"}, {"Forwarded": "for=192.0.2.7"}):
            assert token_of(httpx.get(url, headers=headers).text) is None, headers


@contextmanager
def spoken(*arguments: str) -> Iterator[list[str]]:
    """A demo that answers, and the lines that it printed for people."""
    command = [*PROGRAM, "demo", "--port", "0", "--vehicles", "1", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C stops it" in line:
                break
        try:
            yield lines
        finally:
            process.send_signal(signal.SIGINT)


def test_it_prints_commands_that_find_its_database(tmp_path: Path) -> None:
    with spoken("--database", str(tmp_path / "d.db")) as lines:
        assert f"export CHARGEPORT_DATABASE={tmp_path}/d.db\n" in lines
        assert any(re.search(r"chargeport signals [0-9a-f-]{36}$", line) for line in lines)
        assert any(line.startswith("curl ") for line in lines)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_each_request_that_it_prints_is_answered_when_it_is_pasted_alone() -> None:
    with spoken() as lines:
        answers = [
            subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=True).stdout
            for line in lines
            if line.startswith("curl ")
        ]
    assert ['"charge-wattage"' in answer for answer in answers] == [True, True, True, False], answers
    assert '"accepted"' in answers[-1]


def test_under_make_its_messages_name_args(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installation.with_flag("--port 9000") == "--port 9000"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = in_a_process("demo", "--port", port, env={"CHARGEPORT_BY_MAKE": "1"}).refused()
    assert 'ARGS="--port 9000"' in refused
