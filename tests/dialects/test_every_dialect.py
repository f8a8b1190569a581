import importlib.util
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import recorded
from hypothesis import given
from hypothesis import strategies as st

from chargeport.dialects.all import ALL
from chargeport.dialects.table import Dialect, Row
from chargeport.ingest import engine
from chargeport.ingest.memory import CarMemory
from chargeport.signals.reading import Entry, Issue, Reading
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle

NOW = 1_777_629_598_000
HEARD_ON_THE_WIRE = [dialect for dialect in ALL.values() if dialect.read is not None]

every_dialect = pytest.mark.parametrize("dialect", ALL.values(), ids=ALL)
every_reader = pytest.mark.parametrize("dialect", HEARD_ON_THE_WIRE, ids=[dialect.name for dialect in HEARD_ON_THE_WIRE])
every_recording = pytest.mark.parametrize("path", recorded.all_recordings(), ids=lambda path: f"{path.parent.name}-{path.stem}")


def normalised(dialect: Dialect, fields: dict[str, Any]) -> engine.Normalised:
    message = RawMessage(source="test", dialect=dialect.name, vehicle="car", fields=fields, received_at=NOW)
    return engine.normalise(message, dialect, CarMemory())


def readable(path: Path) -> None:
    """Skip a recording with protobuf in it where the optional package that reads it is not installed."""
    if "payload_base64" in path.read_text() and importlib.util.find_spec("tesla_protocol") is None:
        pytest.skip("needs chargeport[tesla]: the recording is protobuf")


def test_a_dialect_is_found_by_its_own_name() -> None:
    assert [dialect.name for dialect in ALL.values()] == list(ALL)


@every_reader
def test_a_dialect_has_a_whole_recording_and_a_broken_one(dialect: Dialect) -> None:
    assert len(recorded.recordings(dialect.name)) >= 2


@every_recording
def test_a_recording_comes_to_exactly_what_is_written_beside_it(path: Path) -> None:
    readable(path)
    outcome = recorded.run(ALL[path.parent.name], recorded.deliveries(path))
    assert recorded.written(outcome) == recorded.expected(path)


@every_reader
def test_a_whole_recording_has_every_field_mapped_or_ignored_by_name(dialect: Dialect) -> None:
    whole = [path for path in recorded.recordings(dialect.name) if recorded.expected(path)["issues"] == []]
    assert whole, "one recording at least has nothing odd in it"
    for path in whole:
        assert recorded.run(dialect, recorded.deliveries(path)).issues == []


def test_no_recording_names_a_real_car() -> None:
    for path in recorded.all_recordings():
        for found in re.findall(r"\b[A-HJ-NPR-Z0-9]{17}\b", path.read_text()):
            assert found.isdigit() or found.endswith("00000"), f"{path.name}: {found} looks like a real VIN"


@every_recording
async def test_a_recording_that_is_played_again_changes_nothing(path: Path, store: Store) -> None:
    readable(path)
    given_now = recorded.deliveries(path)
    entries = recorded.run(ALL[path.parent.name], given_now).entries
    await add_cars(store, entries)
    await store.readings.write(entries)
    before = await latest(store, entries)
    await store.readings.write(recorded.run(ALL[path.parent.name], given_now).entries)
    assert await latest(store, entries) == before


@every_recording
async def test_older_words_never_replace_newer_ones(path: Path, store: Store) -> None:
    readable(path)
    entries = recorded.run(ALL[path.parent.name], recorded.deliveries(path)).entries
    newest: dict[tuple[str, str], int] = {}
    for entry in entries:
        key = (entry.vehicle, entry.signal.code)
        newest[key] = max(entry.observed_at, newest.get(key, 0))
    await add_cars(store, entries)
    for entry in sorted(entries, key=lambda each: -each.observed_at):
        await store.readings.write([entry])
    assert {key: max(state[2:]) for key, state in (await latest(store, entries)).items()} == newest


async def add_cars(store: Store, entries: list[Entry]) -> None:
    for vehicle in sorted({entry.vehicle for entry in entries}):
        await store.vehicles.add_vehicle(Vehicle(id=vehicle, created_at=NOW))


