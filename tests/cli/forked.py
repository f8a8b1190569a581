"""A command in a terminal, in a process forked from one that has imported the program: a fifth of the time of a new one."""

import fcntl
import multiprocessing
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chargeport.cli.main import COMMANDS, run

STYLES: Final = re.compile(r"\x1b\[[0-9;]*m")
SOON_S: Final = 30
FORKED: Final = multiprocessing.get_context("forkserver")
LATE: Final = ("apsw", "pydantic.main", "pydantic.type_adapter", "rich.console", "rich.table", "typer._adapters")
"""What commands import only when they run."""
MODULES: Final = (*(f"chargeport.cli.{entry.module}" for entry in COMMANDS), *LATE)
"""What is to be imported before a fork, so that not each command imports it."""
FORKED.set_forkserver_preload([*MODULES])


def shown_in_terminal(*arguments: str, columns: int, **environment: str) -> str:
    """What a command shows in a terminal, without styles. The command must succeed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = (os.ttyname(theirs), os.environ | environment, Path.cwd(), arguments)
    process = FORKED.Process(target=_run, args=command)
    process.start()
    shown = b""
    while ready := select.select([ours, process.sentinel], [], [], SOON_S)[0]:
        if ours not in ready:  # all is read, and the process has ended
            break
        shown += os.read(ours, 65_536)
    process.join(0)
    code = process.exitcode
    process.kill()
    os.close(theirs)
    os.close(ours)
    assert code == 0, shown
    return STYLES.sub("", shown.decode())


def _run(terminal: str, environment: Mapping[str, str], folder: Path, arguments: tuple[str, ...]) -> None:
    """Run the command in this process, with the terminal as its input and output."""
    os.setsid()
    opened = os.open(terminal, os.O_RDWR)
    for number in range(3):
        os.dup2(opened, number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: PTH123, SIM115
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    try:
        run(arguments)
    finally:
        sys.stdout.flush()
