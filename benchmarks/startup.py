"""Start-up and memory: until the first answer, `chargeport --help`, and what an idle server takes.

Targets: ≤ 1.0 s until the first answer, ≤ 0.25 s for the help, ≤ 80 MiB idle.

    python -m benchmarks.startup [--rounds 5] [--vehicles 1000]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import fixture, load, stream


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vehicles", type=int, default=1_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "startup.db"
        fixture.build(file, asked.vehicles)
        starts = [start(file) for _ in range(asked.rounds)]
    helps = [timed("--help") for _ in range(asked.rounds)]
    print(f"{'first answer s':>15} {'idle MiB':>9} {'--help s':>9}")
    first_s, idle_mib = (statistics.median(column) for column in zip(*starts, strict=True))
    print(f"{first_s:>15.2f} {idle_mib:>9.0f} {statistics.median(helps):>9.2f}")


def start(file: Path) -> tuple[float, float]:
    """How long a server takes until it answers, and what memory it has then."""
    port = load.free_port()
    begun_s = time.perf_counter()
    serve = ("chargeport", "serve", "--database", f"sqlite:///{file}", "--port", str(port))
    with load.server(*serve, url=f"http://127.0.0.1:{port}") as target:
        return time.perf_counter() - begun_s, stream.rss_kb(target.pid) / 1024


def timed(*arguments: str) -> float:
    """How long a command takes."""
    begun_s = time.perf_counter()
    subprocess.run([sys.executable, "-m", "chargeport", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun_s


if __name__ == "__main__":
    main()
