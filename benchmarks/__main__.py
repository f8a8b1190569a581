"""Run the benchmarks one after the other and write benchmarks/RESULTS.md: what was run, on which machine, and what came of it.

    python -m benchmarks [--only read ingest] [--quick]

`--quick` takes less data and fewer rounds: enough for ratios, too little to compare with another day.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import apsw

from benchmarks import plots

RESULTS = Path(__file__).parent / "RESULTS.md"
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "growth.svg"
SHOWN = ("uvicorn", "uvloop", "httptools", "msgspec", "starlette")
# Each with its arguments, and those of a quick run.
BENCHMARKS = {
    "read": ("--vehicles 1000 10000 100000 1000000", "--vehicles 1000 10000 100000 --rounds 3 --seconds 2"),
    "list": ("--list --vehicles 1000 100000", "--list --vehicles 1000 100000 --rounds 3 --seconds 2"),
    "beside": ("", "--rounds 2 --seconds 2"),
    "ingest": ("--runs 1 25", "--runs 1 25 --batches 150 --rounds 1 --seconds 0"),
    "stream": ("", "--streams 300 --seconds 4"),
    "webhooks": ("", ""),
    "mixed": ("", "--vehicles 2000 --streams 100 --seconds 4"),
    "peers": ("", "--rounds 2 --seconds 2"),
    "space": ("", "--cars 200 --days 1"),
    "history": ("", "--rows 2000000 --reads 500"),
    "growth": ("", "--vehicles 1000 10000 100000 --seconds 2 --batches 50 --minutes 1"),
    "startup": ("", "--rounds 3"),
    "fleet": ("", "--vehicles 20000 --rounds 1"),
    "accuracy": ("", ""),
    "derivation": ("", ""),
    "postgres": ("", "--vehicles 2000 --groups 30 --rounds 2"),
    "read-postgres": ("--database postgres --vehicles 100000", "--database postgres --vehicles 2000 --rounds 3"),
    "fleet-postgres": ("--database postgres", "--database postgres --vehicles 5000 --rounds 1"),
    "plan": ("", "--days 10"),
}
MODULES = {"list": "read", "read-postgres": "read", "fleet-postgres": "fleet"}
HEAD = """# Results of the benchmarks

Written by `make bench`, each part when it was run last. Ratios are of one run. On a shared machine trust the CPU per operation
and its ratios; the load is given. What dominates, and what was tried, is in [docs/performance.md](../docs/performance.md).
"""


def main() -> None:
    """Run what is asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    parts = kept()
    for name in asked.only:
        parts[name] = f"## {name}\n\n{run(name, BENCHMARKS[name][asked.quick])}"
        RESULTS.write_text("\n".join([HEAD, *(parts[each] for each in BENCHMARKS if each in parts)]), "utf-8")
    plots.draw(RESULTS.read_text("utf-8"), PICTURE)
    print(f"\nwritten to {RESULTS}")


def kept() -> dict[str, str]:
    """Return the parts of the page that are there already, by benchmark."""
    if not RESULTS.exists():
        return {}
    parts = RESULTS.read_text("utf-8").split("\n## ")[1:]
    return {part.split("\n")[0]: f"## {part}" for part in parts}


def run(name: str, arguments: str) -> str:
    """Run one benchmark and return its part of the page."""
    command = f"python -m benchmarks.{MODULES.get(name, name)} {arguments}".rstrip()
    print(f"\n$ {command}", flush=True)
    words = command.split()[1:]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line.rstrip())
    ending = "" if process.wait() == 0 else f"\nIt ended with {process.returncode}.\n"
    return f"{machine()}\n\n    {command}\n\n```text\n" + "\n".join(lines) + f"\n```\n{ending}"


def machine() -> str:
    """Describe what a benchmark was run on, in one paragraph."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in SHOWN)
    named = (line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    model = next(named, platform.processor()).partition(":")[2].strip()
    return (
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; {len(os.sched_getaffinity(0))} x {model}, load"
        f" {os.getloadavg()[1]:.1f}, {platform.system()} {platform.release()}; Python {platform.python_version()},"
        f" SQLite {apsw.sqlite_lib_version()}, {versions}"
    )


if __name__ == "__main__":
    main()
