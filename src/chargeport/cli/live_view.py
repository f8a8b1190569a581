"""The view of `watch` in a terminal: vehicles with state, charge, power and a sparkline, above the newest changes."""

import asyncio
import textwrap
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Final

from chargeport import tasks
from chargeport.api.fleet import Row, name_of, row_of
from chargeport.cli.output import NOTHING, console, cut, printable
from chargeport.cli.times import ago
from chargeport.clock import Clock
from chargeport.signals.definition import Permission
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle

if TYPE_CHECKING:
    from rich.console import RenderableType

REFRESH_S: Final = 1.0
MOST: Final = 20  # vehicles that are shown, charging ones first
LINES: Final = 8
INDENT: Final = 4  # of the continuation of a change that does not fit on its line
POINTS: Final = 24
NAME: Final = 24
BAR: Final = 10
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_STYLES: Final = {"charging": "green", "silent": "yellow", "error": "red"}
_ORDER: Final = ("charging", "error", "scheduled", "plugged", "full", "idle", "silent", "unknown")
_POWER, _SOC, _LEFT = "charge-wattage", "tractionbattery-stateofcharge", "charge-timetocomplete"
_EVERYTHING: Final = frozenset(Permission)


async def show(store: Store, vehicles: list[Vehicle], lines: AsyncIterator[str], clock: Clock) -> None:
    """Show these vehicles, and the lines as they are received, until cancelled."""
    from rich.live import Live

    newest: deque[str] = deque(maxlen=LINES)
    samples: dict[str, deque[float]] = {}

    async def listen() -> None:
        async for line in lines:
            newest.append(line)

    listening = asyncio.create_task(listen())
    try:
        with Live(console=console(), auto_refresh=False, transient=False) as live:
            while True:
                rows = await _rows(store, vehicles, clock.now())
                _note(rows, samples)
                live.update(view(rows, samples, newest, clock.now()), refresh=True)
                await clock.sleep(REFRESH_S)
    finally:
        await tasks.end(listening)


async def _rows(store: Store, vehicles: Iterable[Vehicle], now: int) -> list[Row]:
    found = [await store.readings.signals(vehicle.id) for vehicle in vehicles]
    rows = [row_of(series, _EVERYTHING, store.readings.ranks, now) for series in found if series is not None]
    return sorted(rows, key=lambda row: (_ORDER.index(row.state), -row.heard_at))[:MOST]


def _note(rows: Iterable[Row], samples: dict[str, deque[float]]) -> None:
    for row in rows:
        power = row.value(_POWER)
        if isinstance(power, int | float):
            samples.setdefault(row.vehicle.id, deque(maxlen=POINTS)).append(float(power))


def view(rows: list[Row], samples: dict[str, deque[float]], newest: Iterable[str], now: int) -> "RenderableType":
    """Return the view at one instant."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, expand=False)
    for name in ("vehicle", "state", "charge", "power", "sparkline", "left", "heard"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("power", "left") else "left")
    for row in rows:
        style = _STYLES.get(row.state, "")
        name, drawn = cut(printable(name_of(row.vehicle)), NAME), sparkline(samples.get(row.vehicle.id, ()))
        received = ago(row.heard_at or None, now) or NOTHING
        cells = (name, row.state, charge(row), power(row), drawn, left(row), received)
        table.add_row(*(Text(cell, style=style if index == 1 else "") for index, cell in enumerate(cells)))
    room = console().width
    lines = [part for line in newest for part in textwrap.wrap(line, room, subsequent_indent=" " * INDENT)]
    return Group(table, Text(""), *(Text(line, style="dim") for line in (*lines, "Ctrl-C ends it.")))


def charge(row: Row) -> str:
    """Return the state of charge as a bar and a number."""
    soc = row.value(_SOC)
    if not isinstance(soc, int | float):
        return NOTHING
    full = round(soc / 100 * BAR)
    return f"{'█' * full}{'░' * (BAR - full)} {soc:3.0f} %"


def power(row: Row) -> str:
    """Return the power in kW."""
    value = row.value(_POWER)
    return f"{value / 1000:.2f} kW" if isinstance(value, int | float) else NOTHING


def left(row: Row) -> str:
    """Return the time to complete."""
    minutes = row.value(_LEFT)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02} h" if isinstance(minutes, int | float) and minutes else NOTHING


def sparkline(points: Iterable[float]) -> str:
    """Return the power since the view was opened, as blocks.

    >>> sparkline([0, 3500, 7000])
    '▁▄█'
    """
    values = list(points)
    most = max([*values, 1.0])
    return "".join(_BLOCKS[int(max(0.0, value) / most * (len(_BLOCKS) - 1))] for value in values)
