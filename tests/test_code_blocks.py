"""Code blocks of the docs: every command is one that there is, settings load, JSON and Python can be read.

What needs nothing but Chargeport is run.

`tests/test_source_docs.py` runs those of `docs/sources`, each with the settings above it.
"""

import ast
import json
import os
import re
import select
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import typer

from chargeport import config
from chargeport.cli.main import app
from chargeport.dialects import user
from chargeport.simulation import scenario

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK: Final = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SUBSTITUTED: Final = re.compile(r"\$\([^)]*\)")
PROGRAMS: Final = ("chargeport", ".venv/bin/chargeport")
RUN: Final = [ROOT / "README.md", *(ROOT / "docs" / each for each in (
    "start.md", "connect.md", "keeping-data.md", "webhooks.md", "how-to/assistants.md"))]  # fmt: skip
"""Pages whose commands are run one after the other, as somebody would who reads the page."""
NEEDS: Final = {
    "make": "a checkout", "export": "another program", "cd": "a folder", "docker": "Docker", "sudo": "root",
    "pipx": "the network", "uv": "the network", "pip": "the network", "python3": "the network",
    "build-env/bin/pip": "the network",
    "build-env/bin/python": "the network", "chargeport-env/bin/pip": "the network",
    "chargeport-env/bin/chargeport": "the network",
    "git": "the network", "journalctl": "systemd", "openssl": "root", "mosquitto_pub": "a broker",
}  # fmt: skip
"""Begins a command that is not run here, and what it needs. test_installation runs what installs from a wheel."""
GOES_ON: Final = ("serve", "demo")
CAR: Final = "1ACME00000B000001"
SOON_S: Final = 20


class Line(NamedTuple):
    """A command of a block, and the words that a shell makes of it."""

    page: Path
    text: str
    words: list[str]

    @property
    def is_ours(self) -> bool:
        return self.words[0] in PROGRAMS


def lines(page: Path) -> Iterator[Line]:
    """The commands of a page: a quote or a backslash goes on to the next line."""
    for block in BLOCK.findall(page.read_text("utf-8")):
        text = ""
        for part in block.splitlines():
            text += part + "\n"
            try:
                words = shlex.split(SUBSTITUTED.sub("today", text).replace("\\\n", " "), comments=True)
            except ValueError:  # the quote is still open
                continue
            if text.rstrip().endswith("\\"):
                continue
            if words:
                yield Line(page, text, words)
            text = ""
        assert not text, f"{page.name}: {text}"


EVERY: Final = [line for page in PAGES for line in lines(page)]


def parse(words: list[str]) -> None:
    """Parse a command line as the program does, and run nothing. Raises for a command, option or value that there is not."""
    command: Any = typer.main.get_command(app)
    context = None
    while True:
        context = command.make_context(words[0], words[1:], parent=context)
        inner = vars(command).get("commands")
        if inner is None:
            return
        words = [*vars(context).get("_protected_args", []), *context.args]
        command = inner[words[0]]


@pytest.mark.parametrize(
    "line", [each for each in EVERY if each.is_ours], ids=lambda each: f"{each.page.stem}: {each.text[:50]}"
)
def test_every_command_of_ours_in_the_docs_is_one_that_there_is(line: Line) -> None:
    end = next((at for at, word in enumerate(line.words) if word in ("|", "&&", ";")), None)
    parse(["chargeport", *line.words[1:end]])


