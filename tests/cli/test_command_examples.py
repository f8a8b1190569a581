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
from furnished import words_of
from text_pictures import PARTS, PICTURES, REFUSED

from chargeport.cli.examples import EXAMPLES
from chargeport.cli.main import app

SOON_S = 20
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


def test_every_example_has_a_picture_and_no_picture_is_of_a_command_that_is_gone() -> None:
    assert {each.stem for each in PICTURES.iterdir()} == {name.replace(" ", "-") for name in EXAMPLES}


@pytest.mark.parametrize("part", PARTS)
def test_examples_work_and_their_pictures_are_the_committed_ones(part: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, text_pictures.__file__, str(tmp_path), part], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    shown = {name: (tmp_path / f"{name.replace(' ', '-')}.txt").read_text() for name in codes}
    assert codes == {name: REFUSED.get(name, 0) for name in codes}, shown
    for name, text in shown.items():
        assert text == (PICTURES / f"{name.replace(' ', '-')}.txt").read_text(), f"{name}: looked at? `make pictures` keeps it"


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_committed_picture_is_wider_than_its_terminal(name: str) -> None:
    text = (PICTURES / f"{name.replace(' ', '-')}.txt").read_text()
    for part in re.split(r"(?m)^\$ ", text)[1:]:
        heading, _, shown = re.sub(r" \\\n +", " ", part).partition("\n")
        columns = int(re.findall(r"# (\d+) columns$", heading)[0])
        tables = [line for line in shown.splitlines() if "  " in line.strip()]
        assert [line for line in tables if len(line) > columns] == []


@pytest.mark.service
def test_an_assistant_that_starts_the_example_is_answered() -> None:
    words = words_of(EXAMPLES["mcp"], {"CLIENT_ID": "client_example", "CLIENT_SECRET": "cps_example"})
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    answer = subprocess.run([*PROGRAM, *words], input=f"{request}\n", capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(answer.stdout.splitlines()[0])["result"]["serverInfo"]["name"], answer.stderr
    assert "Ctrl-C" not in answer.stderr


@pytest.mark.service
def test_ctrl_c_ends_what_waits_for_an_assistant_although_it_waits_for_a_line() -> None:
    words = words_of(EXAMPLES["mcp"], {"CLIENT_ID": "client_example", "CLIENT_SECRET": "cps_example"})
    process = subprocess.Popen([*PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=SOON_S) == -signal.SIGINT
    process.communicate(timeout=SOON_S)


def free_port() -> str:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return str(bound.getsockname()[1])


@pytest.mark.service
@pytest.mark.parametrize("name", sorted(SAYS))
def test_a_lasting_example_begins_and_stops_when_it_is_interrupted(name: str, tmp_path: Path) -> None:
    variables = subprocess.run(
        [sys.executable, text_pictures.__file__, "--furnish"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    port = free_port()
    words = [
        word.replace("8080", port).replace("8090", port) for word in words_of(EXAMPLES[name], json.loads(variables.stdout))
    ]
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
    assert process.returncode == 0, seen.decode()
