"""A bar that shows how far long work has come: on a terminal, and nowhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chargeport.cli.output import console


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """Call it with the share that is done, 0 to 1. It is on standard error: what is piped on stays clean."""
    terminal = console(errors=True)
    if not terminal.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as shown:
        task = shown.add_task(what, total=1.0)
        yield lambda share: shown.update(task, completed=share)
