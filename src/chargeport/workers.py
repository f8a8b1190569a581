"""Several processes at one address: a parent that starts the workers, restarts those that end, and stops them all.

The parent answers no requests and opens no database. Workers are forked from it, so that modules are loaded once. It keeps
their listening sockets open: a connection to a worker that has ended waits for its successor.
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

RESTART_S: Final = 0.1  # before a worker is restarted; doubled with each further failure
MAX_RESTART_S: Final = 5.0
STABLE_S: Final = 10.0  # a worker that ran for this time has not failed
STOP_S: Final = 15.0  # for a clean stop; a web server gives its requests a third of that
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

_log = logging.getLogger("chargeport.workers")


class Worker(NamedTuple):
    """The data that a worker receives from the parent."""

    number: int
    total: int
    listening: socket.socket
    folder: Path
    """A folder that the workers share."""
    handover_sender: socket.socket
    """Sends connections to the first worker."""
    handover_receiver: socket.socket
    """Receives the connections in the first worker."""
    parent: int
    """A descriptor that becomes readable when the parent has ended."""
    report_ready: Callable[[], None]
    """To be called once requests are answered."""


class Workers:
    """The workers of a server. Its process must have no threads and no event loop."""

    def __init__(self, listening: Sequence[socket.socket], work: Callable[[Worker], int]) -> None:
        """Prepare the workers. `work` is the job of each, and returns the exit code of its process."""
        self._listening = listening
        self._work = work
        self._folder = Path(tempfile.mkdtemp(prefix="chargeport-workers-"))
        self._handover_sender, self._handover_receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._parent_pipe, self._parent_pipe_end = os.pipe()
        self._ready_receiver, self._ready_sender = os.pipe()
        self._signal_receiver, self._signal_sender = os.pipe()
        os.set_blocking(self._signal_sender, False)
        self._pids: dict[int, tuple[int, float]] = {}  # by pid: the worker's number, and its start
        self._due: dict[int, float] = {}  # by number: when to restart it
        self._failures: dict[int, int] = {}

    def run(self) -> int:
        """Run all until SIGINT or SIGTERM; return the exit code: that of the first worker if it fails to start."""
        for signum in _SIGNALS:
            signal.signal(signum, _ignore_signal)
        signal.set_wakeup_fd(self._signal_sender)
        try:
            self._start(0)
            code = self._wait_for_first()
            if code is not None:
                return code
            for number in range(1, len(self._listening)):
                self._start(number)
            while not self._wait_for_stop(self._restart_due_s()):
                for number, code in self._reap().items():
                    _log.warning("worker %d ended unexpectedly (%d); it is restarted", number, code)
                self._start_due()
            return self._stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_for_first(self) -> int | None:
        """Wait until the first worker answers; return an exit code if it ends before, or on a signal to stop."""
        while True:
            ready, _, _ = select.select([self._ready_receiver, self._signal_receiver], [], [])
            if self._ready_receiver in ready:
                return None
            if self._wait_for_stop(0):
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
            for signum in _SIGNALS:
                signal.signal(signum, signal.SIG_DFL)
            os.close(self._parent_pipe_end)
            code = self._work(
                Worker(
                    number, len(self._listening), self._listening[number], self._folder, self._handover_sender,
                    self._handover_receiver, self._parent_pipe, self._report_ready,
                )
            )  # fmt: skip
        except Exception:  # noqa: BLE001  (the edge of the process)
            _log.exception("worker %d failed", number)
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _report_ready(self) -> None:
        os.write(self._ready_sender, b"\0")

    def _wait_for_stop(self, within_s: float | None) -> bool:
        """Wait for a signal, for at most `within_s`; return whether it is one to stop."""
        ready, _, _ = select.select([self._signal_receiver], [], [], within_s)
        numbers = os.read(self._signal_receiver, 1024) if ready else b""
        return signal.SIGTERM in numbers or signal.SIGINT in numbers

    def _restart_due_s(self) -> float | None:
        return max(0.0, min(self._due.values()) - perf_counter()) if self._due else None

    def _reap(self) -> dict[int, int]:
        """Schedule the restart of workers that have ended; return their exit codes by number."""
        ended: dict[int, int] = {}
        with suppress(ChildProcessError):
            while (result := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = result
                number, started_s = self._pids.pop(pid)
                ended[number] = os.waitstatus_to_exitcode(status)
                was_stable = perf_counter() - started_s >= STABLE_S
                self._failures[number] = 0 if was_stable else self._failures.get(number, 0) + 1
                wait_s = min(MAX_RESTART_S, RESTART_S * 2 ** max(0, self._failures[number] - 1))
                self._due[number] = perf_counter() + wait_s
        return ended

    def _start_due(self) -> None:
        now = perf_counter()
        for number in [number for number, at in self._due.items() if at <= now]:
            del self._due[number]
            self._start(number)

    def _stop(self) -> int:
        """End all by SIGTERM, then by SIGKILL after STOP_S; return 0 if each ended cleanly."""
        for pid in self._pids:
            os.kill(pid, signal.SIGTERM)
        codes: list[int] = []
        deadline_s = perf_counter() + STOP_S
        while self._pids and perf_counter() < deadline_s:
            codes += self._reap().values()
            if self._pids:
                self._wait_for_stop(max(0.0, deadline_s - perf_counter()))
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            codes.append(-signal.SIGKILL)
        return max((abs(code) for code in codes), default=0)


def _ignore_signal(_number: int, _frame: object) -> None:
    """Ignore a signal: the descriptor shows which one came."""
