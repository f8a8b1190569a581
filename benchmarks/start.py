"""The start of a server: from the command until it answers, on a new database and after `kill -9`.

Target: ≤ 2 s, on a machine that does nothing else. `tests/durability/kill_nine.py`, the long form of a test, holds it, too.

    python -m benchmarks.start [--rounds 5]
"""

import argparse
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import load


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as folder:
        started = [measure(Path(folder) / "start.db") for _ in range(asked.rounds + 1)]
    print(f"{'':>10} {'median s':>9} {'max s':>6} {'CPU s':>6}")
    for name, rounds in (("new", started[:1]), ("after kill", started[1:])):
        seconds, cpu = [one for one, _ in rounds], [other for _, other in rounds]
        print(f"{name:>10} {statistics.median(seconds):>9.2f} {max(seconds):>6.2f} {statistics.median(cpu):>6.2f}")


def measure(file: Path) -> tuple[float, float]:
    """Start a server and kill it; the seconds until it was ready, and its CPU by then."""
    url = f"http://127.0.0.1:{load.free_port()}"
    serve = ("chargeport", "serve", "--database", f"sqlite:///{file}", "--port", url.rpartition(":")[2])
    began = time.perf_counter()
    with load.server(*serve, url=url) as target:
        took, cpu = time.perf_counter() - began, load.cpu_s(target.pid)
        os.kill(target.pid, signal.SIGKILL)
    return took, cpu


if __name__ == "__main__":
    main()
