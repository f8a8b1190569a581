"""Chargeport as a process of its own, as a user starts it: on a free port of this machine, ended when the test ends."""

import contextlib
import http.client
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CHARGEPORT = Path(sys.executable).parent / "chargeport"
READY_S = 20  # for a process to come up on a busy machine
STOP_S = 10


def environment() -> dict[str, str]:
    """Ours, without any settings of a Chargeport."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CHARGEPORT_")}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line that the process prints. Fails when it does not come, or the process ends before."""
    assert process.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(READY_S), f"nothing was printed within {READY_S} s"
    line = process.stdout.readline()
    assert line, f"it ended: {process.wait(STOP_S)}"
    return line


def stop(process: subprocess.Popen[str]) -> None:
    """End the process and all that it started, politely first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
            break
    if process.stdout:
        process.stdout.close()


@contextlib.contextmanager
def demo(*options: str) -> Iterator[dict[str, Any]]:
    """A demo, as soon as it answers: what it says of itself."""
    command = [CHARGEPORT, "demo", "--json", "--port", "0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), start_new_session=True
    )
    try:
        yield json.loads(first_line(process))
    finally:
        stop(process)


class Server:
    """`chargeport serve` on a database, started and ended as often as need be.

    `database` is SQLite's file or a URL. `wrapper` goes before the command, `options` behind it; `log` is what it prints to.
    """

    def __init__(
        self, database: Path | str, wrapper: Sequence[str] = (), options: Sequence[str] = (), log: Path = Path(os.devnull)
    ) -> None:
        self.database = Path(database)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._database_url = f"sqlite:///{database}" if isinstance(database, Path) else database
        self._wrapper = wrapper
        self._options = options
        self.log = log
        self._process: subprocess.Popen[str] | None = None

    def launch(self) -> None:
        """Start it, without waiting for it to answer."""
        command = [*self._wrapper, CHARGEPORT, "serve", "--database", self._database_url, "--port", str(self.port)]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*command, *self._options], stdout=log, stderr=log, text=True, env=environment(), start_new_session=True
            )

    def start(self) -> float:
        """Start it; the seconds until it answered that it is ready."""
        self.launch()
        return self.wait_until_ready()

    def wait_until_ready(self) -> float:
        """Return once it answers that it is ready; the seconds that it took."""
        started = time.monotonic()
        while time.monotonic() < started + READY_S:
            if self.is_ready():
                return time.monotonic() - started
            time.sleep(0.02)
        raise AssertionError(f"the server was not ready within {READY_S} s")

    def is_ready(self) -> bool:
        """Whether it answers that it is ready. Fails where it has ended."""
        assert self._process
        assert self._process.poll() is None, f"the server ended: {self._process.returncode}"
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(asking):
            asking.request("GET", "/readyz")
            return asking.getresponse().status == 200
        return False

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it and whatever wraps it."""
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it as a crash would: at once, in the middle of whatever it does."""
        assert self._process
        self.send_signal(signal.SIGKILL)
        self._process.wait(STOP_S)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
