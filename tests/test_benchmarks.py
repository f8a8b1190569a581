"""The benchmarks' database is one that the server takes; those that run several programs are run in a short form."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import fixture, plots

from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.store.sqlite import SqliteStore

ROOT = Path(__file__).parents[1]


async def test_its_token_is_good_and_every_signal_of_its_vehicles_is_there(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.db"
    ids = fixture.build(path, 3, runs=2)
    store = SqliteStore.open(path)
    grant = await Access(store, SystemClock()).grant(f"Bearer {fixture.TOKEN}".encode())
    assert grant.client_id == fixture.CLIENT
    for vehicle in ids:
        found = await store.readings.signals(vehicle)
        assert found is not None
        assert {signal.key for signal in fixture.SIGNALS} == set(found.series)
    assert len(await store.readings.changes(0, 1000)) == 3 * 2 * len(fixture.SIGNALS)
    await store.close()


def test_one_that_is_there_is_taken_and_one_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.db"
    path.with_suffix(".part").write_bytes(b"half of it")
    fixture.build(path, 2)
    made_at = path.stat().st_mtime_ns
    assert fixture.build(path, 2, fresh_s=0) == fixture.vehicle_ids(2)
    assert path.stat().st_mtime_ns == made_at
    assert not path.with_suffix(".part").exists()


def run(module: str, *options: str) -> str:
    """What a benchmark prints."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHARGEPORT_")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    return done.stdout


def test_with_everything_at_once_each_load_has_its_latencies_alone_and_together() -> None:
    options = "--vehicles 40 --streams 5 --seconds 1 --quiet 0 --ingest 200 --reads 50 --changes 10"
    reported = run("mixed", *options.split())
    rows = {line.split()[0]: [float(each) for each in line.split()[1:]] for line in reported.splitlines()[1:5]}
    assert {name: row[0] for name, row in rows.items()} == {"ingest": 4, "reads": 50, "stream": 10, "webhook": 10}
    assert all(value > 0 for row in rows.values() for value in row[1:])


def test_a_peer_is_measured_beside_ours_or_passed_over_with_the_reason() -> None:
    ours, peer = run("peers", "--vehicles", "5", "--rounds", "1", "--seconds", "1", "--only", "redis").splitlines()[1:]
    assert float(ours.split()[1]) > 0
    assert float(peer.split()[-1]) > 0 if "passed over" not in peer else "installed" in peer


@pytest.mark.long
def test_growth_has_a_row_of_figures_for_each_number_of_vehicles_and_is_drawn(tmp_path: Path) -> None:
    options = "--vehicles 50 100 --seconds 1 --batches 10 --charging 1 --minutes 0.2 --folder"
    table = run("growth", *options.split(), str(tmp_path))
    rows = {line.split()[0]: [float(figure) for figure in line.split()[1:]] for line in table.splitlines()[1:]}
    assert list(rows) == ["50", "100"]
    assert all(figure > 0 for row in rows.values() for figure in row)
    assert not list(tmp_path.iterdir())
    plots.draw(f"# Results\n\n## growth\n\n```text\n{table}```\n", tmp_path / "growth.svg")
    assert (tmp_path / "growth.svg").read_text("utf-8").count("<polyline") == len(plots.LINES)
