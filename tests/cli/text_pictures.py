"""Run the example of every command in a terminal, by a clock that stands still, and keep what it shows: `make pictures`.

Each example is run in a copy of the same folder: a database with six cars and months of sessions, settings, and the files that
examples name. It is run at 80 and at 120 columns.
"""

import asyncio
import base64
import fcntl
import json
import os
import pty
import random
import re
import secrets
import shlex
import shutil
import signal
import string
import struct
import sys
import tempfile
import termios
import time
import traceback
import uuid
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from msgspec.structs import replace

import pictured
from chargeport.api.access import Access
from chargeport.api.sign_in import SignIn
from chargeport.cli.examples import EXAMPLES
from chargeport.cli.main import run
from chargeport.cli.records import made_of
from chargeport.cli.signals import states_of
from chargeport.clock import SystemClock
from chargeport.config import load
from chargeport.signals.definition import READS
from chargeport.store.records import Connection
from chargeport.store.sqlite import SqliteStore

PICTURES: Final = Path(__file__).parent / "pictures"
NOW: Final = 1_797_357_600_000  # 2026-12-15 18:00 UTC
COLUMNS: Final = (80, 120)
LASTING: Final = frozenset({"serve", "demo", "watch", "webhook listen", "mcp", "simulate"})
"""They go on until they are stopped, or need another program: tests of their own run their examples."""
REFUSED: Final = {"source check": 1, "source record": 1, "webhook verify": 1}
"""Nobody listens where the source and the webhook are, and the command says so."""
SIMULATOR: Final = "simulator "
"""Begins the names of those that need a demo: they have a test of their own, too."""
SECONDS: Final = 20
CRASHED: Final = 70
PASSWORD: Final = b"correct horse battery\n"
STYLES: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
SETTINGS: Final = """\
[server]
port = 47391

[webhooks]
allow_private_targets = true

[[places]]
name = "Home"
latitude = 52.52
longitude = 13.405
tariff = "night"

[[tariffs]]
name = "night"
currency = "EUR"
price = 0.34

[[sources]]
name = "garage"
type = "mqtt"
dialect = "teslamate"
url = "mqtt://127.0.0.1:9"
"""
FILES: Final = {
    "chargeport.toml": SETTINGS,
    "readings.csv": "vehicle,signal,observedAt,value,unit\n"
    "WVWZZZ00000000000,charge-voltage,2026-12-15T17:00:00Z,231,volts\n"
    "WVWZZZ00000000000,charge-amperage,2026-12-15T17:00:00Z,15.9,ampere\n",
    "sessions.csv": "start,end,energy,cost,currency\n2026-11-02 19:00,2026-11-02 22:00,18.4,5.70,EUR\n",
    "recording.ndjson": '{"at": 1797350400000, "topic": "teslamate/cars/1/charger_power", "payload": "7"}\n',
}


def freeze() -> None:
    """Let it be the same moment, and the same random numbers, in every run."""
    chance = random.Random(7)

    def text(size: int = 32) -> str:
        return base64.urlsafe_b64encode(chance.randbytes(size)).rstrip(b"=").decode()

    time.time_ns = lambda: NOW * 1_000_000  # what every clock of ours reads
    uuid.uuid4 = lambda: uuid.UUID(int=chance.getrandbits(128), version=4)
    secrets.token_urlsafe = text  # type: ignore[assignment]
    secrets.token_hex = lambda size=32: chance.randbytes(size).hex()  # type: ignore[assignment,misc]
    os.environ |= {"TZ": "Europe/Berlin", "TERM": "xterm-256color"}
    time.tzset()
    for name in [each for each in os.environ if each.startswith("CHARGEPORT_")] + ["COLUMNS", "LINES", "NO_COLOR"]:
        os.environ.pop(name, None)


async def furnish(folder: Path) -> dict[str, str]:
    """Fill a folder for the examples; what their variables stand for."""
    for name, content in FILES.items():
        (folder / name).write_text(content)
    database = folder / "chargeport.db"
    await pictured.fill(database, 6, now=NOW)
    store = SqliteStore.open(database)
    first = pictured.car(0, 6)
    application, _ = await Access(store, SystemClock()).register("Heating", READS)
    connection = Connection(
        id=str(uuid.uuid4()), client_id=application.client_id, user_id="ada", vehicle=first, permissions=READS, created_at=NOW
    )
    await store.access.add_connection(connection)
    _, share = await SignIn(store, Access(store, SystemClock()), SystemClock()).share(first, "Kitchen", None)
    states = await states_of(store, first.id)
    evenings = [each.id for each in await made_of(store, states, load(folder / "chargeport.toml"))][-2:]
    hook = await store.webhooks.webhook("hook")
    assert hook is not None
    await store.webhooks.put_webhook(replace(hook, fields=replace(hook.fields, callback_uri="http://127.0.0.1:9/hook")))
    await store.close()
    shutil.copy(database, folder / "cars-backup.db")
    given = {"CLIENT_ID": application.client_id, "CONNECTION": connection.id, "WEBHOOK": "hook", "SHARE": share.client_id}
    return given | {"RECORD": evenings[0], "NEXT_RECORD": evenings[1]}


def words_of(example: str, variables: dict[str, str]) -> list[str]:
    """The arguments of an example, as a shell reads them."""
    text = string.Template(example.replace("\\\n", " ")).substitute(variables)
    program, *arguments = shlex.split(text)
    assert program == "chargeport"
    return arguments


def shown(arguments: list[str], columns: int) -> tuple[int, str]:
    """Run a command in a terminal of its own; its exit code and what it showed."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        signal.alarm(SECONDS)  # one that waits for somebody ends, and is not right
        sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: PTH123, SIM115
        try:
            run(arguments)
        except SystemExit as ended:
            sys.stdout.flush()
            os._exit(int(ended.code or 0))
        except BaseException:  # noqa: BLE001  (the parent reads the traceback, and the code)
            traceback.print_exc()
        os._exit(CRASHED)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    seen = b""
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how Linux tells that the other side is closed
            break
        if not part:
            break
        seen += part
        if part.endswith(b": "):  # it asks for a password, which it does not show
            os.write(terminal, PASSWORD)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), STYLES.sub("", seen.decode()).replace("\r\n", "\n")


def pictures(folder: Path) -> dict[str, tuple[int, str]]:
    """What the example of each command shows, at each width; its exit code."""
    original = folder / "house"
    original.mkdir()
    variables = asyncio.run(furnish(original))
    made = {}
    for name, example in EXAMPLES.items():
        if name in LASTING or name.startswith(SIMULATOR):
            continue
        codes, text = set(), ""
        for columns in COLUMNS:
            copy = folder / "copy"
            shutil.copytree(original, copy)
            os.chdir(copy)
            code, seen = shown(words_of(example, variables), columns)
            codes.add(code)
            text += f"$ {example}   # {columns} columns\n{of_any_machine(seen)}\n\n"
            os.chdir(folder)
            shutil.rmtree(copy)
        made[name] = (max(codes), text)
    return made


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


def main(folder: Path) -> None:
    """Write the pictures to a folder, and beside them the exit codes."""
    freeze()
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        made = pictures(Path(place).resolve())
    for name, (_, text) in made.items():
        (folder / f"{name.replace(' ', '-')}.txt").write_text(text)
    sys.stdout.write(json.dumps({name: code for name, (code, _) in made.items()}))


if __name__ == "__main__":
    if sys.argv[1:] == ["--furnish"]:
        freeze()
        sys.stdout.write(json.dumps(asyncio.run(furnish(Path()))))
    else:
        main(Path(sys.argv[1]) if sys.argv[1:] else PICTURES)
