"""`watch` in a terminal: vehicles with what they do, the ones that charge first, and the newest changes below."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from pathlib import Path

from command_line import PROGRAM, CommandLine, reading, store
from rich.console import Console

from chargeport.cli import live_view
from chargeport.signals.definition import Permission
from world import World

WITHIN_S = 60


async def test_the_view_shows_charge_power_and_what_is_left_and_never_guesses(world: World) -> None:
    busy, idle = await world.car(model="Busy"), await world.car(model="Idle")
    for code, value in (("charge-ischarging", True), ("charge-wattage", 7200), ("tractionbattery-stateofcharge", 40),
                        ("charge-timetocomplete", 95)):  # fmt: skip
        await world.report(busy, code, {"value": value})
    rows = await live_view._rows(world.store, [idle, busy], world.clock.now())
    assert [row.vehicle.id for row in rows] == [busy.id, idle.id]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(live_view.view(rows, {}, ["the newest change"], world.clock.now()))
    reported = console.export_text()
    assert re.search(r"ACME Busy +charging +████░░░░░░  40 % +7\.20 kW +1:35 h", reported)
    assert re.search(r"ACME Idle +unknown +— +— +—", reported)
    assert "the newest change" in reported
    assert Permission.READ_CHARGE in live_view._EVERYTHING


def test_in_a_terminal_it_runs_until_it_is_ended(chargeport: CommandLine, database: Path) -> None:
    car = chargeport.vehicle()
    store(database, [reading(car, "charge-wattage", {"value": 11000}), reading(car, "charge-ischarging", {"value": True})])
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [*PROGRAM, "watch", "--database", f"sqlite:///{database}"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while b"11.00 kW" not in shown:
        assert select.select([ours], [], [], WITHIN_S)[0], shown
        shown += os.read(ours, 65_536)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=WITHIN_S) in (0, 130)
    os.close(ours)
