"""A database of the first version: no reading is lost when it is opened, and reads answer as they did.

The file was written by the release before schema 5: several sources on one car, derived values, edits, folded hours. What its
reads answered then lies beside it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from chargeport.api.access import Access
from chargeport.api.reads import ReadRequest, Reads
from chargeport.clock import ManualClock
from chargeport.errors import Problem
from chargeport.signals.catalogue import BY_CODE, CATALOGUE, VIN
from chargeport.signals.definition import Cadence, Permission
from chargeport.signals.effective import DERIVED
from chargeport.store.records import Page, Run, Selection
from chargeport.store.sqlite import SqliteStore
from chargeport.store.sqlite.engine import fetch

FOLDER = Path(__file__).parents[1] / "data" / "databases"
CAR, OTHER = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c12"
THEN: dict[str, Any] = json.loads((FOLDER / "schema_4.expected.json").read_text("utf-8"))
EVERYTHING = frozenset(Permission)
EVER_AT = 1 << 45
FOLDED_UNTIL = 1_778_198_400_000  # behind that, when a value was received is told more exactly now


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """The old database, brought over."""
    file = tmp_path / "old.db"
    connection = apsw.Connection(str(file))
    for _ in connection.execute((FOLDER / "schema_4.sql").read_text("utf-8")):
        pass
    assert fetch(connection, "PRAGMA user_version") == [(4,)]
    connection.close()
    store = SqliteStore.open(file)
    yield store
    await store.close()


async def test_reads_answer_as_before(old: SqliteStore) -> None:
    clock = ManualClock(THEN["now"])
    reads = Reads(old, Access(old, clock), clock)
    known = {(car, code, at): answer for car, code, at, answer in THEN["reads"]}
    instants = {at for _, _, at in known}
    for car in (CAR, OTHER):
        compared = (each for each in CATALOGUE if each.cadence is not Cadence.PLUGGED and each is not VIN)
        for code in (signal.code for signal in compared):
            for at in instants:
                now, then = await answered(reads, car, code, at), known.get((car, code, at))
                if at is not None and at < FOLDED_UNTIL:
                    now, then = now and now[:-1], then and then[:-1]
                if now is not None and then is not None and now[3] == "derived:sessions":
                    now[5] = then[5] = None  # what records may be made of has grown
                assert now == then, (car, code, at)


async def answered(reads: Reads, car: str, code: str, at: int | None) -> list[Any] | None:
    """Body, status, error, source, time of observation, inputs, and when it was received."""
    query = () if at is None else (("at", str(at)),)
    read = ReadRequest(car, code, base="http://cars.test", request_id="", authorization=None, query=query)
    try:
        document = msgspec.json.decode(await reads.document(read, EVERYTHING))["data"]
    except Problem:
        return None
    attributes, meta = document["attributes"], document["meta"]
    status = attributes["status"]
    reported = [meta.get(name) for name in ("source", "oemUpdatedAt", "derivedFrom", "retrievedAt")]
    return [attributes.get("body"), status["value"], status.get("error", {}).get("code"), *reported]


async def test_the_changes_of_all_sources_put_together_are_those_of_before(old: SqliteStore) -> None:
    for name, before in THEN["history"].items():
        car, code, *derived = name.split()
        signal = BY_CODE[code]
        sources = [each for each in await old.history.sources_of(car, signal) if (each == DERIVED) is bool(derived)]
        found = await old.history.pieces(car, [(signal, each) for each in sources], 0, EVER_AT, limit=1000, every=True)
        assert put_together([run for part in found for run in part]) == [[at, *sent] for at, _, _, *sent in before], name


def put_together(runs: list[Run]) -> list[list[Any]]:
    """When what was said last, by whichever source, became something else."""
    seen = sorted(((at, (run.value, run.absence)) for run in runs for at in run.sightings), key=lambda each: each[0])
    changes = [next(group) for _, group in groupby(seen, key=lambda each: each[1])]
    return [[at, *sent] for at, sent in changes]


async def test_hours_the_feed_and_what_is_kept_beside_stay(old: SqliteStore) -> None:
    for name, before in THEN["hours"].items():
        car, code = name.split()
        sources = await old.history.sources_of(car, BY_CODE[code])
        found = [await old.history.hours(car, BY_CODE[code], 0, EVER_AT, source=each, limit=1000) for each in sources]
        hours = sorted((each for part in found for each in part), key=lambda each: each.start)
        reported = [
            [each.start, each.changes, each.held_ms, each.value, each.value_at, each.source, each.absence] for each in hours
        ]
        assert reported == before, name
    reported = [
        [each.position, each.vehicle_id, each.signal.code, each.observed_at, each.value, each.absence,
         each.source if each.rule is None else f"{DERIVED}:{each.rule}"]
        for each in await old.readings.changes(0, 10_000)
    ]  # fmt: skip
    assert reported == THEN["feed"]
    assert [each.id for each in await old.sessions.sessions(CAR, 0, EVER_AT)] == ["CHG-1", "CHG-2"]
    assert [each.name for each in await old.sessions.reported_sessions(CAR, 0)] == ["told-1"]
    assert len(await old.sessions.edits(CAR)) == 1
    assert (await old.issues.issues(Page()))[1] == 1
    assert await old.notes.recall("derivation", "progress") == '{"position":7}'
    assert await old.access.connection("client_old", CAR) is not None


async def test_a_database_of_the_first_version_loses_no_reading(old: SqliteStore) -> None:
    before = {tuple(each) for each in THEN["sightings"]}
    parts = [part.sightings async for part in old.readings.sightings(Selection(every=True))]
    found = [each for part in parts for each in part]
    assert before <= {(each.vehicle_id, each.signal.code, each.observed_at, each.value, each.absence) for each in found}
    assert {each.source for each in found} == {"wallbox", "car", "app"}
    rules = {state.rule for states in (await series(old)).values() for state in states if state.source == DERIVED}
    assert "timetocomplete/taper@2 of charge-wattage tractionbattery-stateofcharge charge-chargelimits" in rules


async def series(old: SqliteStore) -> dict[int, Any]:
    found = await old.readings.signals(CAR)
    assert found is not None
    return found.series


async def test_what_comes_after_is_stored_and_folded_as_in_a_new_database(old: SqliteStore) -> None:
    from chargeport.store.retention import go_round
    from chargeport.store.retention_policy import DAY_MS, KeepFor, Policy

    policy = Policy({signal.group: KeepFor(3) for signal in CATALOGUE})
    async with asyncio.timeout(30):
        await go_round(old.retention, policy, ManualClock(THEN["now"] + 5 * DAY_MS))
        again = await go_round(old.retention, policy, ManualClock(THEN["now"] + 5 * DAY_MS))
    assert (again.runs, again.hours) == (0, 0)
    assert {key: len(states) for key, states in (await series(old)).items()}[BY_CODE["charge-wattage"].key] == 3
