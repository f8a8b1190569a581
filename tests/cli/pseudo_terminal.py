"""A command of ours in a terminal of its own: what it shows, what is typed, and how it ends."""

import fcntl
import importlib
import os
import pty
import re
import signal
import struct
import sys
import termios
import traceback
from typing import Final

import pyte

from chargeport.cli.main import COMMANDS, run

LATE: Final = ("apsw", "pydantic.main", "pydantic.type_adapter", "rich.console", "rich.table", "typer._adapters")
"""What commands import only when they run."""
for module in (*(f"chargeport.cli.{entry.module}" for entry in COMMANDS), *LATE):
    importlib.import_module(module)  # before any fork, so that not each command imports it

LINES: Final = 40
SECONDS: Final = 60  # on a busy machine, for the longest of them
CRASHED: Final = 70
PASSWORD: Final = b"correct horse battery\n"
CTRL_C: Final = b"\x03"
END: Final = b"\x1b_the end\x1b\\"
"""What a command's process writes last, before it waits to be let go: what a closed terminal had to show may be lost."""
STYLES: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
UNWRAPPED: Final = 400  # columns of a screen on which no line goes on below


class Terminal:
    """A terminal of so many columns in which a command runs. The command is ended when it takes too long."""

    def __init__(self, arguments: list[str], columns: int, seconds: int = SECONDS) -> None:
        self.columns = columns
        self._seen = b""
        self._has_ended = False
        waiting, self._gate = os.pipe()
        size = struct.pack("HHHH", LINES, columns, 0, 0)
        self._child, self._terminal = pty.fork()
        if self._child == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            signal.alarm(seconds)  # one that waits for somebody ends, and is not right
            os.close(self._gate)
            _run(arguments, waiting)
        os.close(waiting)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    @property
    def text(self) -> str:
        """All that was shown until now, without styles."""
        return STYLES.sub("", self._seen.decode(errors="replace")).replace("\r\n", "\n")

    def screen(self, columns: int | None = None) -> str:
        """What the screen shows now: cursor movements are carried out."""
        screen = pyte.Screen(columns or self.columns, LINES)
        pyte.ByteStream(screen).feed(self._seen)
        return "\n".join(line.rstrip() for line in screen.display).rstrip()

    def until(self, *parts: str, on_screen: bool = False) -> None:
        """Return when all parts are shown, or on the screen at once. Fails when the command ends before."""
        while any(part not in (self.screen() if on_screen else self.text) for part in parts):
            assert self._read(), f"it ended without {parts}: {self.text}"

    def press_ctrl_c(self) -> None:
        """End the command as a person does."""
        os.write(self._terminal, CTRL_C)
        self.until("^C")

    def end(self, typed: bytes = b"") -> int:
        """Return the exit code once the command has ended; `typed` answers each question."""
        while self._read():
            if typed and self._seen.endswith(b": "):  # it asks for a password, which it does not show
                os.write(self._terminal, typed)
        os.close(self._gate)
        _, status = os.waitpid(self._child, 0)
        os.close(self._terminal)  # not before: it would hang up
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        """Read the next part that is shown; return whether there was one."""
        try:
            part = b"" if self._has_ended else os.read(self._terminal, 65_536)
        except OSError:  # how Linux tells that the other side is closed
            part = b""
        self._seen += part
        self._has_ended = self._has_ended or not part or self._seen.endswith(END)
        self._seen = self._seen.removesuffix(END)
        return bool(part)


def _run(arguments: list[str], gate: int) -> None:
    """Run the command in this process, which is the terminal's, and end it when the gate is closed."""
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: PTH123, SIM115
    code = CRASHED
    try:
        run(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001  (the parent reads the traceback, and the code)
        traceback.print_exc()
    sys.stdout.flush()
    os.write(1, END)
    os.read(gate, 1)
    os._exit(code)


def of_any_machine(text: str) -> str:
    """What a terminal showed, without what differs between machines and moments: versions, room on the disk, progress."""
    lines = [line for line in text.splitlines() if "━" not in line]
    for pattern, instead in (
        (r"Python [\d.]+", "Python 3"),
        (r"[\d.]+ [GTM]iB free", "enough room"),
        (r"(schema +)\d+", r"\1the newest"),
    ):
        lines = [re.sub(pattern, instead, line).rstrip() for line in lines]
    return "\n".join(lines)
