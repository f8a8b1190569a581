"""A command in a terminal of its own, without the time that its process takes to import the program.

A process that has imported the program, and has no threads, forks for each command: to fork the process of pytest would copy
the locks of its threads.
"""

import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pseudo_terminal import SECONDS, Terminal


class Forks:
    """Runs commands in terminals, one after the other."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def shown(self, *arguments: str, columns: int, **environment: str) -> str:
        """What a command shows, without styles. The command must succeed."""
        job = self._pool.submit(_end, arguments, columns, os.environ | environment, Path.cwd())
        code, text = job.result(2 * SECONDS)
        assert code == 0, text
        return text


@contextmanager
def forks() -> Iterator[Forks]:
    """The process that forks; it ends with the block."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield Forks(pool)


def _end(arguments: tuple[str, ...], columns: int, environment: Mapping[str, str], folder: Path) -> tuple[int, str]:
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    terminal = Terminal(list(arguments), columns)
    return terminal.end(), terminal.text
