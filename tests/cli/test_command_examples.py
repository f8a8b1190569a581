"""The example of every command stands in its help, works, and shows what it showed when somebody last looked."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import text_pictures
import typer
from command_line import PROGRAM, CommandLine
from text_pictures import LASTING, PICTURES, REFUSED, SIMULATOR

from chargeport.cli.examples import EXAMPLES
from chargeport.cli.main import app

SOON_S = 20
IN_A_TERMINAL = [name for name in EXAMPLES if name not in LASTING and not name.startswith(SIMULATOR)]
OF_THE_SIMULATOR = [name for name in EXAMPLES if name.startswith(SIMULATOR)]
SAYS = {
    "serve": "http://127.0.0.1", "demo": "http://127.0.0.1", "watch": "changes from now on", "webhook listen": "http://127.0.0.1",
}  # fmt: skip


def commands(part: Any = None, name: str = "") -> Iterator[str]:
    """The full name of every command."""
    part = part or typer.main.get_command(app)
    inner = vars(part).get("commands")
    if inner is None:
        yield name
    for each, command in (inner or {}).items():
        yield from commands(command, f"{name} {each}".strip())


def examples_of(help_text: str) -> list[str]:
    """The examples that a help shows, as somebody would copy them."""
    _, _, below = help_text.partition("\n  Example:\n")
    lines = re.sub(r" \\\n +", " ", below).splitlines()
    return [line.strip() for line in lines if line.strip()]


@pytest.mark.parametrize("name", list(commands()))
def test_every_commands_help_has_the_example_that_is_run(name: str, chargeport: CommandLine) -> None:
    shown = chargeport(*name.split(), "--help").out
    (example,) = examples_of(shown)
    assert example == re.sub(r" \\\n +", " ", EXAMPLES[name])
    assert example.startswith(f"chargeport {name}")
    assert max(map(len, shown.splitlines())) <= 80


def test_no_example_is_of_a_command_that_is_gone() -> None:
    assert set(EXAMPLES) == set(commands())


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """What the examples show now, and how they ended."""
    folder = tmp_path_factory.mktemp("pictures")
    done = subprocess.run(
        [sys.executable, text_pictures.__file__, str(folder)], capture_output=True, text=True, check=True, timeout=600
    )
    return folder, json.loads(done.stdout)


@pytest.mark.parametrize("name", IN_A_TERMINAL)
def test_an_example_works_and_its_picture_is_the_kept_one(name: str, taken: tuple[Path, dict[str, int]]) -> None:
    folder, codes = taken
    file = f"{name.replace(' ', '-')}.txt"
    shown = (folder / file).read_text()
    assert codes[name] == REFUSED.get(name, 0), shown
    assert shown == (PICTURES / file).read_text(), "looked at? `make pictures` keeps it"


@pytest.mark.parametrize("name", IN_A_TERMINAL)
def test_no_kept_picture_is_wider_than_its_terminal(name: str) -> None:
    text = (PICTURES / f"{name.replace(' ', '-')}.txt").read_text()
    for part in re.split(r"(?m)^\$ ", text)[1:]:
        heading, _, shown = re.sub(r" \\\n +", " ", part).partition("\n")
        columns = int(re.findall(r"# (\d+) columns$", heading)[0])
        tables = [line for line in shown.splitlines() if "  " in line.strip()]
        assert [line for line in tables if len(line) > columns] == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which a command finds a demo."""
    database = tmp_path_factory.mktemp("demo") / "demo.db"
    process = subprocess.Popen(
        [*PROGRAM, "demo", "--json", "--port", "0", "--database", str(database), "--frozen"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], SOON_S)
    assert ready
    made = json.loads(process.stdout.readline())
    yield {
        "CHARGEPORT_DATABASE": f"sqlite:///{database}",
        "CHARGEPORT_URL": made["url"],
        "CLIENT_ID": made["client_id"],
        "CLIENT_SECRET": made["client_secret"],
    }
    process.terminate()
    process.communicate(timeout=SOON_S)


@pytest.mark.service
def test_the_examples_that_ask_a_server_work(tmp_path: Path, demo: dict[str, str]) -> None:
    url = demo["CHARGEPORT_URL"]
    given = {"CLIENT_ID": demo["CLIENT_ID"], "CLIENT_SECRET": demo["CLIENT_SECRET"]}
    told = {name: [word.replace("http://127.0.0.1:8080", url) for word in text_pictures.words_of(EXAMPLES[name], given)]
            for name in ("mcp", "simulate")}  # fmt: skip
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    answer = subprocess.run(
        [*PROGRAM, *told["mcp"]], input=f"{request}\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(answer.stdout.splitlines()[0])["result"]["serverInfo"]["name"], answer.stderr
    few = [{"1000": "10", "60": "1"}.get(word, word) for word in told["simulate"]]
    env = {**os.environ, "CHARGEPORT_DATABASE": demo["CHARGEPORT_DATABASE"]}
    done = subprocess.run([*PROGRAM, *few], capture_output=True, text=True, timeout=90, env=env, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.service
@pytest.mark.parametrize("name", OF_THE_SIMULATOR)
def test_an_example_of_the_simulator_works_on_a_demo(
    name: str, demo: dict[str, str], chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARGEPORT_DATABASE", demo["CHARGEPORT_DATABASE"])
    ended = chargeport(*text_pictures.words_of(EXAMPLES[name], {}))
    assert ended.code == 0, ended.err


def free_port() -> str:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return str(bound.getsockname()[1])


@pytest.mark.service
@pytest.mark.parametrize("name", sorted(SAYS))
def test_an_example_that_goes_on_begins_and_stops_when_it_is_told(name: str, tmp_path: Path) -> None:
    variables = subprocess.run(
        [sys.executable, text_pictures.__file__, "--furnish"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    given = json.loads(variables.stdout) | {"MANAGEMENT_TOKEN": "cpm_example"}
    port = free_port()
    words = [word.replace("8080", port).replace("8090", port) for word in text_pictures.words_of(EXAMPLES[name], given)]
    if name == "demo":
        words += ["--port", port]
    process = subprocess.Popen([*PROGRAM, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout
    seen = b""
    while SAYS[name].encode() not in seen:
        ready, _, _ = select.select([process.stdout], [], [], SOON_S)
        part = os.read(process.stdout.fileno(), 65_536) if ready else b""
        assert part, seen.decode()
        seen += part
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SOON_S)
    assert process.returncode in (0, 130), seen.decode()
