"""The folder in which the examples of commands run: a database with six cars and months of sessions, settings, files.

It is the same at every run: the clock stands still, and random numbers come from a seed.
"""

import base64
import contextlib
import os
import random
import secrets
import shlex
import shutil
import string
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec.structs import replace

import pictured
from chargeport.api.access import Access
from chargeport.api.sign_in import SignIn
from chargeport.cli.records import made_of
from chargeport.cli.signals import states_of
from chargeport.clock import SystemClock
from chargeport.config import load
from chargeport.signals.definition import READS
from chargeport.store.records import Connection
from chargeport.store.sqlite import SqliteStore

NOW: Final = 1_797_357_600_000  # 2026-12-15 18:00 UTC
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


def draw_from(seed: int) -> None:
    """Let ids and secrets come from a seed."""
    chance = random.Random(seed)

    def text(size: int = 32) -> str:
        return base64.urlsafe_b64encode(chance.randbytes(size)).rstrip(b"=").decode()

    uuid.uuid4 = lambda: uuid.UUID(int=chance.getrandbits(128), version=4)
    secrets.token_urlsafe = text  # type: ignore[assignment]
    secrets.token_hex = lambda size=32: chance.randbytes(size).hex()  # type: ignore[assignment,misc]


def freeze() -> None:
    """Let it be the same moment, the same random numbers and the same name of the program in every run."""
    draw_from(7)
    time.time_ns = lambda: NOW * 1_000_000  # what every clock of ours reads
    program = Path(sys.executable).parent / "chargeport"
    sys.argv[0] = str(program)
    os.environ |= {"TZ": "Europe/Berlin", "TERM": "xterm-256color", "PATH": f"{program.parent}:{os.environ['PATH']}"}
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
    given |= {"MANAGEMENT_TOKEN": "cpm_example", "CLIENT_SECRET": "cps_example"}
    return given | {"RECORD": evenings[0], "NEXT_RECORD": evenings[1]}


def words_of(example: str, variables: dict[str, str]) -> list[str]:
    """The arguments of an example, as a shell reads them."""
    text = string.Template(example.replace("\\\n", " ")).substitute(variables)
    program, *arguments = shlex.split(text)
    assert program == "chargeport"
    return arguments


@contextlib.contextmanager
def inside_a_copy(folder: Path) -> Iterator[None]:
    """Be in a copy of a folder while the block runs; what is changed there is gone with it."""
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    try:
        with contextlib.chdir(copy):
            yield
    finally:
        shutil.rmtree(copy)
