"""Growth with the number of vehicles: CPU of a read, a list, a reading that is stored and a derivation; disk and memory.

Every row is one database with 21 signals for each vehicle. The server runs on a core of its own. Its memory is measured after
the reads and before the writes. Target: ≤ 200 MiB with 1,000,000 vehicles; a read at most 1.2 times the CPU of one among 1,000.

    python -m benchmarks.growth [--vehicles 1000 10000 100000 1000000] [--seconds 4] [--batches 100] [--folder FOLDER]

Databases are made in FOLDER (benchmarks/data), take 6.4 kB a vehicle, and are removed.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from pathlib import Path

from benchmarks import derivation, fixture, load, read, stream
from benchmarks.readings import BATCH, batches, post

COLUMNS = ("read µs", "list µs", "bundles µs", "random µs", "derive µs", "B/signal", "MiB")


def main() -> None:
    """Measure each number of vehicles and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=4, help="of reads of one kind")
    parser.add_argument("--batches", type=int, default=100, help="of 1,000 readings of one kind")
    parser.add_argument("--charging", type=int, default=10, help="vehicles that charge while derivation is measured")
    parser.add_argument("--minutes", type=float, default=2, help="of charging that are derived")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "data")
    asked = parser.parse_args()
    asked.folder.mkdir(exist_ok=True)
    print(f"{'vehicles':>9} " + " ".join(f"{column:>10}" for column in COLUMNS))
    for count in asked.vehicles:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            figures = measure(Path(folder) / "growth.db", count, asked)
        print(f"{count:>9} " + " ".join(f"{figure:>10.1f}" for figure in figures), flush=True)


def measure(file: Path, count: int, asked: argparse.Namespace) -> list[float]:
    """Return the figures of one database, in the order of COLUMNS."""
    charging = fixture.build(file, count)[:: max(1, count // asked.charging)][: asked.charging]
    bytes_per_signal = file.stat().st_size / (count * len(fixture.SIGNALS))
    # On a copy: its clock is set forward, and what is posted below would be derived with it.
    copy = Path(shutil.copy(file, file.with_name("derivation.db")))
    cost = asyncio.run(derivation.measure(copy, charging, asked.minutes))
    copy.unlink()
    with read.served(file, count) as (server, paths):
        lists = [path.rpartition("/")[0] for path in paths]
        costs = [load.get(server, each, fixture.TOKEN, asked.seconds).cpu_us for each in (paths, lists)]
        memory_mib = stream.rss_kb(server.pid) / 1024
        costs += [ingested(server, kind, asked.batches, count) for kind in ("bundles", "random")]
    return [*costs, cost.deriving_s / cost.derived * 1e6, bytes_per_signal, memory_mib]


def ingested(server: load.Server, kind: str, number: int, count: int) -> float:
    """Post so many batches; return the µs of CPU for a reading."""
    bodies = [json.dumps(batch, separators=(",", ":")).encode() for batch in batches(kind, number, count)]
    before_s = load.cpu_s(server.pid)
    asyncio.run(post(int(server.url.rpartition(":")[2]), "/ingest/readings", fixture.TOKEN, bodies))
    return (load.cpu_s(server.pid) - before_s) / (number * BATCH) * 1e6


if __name__ == "__main__":
    main()
