"""Plots for a terminal: a number over time, and bars of amounts."""

from collections.abc import Sequence
from typing import Final

from chargeport.api.aggregation import Grid, buckets
from chargeport.cli.rows import with_unit
from chargeport.cli.times import local
from chargeport.signals.definition import Signal
from chargeport.store.effective_history import EffectiveHistory

HEIGHT: Final = 8
WIDEST: Final = 100
LABEL: Final = 16  # columns for the numbers at the side

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_EIGHTHS: Final = 8


async def levels(
    history: EffectiveHistory, vehicle_id: str, signal: Signal, start: int, end: int, *, width: int
) -> list[float | None]:
    """Return the mean in each of `width` intervals of equal length; None without a valid value."""
    step_ms = max(1, -(-(end - start) // width))
    filled = (await buckets(history, vehicle_id, signal, Grid(step_ms, start, end), width + 1)).found
    means = {bucket.start // step_ms: bucket.mean for bucket in filled}
    return [means.get(number) for number in range(start // step_ms, (end - 1) // step_ms + 1)]


def plot(means: Sequence[float | None], signal: Signal, start: int, end: int) -> str:
    """Draw means as columns, with minimum and maximum at the side and the time below; blank where there is no mean."""
    known = [level for level in means if level is not None]
    least, most = min(known), max(known)
    low = 0.0 if 0 <= least < most / 2 else least
    scale = (HEIGHT * _EIGHTHS - 1) / (most - low) if most > low else 0.0
    heights = [0 if level is None else 1 + round((level - low) * scale) for level in means]
    sides = {HEIGHT - 1: with_unit(round(most, 3), signal), 0: with_unit(round(low, 3), signal)}
    rows = []
    for row in reversed(range(HEIGHT)):
        cells = (_BLOCKS[min(_EIGHTHS, max(0, height - row * _EIGHTHS))] for height in heights)
        rows.append(f"{sides.get(row, ''):>{LABEL}} │{''.join(cells)}".rstrip())
    first, last = local(start, seconds=False), local(end, seconds=False)
    rows.append(f"{'':>{LABEL}} └{'─' * len(means)}")
    rows.append(f"{'':>{LABEL}}  {first}{last:>{max(0, len(means) - len(first))}}")
    return "\n".join(rows)


def bars(amounts: Sequence[tuple[str, float, str]], room: int) -> str:
    """Draw a bar for each amount with its name and text; the greatest takes the available width."""
    names, texts = (
        max(map(len, part)) for part in (list(column) for column in zip(*((n, t) for n, _, t in amounts), strict=True))
    )
    longest, most = max(1, min(WIDEST, room) - names - texts - 4), max(amount for _, amount, _ in amounts)
    lines = []
    for name, amount, text in amounts:
        eighths = round(amount / most * longest * _EIGHTHS) if most > 0 else 0
        rest = eighths % _EIGHTHS
        bar = "█" * (eighths // _EIGHTHS) + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
        lines.append(f"{name:<{names}}  {bar:<{longest}}  {text}".rstrip())
    return "\n".join(lines)
