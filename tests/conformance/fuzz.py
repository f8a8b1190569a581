"""The API against its own description: Schemathesis sends what the description allows and what it does not, with all checks on.

    python tests/conformance/fuzz.py --seconds 600 --seed 1

starts servers of its own with a few cars, fuzzes every operation in all four phases, and ends with 1 if anything differs.
Simulators are another server, for what is done to a simulator changes what every other request is answered.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz_world import populate

from chargeport.api.examples import VEHICLE
from chargeport.api.operator_examples import SCHEDULE_ID
from servers import Server, demo

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EACH = "examples,coverage,fuzzing"
EACH_BUT_COVERAGE = "examples,fuzzing"  # coverage generates nine of ten requests, the same ones at each run
STATEFUL = "stateful"
# By links go those of the operations that answer with a prefix and without which have it: it is half as far.
UNPREFIXED = r"^/(vehicles|connections|users|webhooks|subscriptions|signals|management-token|compatible-vehicles)(?!.*/records)"
HOOKS = Path(__file__).with_name("hooks.py")
# `accepted` has ours, in place of Schemathesis' own of the same purposes.
LEFT_OUT = "positive_data_acceptance,negative_data_rejection"
# Its answers have no end, and Schemathesis waits for one: tests/api/test_stream.py looks at them instead.
ENDLESS = "streamSignals"
# Commands first: a fault that was added would be what they are answered with.
COMMANDS = r"^(/v3)?/vehicles(/\{vehicle_id\}/(commands|charge-schedules).*)?$"
SIMULATOR = r"^/simulator"
SCENARIO = f"""
name = "fuzzed"
summary = "A car that charges."

[[cars]]
name = "car"
id = "{VEHICLE.id}"
[[cars.timers]]
type = "LOCATION"
scheduleId = "{SCHEDULE_ID}"
condition = {{ name = "Elsewhere", latitude = 0.0, longitude = 0.0 }}
schedules = [{{ start = "22:00:00", end = "06:00:00" }}]

[[events]]
after = "PT0S"
do = "plug"
"""
SETTINGS = """
[webhooks]
allow_private_targets = true
[smartcar]
management_token = "key"
[limits]
wrong_credentials_per_minute = 1000000
"""


def as_route(operation: str) -> str:
    """An operation as the table of routes has it: without the prefix."""
    return operation.replace(" /v3/", " /", 1)


class Fuzzed(NamedTuple):
    """Schemathesis' own reports, and by operation the statuses that it was answered with."""

    runs: list[subprocess.CompletedProcess[str]]
    statuses: dict[str, list[int]]

    @property
    def report(self) -> str:
        return "\n".join(run.stdout + run.stderr for run in self.runs)

    @property
    def is_good(self) -> bool:
        return all(run.returncode == 0 for run in self.runs)

    @property
    def succeeded(self) -> set[str]:
        """The operations that were reached: those that ever succeeded."""
        return {each for each, found in self.statuses.items() if any(200 <= status < 300 for status in found)}


class Fuzzer:
    """Runs Schemathesis on servers of our own."""

    def __init__(self, folder: Path, *options: str, seconds: int | None = None, each: str = EACH) -> None:
        """Create one that runs the phases `each` for each operation, and the stateful one."""
        self._folder = folder
        self._each = each
        self._options = options if seconds is None else (*options, "--max-time", str(seconds))
        self._notes = folder / "statuses.json"

    def all(self) -> Fuzzed:
        """Fuzz a server, then one that simulates."""
        runs = [*self._server(), *self._simulator()]
        return Fuzzed(runs, json.loads(self._notes.read_text()))

    def _server(self) -> list[subprocess.CompletedProcess[str]]:
        database, settings = self._folder / "fuzz.db", self._folder / "chargeport.toml"
        token = asyncio.run(populate(database))
        settings.write_text(SETTINGS)
        server = Server(database, options=("--config", str(settings)))
        try:
            server.start()
            bearer = ("--header", f"Authorization: Bearer {token}")
            these = (*bearer, "--exclude-operation-id", ENDLESS, "--exclude-path-regex")
            return [
                self._run(server.url, self._each, *these, SIMULATOR),
                self._run(server.url, STATEFUL, *these, f"{SIMULATOR}|{UNPREFIXED}"),
            ]
        finally:
            server.stop()

    def _simulator(self) -> list[subprocess.CompletedProcess[str]]:
        scenario = self._folder / "fuzzed.toml"
        scenario.write_text(SCENARIO)
        with demo("--scenario", str(scenario), "--speed", "60") as facts:
            credentials = f"{facts['client_id']}:{facts['client_secret']}"
            return [
                self._run(facts["url"], f"{self._each},{STATEFUL}", "--include-path-regex", paths, FUZZ_CREDENTIALS=credentials)
                for paths in (COMMANDS, SIMULATOR)
            ]

    def _run(self, url: str, phases: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
        command = [
            str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIGURATION), "run",
            f"{url}/openapi.json", "--phases", phases, "--checks", "all", "--exclude-checks", LEFT_OUT, "--no-color",
            "--request-timeout", "60", *options, *self._options,
        ]  # fmt: skip
        environment = (
            os.environ
            | more
            | {
                "NO_PROXY": "*",
                "SCHEMATHESIS_HOOKS": str(HOOKS),
                "FUZZ_NOTES": str(self._notes),
                "PYTHONPATH": str(HOOKS.parent),
            }
        )
        return subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False, env=environment, timeout=7200
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = Fuzzer(Path(folder), "--seed", str(options.seed), "--continue-on-failure", seconds=options.seconds).all()
    sys.stdout.write(found.report)
    missed = sorted(found.statuses.keys() - found.succeeded)
    sys.stdout.write(f"\n{len(found.succeeded)} of {len(found.statuses)} operations succeeded; not {', '.join(missed)}\n")
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
