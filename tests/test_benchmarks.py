"""The database that the benchmarks measure with is one that the server takes."""

from pathlib import Path

from benchmarks import fixture

from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.store.sqlite import SqliteStore


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