async def latest(store: Store, entries: list[Entry]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What each signal says last: its value, the reason why there is none, and when either was said."""
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    for vehicle in {entry.vehicle for entry in entries}:
        known = await store.readings.signals(vehicle)
        assert known is not None
        for state in (state for states in known.series.values() for state in states):
            at = (state.observed_at or 0, state.absence_at or 0)
            found[vehicle, state.signal.code] = (state.value, state.absence, *at)
    return found


@every_dialect
def test_a_word_that_no_table_has_is_an_issue_and_never_a_reading(dialect: Dialect) -> None:
    rows: list[Row] = [row for row in dialect.rows if row.words is not None]
    for row in rows:
        field = row.fields[0]
        found = normalised(dialect, {field: "zwischenstand-9"})
        assert field in {issue.subject for issue in found.issues}, field
        assert row.signal not in {entry.signal for entry in found.entries}, field


@every_dialect
@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, "", "invalid", "unavailable", "unknown", "NaN", "<invalid>"])
def test_what_means_no_value_is_neither_a_reading_nor_an_issue(dialect: Dialect, nothing: Any) -> None:
    for field in dialect.by_field:
        assert normalised(dialect, {field: nothing}) == ([], []), field


# A field of charging that the next release might bring, and one that has nothing to do with it.
NEXT = {
    "bmw_cardata": ("vehicle.powertrain.electric.battery.charging.zwischenstand", "vehicle.cabinet.drawer"),
    "carconnectivity": ("charging/zwischenstand", "garden/hose"),
    "evcc": ("chargeZwischenstand", "vehicle/gardenHose"),
    "ovms": ("v.c.zwischenstand", "v.q.hose"),
    "smartcar": ("charge-zwischenstand", "garden-hose"),
    "tesla": ("ChargeZwischenstand", "GardenHose"),
    "tesla_rest": ("charge_zwischenstand", "garden_hose"),
    "teslamate": ("charge_zwischenstand", "garden_hose"),
}


@every_dialect
def test_a_field_of_charging_that_no_table_has_is_an_issue_that_keeps_it(dialect: Dialect) -> None:
    field, _ = NEXT.get(dialect.name, ("zwischenstand-9", ""))
    found = normalised(dialect, {field: 1})
    assert found.entries == []
    [issue] = found.issues
    assert issue.subject == field
    assert json.loads(issue.raw)["fields"] == {field: 1}


@pytest.mark.parametrize("name", NEXT)
def test_what_a_source_adds_far_from_charging_is_no_issue(name: str) -> None:
    assert normalised(ALL[name], {NEXT[name][1]: 1}) == ([], [])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def survives(dialect: Dialect, payload: bytes, topic: str, vehicle: str | None) -> None:
    """Read it; whatever it is, it is messages or an issue, and what they say is readings, absences and issues."""
    delivery = Delivery(source="test", dialect=dialect.name, payload=payload, received_at=NOW, topic=topic, vehicle=vehicle)
    found = engine.read(delivery, dialect)
    if isinstance(found, Issue):
        assert found.raw
        return
    for message in found:
        for entry in engine.normalise(message, dialect, CarMemory()).entries:
            assert not isinstance(entry, Reading) or entry.value is not None


topics = st.sampled_from(["", "a/b", "telemetry/x/v/Soc", "ovms/u/c/metric/v/c/state", "teslamate/cars/1/charging_state"])
vehicles = st.sampled_from(["car", None])


@every_reader
@given(payload=st.binary(max_size=60), topic=topics, vehicle=vehicles)
def test_no_bytes_make_an_error(dialect: Dialect, payload: bytes, topic: str, vehicle: str | None) -> None:
    survives(dialect, payload, topic, vehicle)


@every_reader
@given(content=json_values, topic=topics, vehicle=vehicles)
def test_no_json_makes_an_error(dialect: Dialect, content: Any, topic: str, vehicle: str | None) -> None:
    survives(dialect, json.dumps(content).encode(), topic, vehicle)


@every_dialect
@given(data=st.data())
def test_no_value_of_a_known_field_makes_an_error(dialect: Dialect, data: st.DataObject) -> None:
    names = st.sampled_from(sorted(dialect.by_field))
    fields = data.draw(st.dictionaries(names, json_values, max_size=8))
    for entry in normalised(dialect, fields).entries:
        assert entry.signal.code in {row.signal.code for row in dialect.rows}


@every_reader
def test_nesting_without_an_end_is_one_issue(dialect: Dialect) -> None:
    survives(dialect, b"[" * 100_000, "", "car")
    survives(dialect, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "", "car")
    survives(dialect, b'{"a":' * 900 + b"1" + b"}" * 900, "", "car")
