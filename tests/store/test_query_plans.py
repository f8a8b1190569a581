"""Which index SQLite reads by, where another plan would read every row."""

from pathlib import Path

from chargeport.store.sql import fetch
from chargeport.store.sqlite import SqliteStore
from chargeport.store.sqlite.engine import connect
from chargeport.store.tables.access import CONNECTED_WITH, ENDED_AMONG, marks
from chargeport.store.tables.sessions import HEARD_FROM
from feeding import T0


async def test_a_portion_of_cars_is_looked_through_without_reading_the_others(tmp_path: Path) -> None:
    await SqliteStore.open(tmp_path / "cars.db").close()
    connection = connect(tmp_path / "cars.db")
    plan = [row[3] for row in fetch(connection, f"EXPLAIN QUERY PLAN {HEARD_FROM}", (0, 10, 0, 10, T0))]
    connection.close()
    assert plan[0].startswith("SEARCH l USING INTEGER PRIMARY KEY")
    assert not [step for step in plan if "SCAN l" in step or "AUTOMATIC" in step]


async def test_the_connections_of_a_page_of_cars_are_found_by_car_and_not_among_all_of_the_application(tmp_path: Path) -> None:
    await SqliteStore.open(tmp_path / "cars.db").close()
    connection = connect(tmp_path / "cars.db")
    cars = ("a", "b", "c")
    for statement, given in ((CONNECTED_WITH, ("app", None)), (ENDED_AMONG, ("app",))):
        sql = f"EXPLAIN QUERY PLAN {statement.format(marks(cars, len(given) + 1))}"
        plan = [row[3] for row in fetch(connection, sql, (*given, *cars))]
        assert plan[0].startswith("SEARCH v USING")
        assert plan[1].startswith("SEARCH")
        assert "client_id=?" in plan[1]
        assert "vehicle_key=?" in plan[1]
    connection.close()
