"""A plot of a number over time that fits on a line of a terminal."""

from collections.abc import Sequence
from typing import Final

from chargeport.api.aggregation import Grid, buckets
from chargeport.cli.values import with_unit
from chargeport.signals.definition import Signal
from chargeport.store.effective_history import EffectiveHistory

WIDTH: Final = 60

_BLOCKS: Final = "▁▂▃▄▅▆▇█"


async def levels(history: EffectiveHistory, vehicle_id: str, signal: Signal, start: int, end: int) -> list[float | None]:
    """The mean in each of WIDTH stretches of equal length; None where no value stood."""
    step_ms = max(1, -(-(end - start) // WIDTH))
    filled = (await buckets(history, vehicle_id, signal, Grid(step_ms, start, end), WIDTH + 1)).found
    means = {bucket.start // step_ms: bucket.mean for bucket in filled}
    return [means.get(number) for number in range(start // step_ms, (end - 1) // step_ms + 1)]


def plot(means: Sequence[float | None], signal: Signal, room: int) -> str:
    """Means as blocks from the least to the greatest, a blank where there is none; then both, below where room is short."""
    known = [level for level in means if level is not None]
    least, most = min(known), max(known)
    scale = (len(_BLOCKS) - 1) / (most - least) if most > least else 0.0
    blocks = "".join(" " if level is None else _BLOCKS[round((level - least) * scale)] for level in means)
    bounds = [with_unit(round(bound, 3), signal) for bound in (least, most)]
    label = " to ".join(dict.fromkeys(bounds))
    return f"{blocks}  {label}" if len(blocks) + len(label) + 2 <= room else f"{blocks}\n{label}"
