"""Several processes at one address: a parent that starts the workers, starts again who dies, and stops them all.

The parent answers nothing and opens no database; workers are forked off it, so what they load is loaded once. It holds their
listening sockets: what connects to a worker that has died waits for the one that takes its place.
"""

import logging
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

AGAIN_S: Final = 0.1  # before a worker is started again; longer each time that it does not live
LONGEST_AGAIN_S: Final = 5.0
LIVED_S: Final = 10.0
STOP_S: Final = 15.0  # for all to end by themselves; a web server gives its requests a third of that
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

_log = logging.getLogger("chargeport.workers")


class Worker(NamedTuple):
    """What a worker has of its own, and what it shares with the others."""

    number: int
    total: int
    listening: socket.socket
    folder: Path
    """Where workers leave what they tell each other."""
    giving: socket.socket
    """Where connections are given to the first worker."""
    taking: socket.socket
    """Where the first worker takes them."""
    parent: int
    """A descriptor from which nothing comes, until the parent is gone."""
    is_answering: Callable[[], None]
    """To be called once requests are answered."""


class Workers:
    """The workers of a server. Its process must have no threads and no event loop."""

    def __init__(self, listening: Sequence[socket.socket], work: Callable[[Worker], int]) -> None:
        """Prepare the workers. `work` is the job of each, and returns the exit code of its process."""
        self._listening = listening
        self._work = work
        self._folder = Path(tempfile.mkdtemp(prefix="chargeport-workers-"))
        self._giving, self._taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._lifeline, self._held = os.pipe()
        self._answering, self._is_answering = os.pipe()
        self._heard, self._signalled = os.pipe()
        os.set_blocking(self._signalled, False)
        self._pids: dict[int, tuple[int, float]] = {}  # by pid: the worker's number, and since when it lives
        self._due: dict[int, float] = {}  # by number, when to start it again
        self._failures: dict[int, int] = {}

    def run(self) -> int:
        """Run all until SIGINT or SIGTERM; return the exit code, the first worker's where that does not come to answer."""
        for each in _SIGNALS:
            signal.signal(each, _note)
        signal.set_wakeup_fd(self._signalled)
        try:
            self._start(0)
            code = self._first_answers()
            if code is not None:
                return code
            for number in range(1, len(self._listening)):
                self._start(number)
            while not self._is_to_stop(self._until_due()):
                for number, code in self._reap().items():
                    _log.warning("worker %d ended by itself (%d); it is started again", number, code)
                self._start_due()
            return self._stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _first_answers(self) -> int | None:
        """Wait until the first worker answers; the exit code where it ends before, or all is to end."""
        while True:
            ready, _, _ = select.select([self._answering, self._heard], [], [])
            if self._answering in ready:
                return None
            if self._is_to_stop(0):
                return self._stop()
            ended = self._reap()
            if 0 in ended:
                return ended[0]

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid:
            self._pids[pid] = number, perf_counter()
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            os.close(self._held)
            code = self._work(
                Worker(
                    number, len(self._listening), self._listening[number], self._folder, self._giving, self._taking,
                    self._lifeline, self._tell_answering,
                )
            )  # fmt: skip
        except Exception:  # noqa: BLE001  (the edge of the process)
            _log.exception("worker %d failed", number)
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _tell_answering(self) -> None:
        os.write(self._is_answering, b"\0")

    def _is_to_stop(self, within_s: float | None) -> bool:
        """Wait for a signal; return whether one asks to stop."""
        ready, _, _ = select.select([self._heard], [], [], within_s)
        numbers = os.read(self._heard, 1024) if ready else b""
        return any(each in numbers for each in (signal.SIGTERM, signal.SIGINT))

    def _until_due(self) -> float | None:
        return max(0.0, min(self._due.values()) - perf_counter()) if self._due else None

    def _reap(self) -> dict[int, int]:
        """Note who has ended, to be started again after a while; the exit codes by number."""
        ended: dict[int, int] = {}
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                number, since = self._pids.pop(found[0])
                ended[number] = os.waitstatus_to_exitcode(found[1])
                lived = perf_counter() - since >= LIVED_S
                self._failures[number] = 0 if lived else self._failures.get(number, 0) + 1
                wait_s = min(LONGEST_AGAIN_S, AGAIN_S * 2 ** max(0, self._failures[number] - 1))
                self._due[number] = perf_counter() + wait_s
        return ended

    def _start_due(self) -> None:
        now = perf_counter()
        for number in [number for number, at in self._due.items() if at <= now]:
            del self._due[number]
            self._start(number)

    def _stop(self) -> int:
        """End all: politely, then those that do not end by themselves; 0 where each ended as it should."""
        for pid in self._pids:
            os.kill(pid, signal.SIGTERM)
        codes: list[int] = []
        last = perf_counter() + STOP_S
        while self._pids and perf_counter() < last:
            codes += self._reap().values()
            if self._pids:
                self._is_to_stop(max(0.0, last - perf_counter()))
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            codes.append(-signal.SIGKILL)
        return max((abs(code) for code in codes), default=0)


def _note(_number: int, _frame: object) -> None:
    """Ignore a signal: the descriptor shows which one came."""
