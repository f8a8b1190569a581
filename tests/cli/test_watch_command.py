"""`chargeport watch`: a line a change, while others write; and an end without a word."""

import asyncio
import json
import os
import re
import selectors
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import PROGRAM, CommandLine, absence, reading, store

from chargeport.signals.reading import AbsenceReason
from chargeport.store.sqlite import SqliteStore

WITHIN_S = 20


class Watching:
    """A running command and the lines that it prints."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self._text = b""

    def line(self) -> str:
        """The next line. Fails when it does not come."""
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._text:
                assert selector.select(WITHIN_S), f"no line within {WITHIN_S} s"
                part = os.read(self.process.stdout.fileno(), 65_536)
                assert part, "it ended"
                self._text += part
        line, _, self._text = self._text.partition(b"\n")
        return line.decode()

    def stop(self) -> tuple[int, str, str]:
        """Its exit code after Ctrl-C, and what it printed last."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=WITHIN_S)
        return self.process.returncode, (self._text + out).decode(), err.decode()


@contextmanager
def watching(*arguments: str) -> Iterator[Watching]:
    environment = os.environ | {"TZ": "UTC"}
    process = subprocess.Popen(
        [*PROGRAM, "watch", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
    )
    try:
        yield Watching(process)
    finally:
        process.kill()
        process.communicate(timeout=WITHIN_S)


def test_each_change_is_a_line_as_a_person_reads_it(chargeport: CommandLine, database: Path) -> None:
    car, other = chargeport.vehicle("--alias", "family"), chargeport.vehicle()
    store(database, [reading(car, "charge-wattage", {"value": 1}, ago_s=900)])
    with watching("family") as watch:
        assert re.fullmatch(rf"ACME One 2026  {car}: changes from now on; Ctrl-C ends it\.", watch.line())
        store(database, [reading(other, "charge-wattage", {"value": 2})])
        store(database, [reading(car, "charge-wattage", {"value": 7.2, "unit": "kW"})])
        store(database, [reading(car, "charge-ischarging", {"value": True})])
        store(database, [absence(car, "charge-voltage", AbsenceReason.NOT_CAPABLE)])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+  Wattage +7200 watts  \(wallbox\)", watch.line())
        assert re.fullmatch(r"\S+ \S+ \S+  IsCharging +yes  \(wallbox\)", watch.line())
        assert re.fullmatch(r"\S+ \S+ \S+  Voltage +— NOT_CAPABLE: The vehicle does not have this\.  \(wallbox\)", watch.line())


def test_with_json_each_change_is_a_document_and_only_the_named_signals_are_printed(
    chargeport: CommandLine, database: Path
) -> None:
    car = chargeport.vehicle()
    with watching(car, "--json", "--signal", "voltage", "--signal", "charge-amperage") as watch:
        first = ""
        for value in range(1, 400):  # until it watches: without a table to show it says nothing before
            store(database, [reading(car, "charge-voltage", {"value": value}, ago_s=1000 - value)])
            with selectors.DefaultSelector() as selector:
                assert watch.process.stdout
                selector.register(watch.process.stdout, selectors.EVENT_READ)
                if selector.select(0.1):
                    first = watch.line()
                    break
        assert json.loads(first)["signal"]["id"] == "charge-voltage"
        store(database, [reading(car, "charge-wattage", {"value": 7200})])
        store(database, [reading(car, "charge-amperage", {"value": 16})])
        reported = json.loads(first)
        while reported["signal"]["id"] == "charge-voltage":
            reported = json.loads(watch.line())
    assert reported["vehicle"] == car
    assert reported["signal"]["id"] == "charge-amperage"
    assert reported["signal"]["attributes"]["body"] == {"value": 16, "unit": "ampere"}
    assert reported["signal"]["meta"]["source"] == "wallbox"


def test_a_live_value_that_ends_by_silence_is_a_line_too(chargeport: CommandLine, database: Path) -> None:
    car = chargeport.vehicle()

    async def learnt() -> None:
        opened = SqliteStore.open(database)
        await opened.notes.remember("cadence", "table", '{"learnt":{"wallbox":{"charge-wattage":2000}}}')
        await opened.close()

    asyncio.run(learnt())
    with watching(car) as watch:
        watch.line()
        store(database, [reading(car, "charge-wattage", {"value": 7200}, ago_s=0)])
        assert "7200 watts  (wallbox)" in watch.line()
        assert re.fullmatch(r"\S+ \S+ \S+  Wattage +— UNREACHABLE: .* Last: 7200 watts\.  \(wallbox\)", watch.line())


def test_ctrl_c_ends_it_without_a_word(chargeport: CommandLine, database: Path) -> None:
    car = chargeport.vehicle()
    with watching(car) as watch:
        watch.line()
        assert watch.stop() == (0, "", "")


@pytest.mark.parametrize("arguments", [("nobody",), ("family", "--signal", "voltages")])
def test_what_is_not_there_is_not_watched(chargeport: CommandLine, arguments: tuple[str, ...]) -> None:
    chargeport.vehicle("--alias", "family")
    assert arguments[-1] in chargeport("watch", *arguments).refused()
