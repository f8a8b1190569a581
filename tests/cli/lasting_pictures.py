"""What commands show that go on until they are ended, and those that need a demo: for `text_pictures`.

A command that goes on is ended by Ctrl-C once it has shown all that it shows.
"""

import asyncio
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from furnished import draw_from, inside_a_copy, words_of
from pseudo_terminal import UNWRAPPED, Terminal, of_any_machine

import pictured
from chargeport.cli import live_view
from chargeport.cli.examples import EXAMPLES
from chargeport.clock import SystemClock
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Absence, AbsenceReason, Entry
from chargeport.store.sqlite import SqliteStore
from chargeport.webhooks.receivers import SIGNATURE, signature
from servers import free_port

COLUMNS: Final = (80, 120)
LASTING: Final = ("serve", "demo", "watch", "webhook listen", "mcp")
SIMULATOR: Final = "simulator "
"""Begins the names of the commands that a running demo takes."""
LATER: Final = ("simulate", "simulator unplug", "simulator fault", "simulator clock")
"""They leave little for the others to change, and a load suffers from faults and from a token that has expired."""
OF_A_DEMO: Final = (*(name for name in EXAMPLES if name.startswith(SIMULATOR) and name not in LATER), *LATER)
SHOWN_LAST: Final = {
    "serve": "app create NAME", "demo": "Ctrl-C stops it.", "watch": "Ctrl-C ends it.",
    "webhook listen": "until Ctrl-C", "mcp": "Ctrl-C ends it.",
}  # fmt: skip
FEWER: Final = {"--vehicles 1000": "--vehicles 10", "--seconds 60": "--seconds 1"}
ANY_PORT: Final = {"8080": "0"}
DEMO_SECONDS: Final = 180
POWER, CURRENT, LIMITS = "charge-wattage", "charge-amperage", "charge-chargelimits"


class Shown(NamedTuple):
    """What a command showed in a terminal of so many columns, and its exit code."""

    name: str
    command: str
    columns: int
    code: int
    text: str


def lasting(house: Path, variables: dict[str, str]) -> Iterator[Shown]:
    """Run what goes on: `serve` where nothing is yet, the others in a copy of the furnished folder."""
    live_view.POINTS = 1  # type: ignore[misc]  # how often a view is drawn until it is ended differs from run to run
    empty = house.with_name("empty")
    empty.mkdir()
    for columns in COLUMNS:
        for name in LASTING:
            with inside_a_copy(empty if name == "serve" else house):
                words = [ANY_PORT.get(word, word) for word in words_of(EXAMPLES[name], variables)]
                code, text = _ended(name, words, columns)
                yield Shown(name, EXAMPLES[name], columns, code, _anywhere(text))


def _ended(name: str, words: list[str], columns: int) -> tuple[int, str]:
    """Run a command until all is shown, then end it; its exit code and what it showed."""
    port = str(free_port())
    if name == "demo":
        words += ["--port", "0"]
    terminal = Terminal([port if word == "8090" else word for word in words], columns)
    terminal.until(SHOWN_LAST[name])
    if name == "webhook listen":
        _deliver(port, words[words.index("--management-token") + 1])
        terminal.until("wrong signature")
    elif name == "watch":
        asyncio.run(_report())
        terminal.until("11.00 kW", "11000 watts", "Amperage", "ChargeLimits", on_screen=True)
    terminal.press_ctrl_c()
    code = terminal.end()
    text = terminal.screen() if name == "watch" else terminal.text
    return code, text.replace(f"127.0.0.1:{port}", "127.0.0.1:8090")


async def _report() -> None:
    """Store what the car on the view reports next."""
    car, at = pictured.car(0, 6), SystemClock().now() - 1000
    entries: list[Entry] = [
        pictured.read(car, POWER, 11_000, at),
        pictured.read(car, CURRENT, 16.1, at, "wallbox"),
        Absence(car.id, BY_CODE[LIMITS], AbsenceReason.NOT_CAPABLE, at, at, "car"),
    ]
    store = SqliteStore.open(Path("chargeport.db"))
    await store.readings.write(entries)
    await store.close()


def _deliver(port: str, token: str) -> None:
    """Send a receiver what a server sends it, then an event that is signed with another key."""
    event: dict[str, Any] = {"eventId": "7d0f5c1e", "eventType": "VEHICLE_STATE", "data": {"signals": []}}
    for document, key in (
        ({"eventType": "VERIFY", "data": {"challenge": "3a6f"}}, token), (event, token), (event, "another"),
    ):  # fmt: skip
        body = json.dumps(document).encode()
        headers = {"Content-Type": "application/json", SIGNATURE: signature(key, body)}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, headers)
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()
        except urllib.error.HTTPError as refused:
            refused.close()


def of_a_demo(house: Path, variables: dict[str, str]) -> Iterator[Shown]:
    """Run one after the other what controls the cars of a demo whose clock stands still, then a load on it."""
    for columns in COLUMNS:
        with inside_a_copy(house):
            draw_from(7)
            words = ["demo", "--json", "--port", "0", "--frozen", "--database", "demo.db"]
            demo = Terminal(words, columns, DEMO_SECONDS)
            demo.until("}]}")
            url = json.loads(demo.text)["url"]
            os.environ["CHARGEPORT_DATABASE"] = "sqlite:///demo.db"
            draw_from(8)  # the demo has drawn from the seed of before
            for name in OF_A_DEMO:
                command = EXAMPLES[name]
                for many, few in FEWER.items():
                    command = command.replace(many, few)
                words = [url if word == "http://127.0.0.1:8080" else word for word in words_of(command, variables)]
                terminal = Terminal(words, columns)
                code = terminal.end()
                text = _of_any_speed(terminal.screen(UNWRAPPED)) if name == "simulate" else terminal.text
                yield Shown(name, command, columns, code, _anywhere(text))
            del os.environ["CHARGEPORT_DATABASE"]
            demo.press_ctrl_c()
            assert demo.end() == 0, demo.text


def _anywhere(text: str) -> str:
    """What was shown, without what differs between runs: ports, folders, the time of a line of the log, processes."""
    for pattern, instead in (
        (re.escape(str(Path.cwd())), "/home/ada"),
        (r"[^\s=]*/chargeport-demo-\w+", "/tmp/chargeport-demo"),  # noqa: S108
        (r"127\.0\.0\.1:(?!80[89]0)\d+", "127.0.0.1:8080"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "2026-12-15 19:00:00,000"),
        (r"process \[\d+\]", "process [1]"),
    ):
        text = re.sub(pattern, instead, text)
    return of_any_machine(text)


def _of_any_speed(text: str) -> str:
    """What a load has measured, without its numbers."""
    return re.sub(r"\b\d+(\.\d+)?\b", "#", text)
