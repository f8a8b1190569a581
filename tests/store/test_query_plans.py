"""Which index SQLite reads by, where another plan would read every row."""

from pathlib import Path

from chargeport.store.sql import fetch
from chargeport.store.sqlite import SqliteStore
from chargeport.store.sqlite.engine import connect
from chargeport.store.tables.sessions import HEARD_FROM
from feeding import T0


async def test_a_portion_of_cars_is_looked_through_without_reading_the_others(tmp_path: Path) -> None:
    await SqliteStore.open(tmp_path / "cars.db").close()
    connection = connect(tmp_path / "cars.db")
    plan = [row[3] for row in fetch(connection, f"EXPLAIN QUERY PLAN {HEARD_FROM}", (0, 10, 0, 10, T0))]
    connection.close()
    assert plan[0].startswith("SEARCH l USING INTEGER PRIMARY KEY")
    assert not [step for step in plan if "SCAN l" in step or "AUTOMATIC" in step]
