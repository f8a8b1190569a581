"""The API against its own description: Schemathesis sends what the description allows and what it does not, with all checks on.

    python tests/conformance/fuzz.py --seconds 600 --seed 1

starts a server of its own with a few cars, fuzzes every operation in all four phases, and ends with 1 if anything differs.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from chargeport.api.access import Access
from chargeport.api.examples import VEHICLE
from chargeport.clock import SystemClock
from chargeport.signals import bodies
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.records import Connection
from chargeport.store.sqlite import SqliteStore
from servers import Server

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
PHASES = "examples,coverage,fuzzing,stateful"
# Ours, in place of Schemathesis' own of the same purpose.
CHECKS = Path(__file__).with_name("accepted.py")
LEFT_OUT = "positive_data_acceptance"
# Its answers have no end, and Schemathesis waits for one: tests/api/test_stream.py looks at them instead.
ENDLESS = "streamSignals"


async def populate(database: Path) -> str:
    """The vehicle of the examples with all its signals, a connection to it, and a token that may do everything."""
    store, clock = SqliteStore.open(database), SystemClock()
    access = Access(store, clock)
    application, _ = await access.register("Fuzz", frozenset(Permission))
    await store.vehicles.add_vehicle(VEHICLE)
    now = clock.now()
    await store.readings.write(
        [Reading(VEHICLE.id, each, bodies.parse(each, each.example), now, now, "http") for each in CATALOGUE]
    )
    await store.access.add_connection(
        Connection(
            id="owner-1", client_id=application.client_id, user_id="owner-1", vehicle=VEHICLE,
            permissions=frozenset(Permission), created_at=now,
        )
    )  # fmt: skip
    token = await access.issue_token(application)
    await store.close()
    return token


def fuzz(folder: Path, *options: str, seconds: int | None = None) -> subprocess.CompletedProcess[str]:
    """Fuzz a server of our own; Schemathesis' own report is on standard output."""
    database = folder / "fuzz.db"
    token = asyncio.run(populate(database))
    server = Server(database)
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIGURATION), "run",
        f"{server.url}/openapi.json",
        "--header", f"Authorization: Bearer {token}",
        "--phases", PHASES, "--checks", "all", "--exclude-checks", LEFT_OUT, "--exclude-operation-id", ENDLESS,
        "--no-color", *options,
    ]  # fmt: skip
    if seconds is not None:
        command += ["--max-time", str(seconds)]
    try:
        server.start()
        environment = os.environ | {"NO_PROXY": "*", "SCHEMATHESIS_HOOKS": str(CHECKS)}
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment, timeout=7200)
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = fuzz(Path(folder), "--seed", str(options.seed), "--continue-on-failure", seconds=options.seconds)
    sys.stdout.write(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
