"""The signal read: requests per second on one core, as a ratio to a constant body of the same size from the same server.

Real tokens, random vehicles and signals out of 1 k, 100 k and 1 M vehicles with 21 signals each, on disk. Targets: ≥ 0.60 of
the constant and p99 ≤ 3 ms at 32 connections (100 k vehicles); at 1 M vehicles not more than 1.2 times slower than at 1 k.

    python -m benchmarks.read [--list] [--vehicles 1000 100000 1000000] [--rounds 5] [--seconds 4] [--folder FOLDER]
        [--database postgres]

With --list all signals of a vehicle are read at once; target: ≥ 0.50 of a constant of that size. Databases are kept in FOLDER
(benchmarks/data) and take 2.9 kB a vehicle; one whose values are about to be stale is made anew.

With --database postgres a copy is read over TCP; target: a CPU ratio ≥ 0.35. What the database itself spends is not in it.
"""

import argparse
import random
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import databases, fixture, load

PATHS = 20_000
FRESH_S = 900  # for which values must stand at the least


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--list", action="store_true", help="read all signals of a vehicle")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "data")
    databases.add_argument(parser)
    asked = parser.parse_args()
    asked.folder.mkdir(exist_ok=True)
    print(f"{'vehicles':>10} {'req/s':>9} {'constant':>9} {'ratio':>6} {'CPU ratio':>9} {'p99 ms':>7} {'µs CPU':>7}")
    rates = {
        count: measure(
            asked.folder / f"{count}.db", count, asked.rounds, asked.seconds, whole=asked.list, database=asked.database
        )
        for count in asked.vehicles
    }
    smallest, largest = min(rates), max(rates)
    if smallest != largest:
        print(f"{largest} vehicles are {rates[largest] / rates[smallest]:.2f} times slower than {smallest} (CPU per request)")


@contextmanager
def served(
    file: Path, count: int, *, whole: bool = False, database: str = databases.SQLITE
) -> Iterator[tuple[load.Server, list[str]]]:
    """Run a server of a database with so many vehicles; yield it and paths to read from it."""
    ids = fixture.build(file, count, fresh_s=FRESH_S)
    draw = random.Random(2)
    paths = [f"/v3/vehicles/{draw.choice(ids)}/signals/{draw.choice(fixture.SIGNALS).code}" for _ in range(PATHS)]
    if whole:
        paths = [path.rpartition("/")[0] for path in paths]
    port = load.free_port()
    with databases.url_of(file, database) as url:
        serve = ("chargeport", "serve", "--database", url, "--port", str(port))
        with load.server(*serve, url=f"http://127.0.0.1:{port}") as target:
            load.get(target, paths, fixture.TOKEN, 1)
            yield target, paths


def measure(file: Path, count: int, rounds: int, seconds: float, *, whole: bool, database: str) -> float:
    """Measure reads against the constant, round by round; µs of CPU for a read."""
    port = load.free_port()
    with served(file, count, whole=whole, database=database) as (reads, paths):
        size = mean_size(reads, paths)
        with load.server("benchmarks.constant", str(port), str(size), url=f"http://127.0.0.1:{port}") as constant:
            pairs = [
                (load.get(reads, paths, fixture.TOKEN, seconds), load.get(constant, paths, fixture.TOKEN, seconds))
                for _ in range(rounds)
            ]
    ours, base = load.median([pair[0] for pair in pairs]), load.median([pair[1] for pair in pairs])
    if ours.bad:
        raise SystemExit(f"{ours.bad} answers were not 200")
    ratio = sorted(one.rate / other.rate for one, other in pairs)[len(pairs) // 2]
    print(
        f"{count:>10} {ours.rate:>9.0f} {base.rate:>9.0f} {ratio:>6.2f} {base.cpu_us / ours.cpu_us:>9.2f}"
        f" {ours.p99_ms:>7.2f} {ours.cpu_us:>7.1f}"
    )
    return ours.cpu_us


def mean_size(reads: load.Server, paths: list[str]) -> int:
    """Return the mean size of an answer, so that the constant is as large."""
    sizes = []
    for path in paths[:200]:
        request = urllib.request.Request(reads.url + path, headers={"Authorization": f"Bearer {fixture.TOKEN}"})  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            sizes.append(len(answer.read()))
    return sum(sizes) // len(sizes)


if __name__ == "__main__":
    main()
