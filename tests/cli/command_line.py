"""The command line as tests use it, and a database to use it on."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chargeport.cli.main import run
from chargeport.clock import SystemClock
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.records import Outcome
from chargeport.store.sqlite import SqliteStore

VIN = "1HGCM82633A004352"
ACME = ("--make", "ACME", "--model", "One", "--year", "2026")
PROGRAM = (sys.executable, "-m", "chargeport")


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """A table's lines without its head, cut into cells."""
        assert self.code == 0, self.err
        return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in self.out.splitlines()[1:]]

    def refused(self, code: int = 1) -> str:
        """The one sentence that says why not; nothing else was printed."""
        assert self.code == code, (self.code, self.err)
        assert self.out == ""
        assert self.err.startswith("Error: ")
        assert self.err.endswith(".\n")
        assert self.err.count("\n") == 1, self.err
        return self.err


class CommandLine:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        printed = self._capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    def app(self, name: str = "Tester", *options: str) -> dict[str, str]:
        secrets: dict[str, str] = self("app", "create", name, *options, "--json").json
        return secrets

    def vehicle(self, *options: str) -> str:
        return str(self("vehicle", "add", *ACME, *options, "--json").json["id"])


def in_a_process(*arguments: str, env: dict[str, str] | None = None) -> Ended:
    """A command run as a program of its own."""
    done = subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, timeout=30, check=False, env={**os.environ, **(env or {})}
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def reading(vehicle: str, code: str, body: dict[str, Any], *, ago_s: float = 12) -> Reading:
    at = SystemClock().now() - round(ago_s * 1000)
    return Reading(vehicle, BY_CODE[code], bodies.parse(BY_CODE[code], body), at, at, "wallbox")


def absence(vehicle: str, code: str, reason: AbsenceReason, *, ago_s: float = 12) -> Absence:
    at = SystemClock().now() - round(ago_s * 1000)
    return Absence(vehicle, BY_CODE[code], reason, at, at, "wallbox")


def store(database: Path, entries: Sequence[Entry], outcome: Outcome = Outcome.ACCEPTED) -> None:
    """Put entries into a database; all of them come to this."""

    async def write() -> None:
        opened = SqliteStore.open(database)
        assert set(await opened.readings.write(entries)) == {outcome}
        await opened.close()

    asyncio.run(write())