def test_it_is_known_what_every_other_command_needs() -> None:
    programs = {line.words[0] for line in EVERY if not line.is_ours}
    assert programs <= {*NEEDS, "curl"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, dict[str, str]]]:
    """A folder with a car, an application and a server; its address; and what the words in capitals stand for."""
    folder = tmp_path_factory.mktemp("house")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CHARGEPORT_")}

    def ours(*words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "chargeport", *words, "--json"], cwd=folder, capture_output=True, text=True, check=True,
            env=environment, timeout=60,
        )  # fmt: skip
        return json.loads(done.stdout)

    secrets = ours("app", "create", "Docs", "--redirect", "https://charts.example.org/back")
    car = ours("vehicle", "add", "--vin", CAR, "--make", "ACME", "--model", "One", "--year", "2026", "--alias", "leaf")["id"]
    ours("connection", "add", "--app", secrets["client_id"], "--user", "ada", "--vehicle", car)
    token = ours("app", "token", secrets["client_id"])["access_token"]
    (folder / "notebook.csv").write_text("vehicle,signal,observedAt,value\nleaf,charge-voltage,2026-05-01T10:00:00Z,231\n")
    server = subprocess.Popen(
        [sys.executable, "-m", "chargeport", "serve", "--port", "0"], cwd=folder, text=True, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert server.stdout
    ready, _, _ = select.select([server.stdout], [], [], SOON_S)
    found = re.search(r"http://[\w.:]+", server.stdout.readline() if ready else "")
    assert found
    capitals = {"CLIENT_ID": secrets["client_id"], "VEHICLE": car, "TOKEN": token}
    post = {"vehicle": CAR, "signals": {"charge-wattage": {"value": 7200}, "charge-voltage": {"value": 231}}}
    sent = ["curl", "-sf", f"{found[0]}/ingest/readings", "-H", f"Authorization: Bearer {token}", "-H",
            "Content-Type: application/json", "-d", json.dumps(post)]  # fmt: skip
    subprocess.run(sent, check=True, capture_output=True, timeout=SOON_S)
    yield folder, found[0], capitals | {"…": "", "client_id=": f"client_id={secrets['client_id']}",
                                        "client_secret=": f"client_secret={secrets['client_secret']}"}  # fmt: skip
    server.terminate()
    server.communicate(timeout=SOON_S)


def runnable(page: Path) -> Iterator[Line]:
    """What can be run of a page: our commands that end, and curl to this machine."""
    for line in lines(page):
        is_ours = line.is_ours and line.words[1] not in GOES_ON and "|" not in line.words
        if is_ours or (line.words[0] == "curl" and "http://127.0.0.1:8080" in line.text):
            yield line


@pytest.mark.service
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_commands_of_a_page_work_one_after_the_other(page: Path, house: tuple[Path, str, dict[str, str]]) -> None:
    folder, address, capitals = house
    ran = 0
    for line in runnable(page):
        if any(word in line.text for word in OWN_FILES):
            continue
        text = line.text.replace("http://127.0.0.1:8080", address)
        for name, value in capitals.items():
            text = text.replace(name, value)
        words = shlex.split(text.replace("\\\n", " "), comments=True)
        program = [sys.executable, "-m", "chargeport", *words[1:]] if line.is_ours else ["curl", "--fail-with-body", *words[1:]]
        if "forget" in words:
            program.append("--yes")
        done = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        repeated = "is taken" in done.stderr or "exists already" in done.stderr  # a page before made the same car
        assert done.returncode == 0 or repeated, f"{text}\n{done.stdout}{done.stderr}"
        ran += 1
    assert ran


OWN_FILES: Final = ("TeslaFi62026.csv", "charges.csv", "/backups/", "migrate", "--dialect", "data erase")
"""Commands on a reader's own files, and one that takes away what the next page is about: they are parsed, and not run."""


OTHER: Final = re.compile(r"^```(json|python|toml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS: Final = [(page, *found) for page in PAGES if page.parent.name != "sources" for found in OTHER.findall(page.read_text())]


@pytest.mark.parametrize(("page", "language", "text"), BLOCKS, ids=lambda each: getattr(each, "stem", None) or each[:40])
def test_a_block_is_what_it_says_it_is(page: Path, language: str, text: str, tmp_path: Path) -> None:
    match language:
        case "json":
            for document in re.split(r"(?m)^(?=[{\[])", text.strip()):
                if document.strip():
                    json.loads(document)
        case "python":
            compile(text, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        case _ if "rows" in tomllib.loads(text) or "fields" in tomllib.loads(text):
            user.from_table(tomllib.loads(text), page.name)
        case _ if "cars" in tomllib.loads(text):
            scenario.parsed(text)
        case _:
            file = tmp_path / config.FILE_NAME
            file.write_text(text)
            config.load(file)
