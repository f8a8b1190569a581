"""`chargeport export`: all that is stored, in forms that can be read again, from a database of any size."""

import csv
import gzip
import io
import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import apsw
import pytest
from command_line import PROGRAM, CommandLine, absence, reading, store
from hypothesis import given
from hypothesis import strategies as st

from chargeport.ingest import export_forms, files, payload
from chargeport.ingest.batch import Batch
from chargeport.ingest.items import ItemChecker
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Kind, Signal
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.records import Outcome, Sighting

T0 = 1_777_629_598_000
MANY = 200_000
MAX_GROWTH_KIB = 96 * 1024  # the file is mapped, which counts, and the interpreter's memory is never the same twice


def value_of(signal: Signal) -> st.SearchStrategy[Any]:
    """Values of a signal, as the store keeps them."""
    match signal.kind:
        case Kind.FLAG:
            return st.booleans()
        case Kind.TEXT:
            return st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20).filter(
                lambda text: not bodies.is_placeholder(text)
            )
        case Kind.DOCUMENT:
            return st.just(bodies.parse(signal, signal.example))
        case Kind.COUNT:
            return st.integers(int(signal.minimum or 0), int(signal.maximum or 0))
    assert signal.minimum is not None
    assert signal.maximum is not None
    return st.floats(signal.minimum, signal.maximum).map(lambda value: bodies.parse(signal, {"value": value}))


@st.composite
def sighting(draw: Any) -> Sighting:
    signal = draw(st.sampled_from(CATALOGUE))
    reason = draw(st.none() | st.sampled_from(AbsenceReason))
    value = None if reason else draw(value_of(signal))
    received_at = draw(st.none() | st.integers(T0, T0 + 10**9))
    source = draw(st.none() | st.sampled_from(["wallbox", 'a "quoted", name', "Käfer"]))
    return Sighting(str(uuid.uuid4()), signal, T0 + draw(st.integers(0, 10**9)), value, reason, received_at, source)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
@given(seen=st.lists(sighting(), min_size=1, max_size=8))
def test_what_is_written_is_read_as_the_same(form: str, seen: list[Sighting]) -> None:
    output = io.BytesIO()
    with export_forms.opened(form, output) as sink:
        sink(seen)
    checker = ItemChecker(Batch(), "import", T0 + 10**10, 0)
    for row in files.read(io.BytesIO(output.getvalue())):
        assert not isinstance(row.item, Exception), row
        checker.check_file_item(row.number, row.item)
    assert not checker.batch.rejections
    assert checker.batch.entries == [entry(each, T0 + 10**10) for each in seen]


@given(st.lists(sighting(), min_size=1, max_size=8))
def test_bare_lines_are_what_the_api_takes(seen: list[Sighting]) -> None:
    lines = "".join(export_forms.line(each, bare=True) for each in seen)
    checker = ItemChecker(Batch(), "http", T0 + 10**10, 0)
    assert payload.read(lines.encode(), checker, 100, lines=True) == len(seen)
    assert not checker.batch.rejections
    assert [(each.signal, each.observed_at) for each in checker.batch.entries] == [
        (each.signal, each.observed_at) for each in seen
    ]


def entry(seen: Sighting, now: int) -> Entry:
    received_at, source = seen.received_at or now, seen.source or "import"
    if seen.absence:
        return Absence(seen.vehicle_id, seen.signal, seen.absence, seen.observed_at, received_at, source)
    assert seen.value is not None
    return Reading(seen.vehicle_id, seen.signal, seen.value, seen.observed_at, received_at, source)


@pytest.fixture
def car(chargeport: CommandLine, database: Path) -> str:
    """A car with a value, one that was seen three times, a document and an absence."""
    vehicle_id = chargeport.vehicle()
    document = BY_CODE["charge-chargerecords"].example
    seen = [reading(vehicle_id, "charge-voltage", {"value": 231}, ago_s=ago_s) for ago_s in (60, 40, 20)]
    entries = [*seen[:1], reading(vehicle_id, "charge-chargerecords", document)]
    store(database, [*entries, absence(vehicle_id, "charge-wattage", AbsenceReason.NOT_CAPABLE)])
    store(database, seen[1:], Outcome.UNCHANGED)
    return vehicle_id


def test_changes_are_exported_with_the_first_and_the_last_time_they_were_seen(chargeport: CommandLine, car: str) -> None:
    lines = [json.loads(line) for line in chargeport("export", "-").out.splitlines()]
    assert {line["vehicle"] for line in lines} == {car}
    assert [line["signal"] for line in lines] == [
        "charge-chargerecords", "charge-voltage", "charge-voltage", "charge-wattage"
    ]  # fmt: skip
    assert list(lines[1]) == ["vehicle", "signal", "observedAt", "receivedAt", "source", "body"]
    assert lines[1]["body"] == {"value": 231, "unit": "volts"}
    assert lines[3]["status"]["error"] == {"type": "COMPATIBILITY", "code": "VEHICLE_NOT_CAPABLE"}
    assert len(chargeport("export", "-", "--sightings").out.splitlines()) == 5


def test_a_table_has_scalars_in_one_column_and_documents_in_another(chargeport: CommandLine, car: str) -> None:
    table = list(csv.DictReader(chargeport("export", "-", "--format", "csv").out.splitlines()))
    document, voltage, _, gone = table
    assert (voltage["value"], voltage["unit"], voltage["body"], voltage["absence"]) == ("231", "volts", "", "")
    assert document["body"] == bodies.parse(BY_CODE["charge-chargerecords"], BY_CODE["charge-chargerecords"].example)
    assert (gone["value"], gone["absence"], gone["source"]) == ("", "NOT_CAPABLE", "wallbox")


def test_parquet_keeps_numbers_and_instants(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert chargeport("export", "cars.parquet", "--json").json == {"file": "cars.parquet", "format": "parquet", "readings": 4}
    table = parquet.read_table(tmp_path / "cars.parquet").to_pylist()
    assert [row["value"] for row in table] == [None, 231.0, 231.0, None]
    assert table[1]["observedAt"] < table[2]["observedAt"]
    assert table[1]["observedAt"].tzinfo is not None
    assert json.loads(table[0]["body"])
    assert table[3]["absence"] == "NOT_CAPABLE"


def test_without_its_package_parquet_says_how_to_get_it(
    chargeport: CommandLine, car: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "the extra parquet" in chargeport("export", "cars.parquet").refused()
    assert not (tmp_path / "cars.parquet").exists()


def test_only_what_is_selected_is_exported(chargeport: CommandLine, car: str) -> None:
    other = chargeport.vehicle("--alias", "other")
    everything = chargeport("export", "-").out.splitlines()
    observed = json.loads(everything[1])["observedAt"]
    assert chargeport("export", "-", "--vehicle", "other").out == ""
    assert chargeport("export", "-", "--vehicle", "other", "--vehicle", car).out.splitlines() == everything
    assert chargeport("export", "-", "--signal", "voltage", "--signal", "wattage").out.splitlines() == everything[1:]
    assert chargeport("export", "-", "--signal", "charge-voltage", "--to", observed).out == ""
    assert len(chargeport("export", "-", "--signal", "charge-voltage", "--from", observed).out.splitlines()) == 2
    assert chargeport("export", "-", "--to", "2026-01-01").out == ""
    assert other not in "".join(everything)


def test_an_archive_is_the_same_compressed(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    assert "4 readings" in chargeport("export", "cars.csv.gz").out
    assert gzip.decompress((tmp_path / "cars.csv.gz").read_bytes()).decode() == chargeport("export", "-", "--format", "csv").out
    assert (tmp_path / "cars.csv.gz").stat().st_mode & 0o777 == 0o600


def test_an_export_that_is_broken_off_leaves_the_old_file(
    chargeport: CommandLine, car: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    (tmp_path / "cars.ndjson").write_text("old")
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(export_forms, "line", broken)
    assert chargeport("export", "cars.ndjson").code == 130
    assert (tmp_path / "cars.ndjson").read_text() == "old"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("cars.db",), "--format"),
        (("cars.parquet.gz",), "leave .gz out"),
        (("cars.csv", "--bare"), "--bare"),
        (("-", "--from", "yesterday"), "2026-05-01"),
        (("-", "--to", "2026-02-30"), "--to"),
        (("-", "--format", "xml"), "parquet"),
    ],
)
def test_what_can_not_be_exported_is_refused_before_anything_is_done(
    arguments: tuple[str, ...], names: str, chargeport: CommandLine, database: Path
) -> None:
    assert names in chargeport("export", *arguments).refused(2)
    assert not database.exists()


@pytest.mark.parametrize(("arguments", "names"), [(("--vehicle", "Herbie"), "Herbie"), (("--signal", "joy"), "joy")])
def test_what_is_not_there_is_named(arguments: tuple[str, ...], names: str, chargeport: CommandLine, car: str) -> None:
    assert names in chargeport("export", "-", *arguments).refused()


def test_a_folder_that_is_not_there_is_named(chargeport: CommandLine, car: str) -> None:
    assert "nowhere" in chargeport("export", "nowhere/cars.csv").refused()


def test_two_hundred_thousand_readings_need_no_more_memory_than_few(
    chargeport: CommandLine, car: str, database: Path, tmp_path: Path
) -> None:
    few = peak_kib("export", "few.ndjson", folder=tmp_path)
    fill(database)
    many = peak_kib("export", "many.ndjson", folder=tmp_path)
    with (tmp_path / "many.ndjson").open() as lines:
        assert sum(1 for _ in lines) == MANY + 4
    assert many - few < MAX_GROWTH_KIB, (few, many)


def fill(database: Path) -> None:
    """Many values of one signal, all different from the one before."""
    with apsw.Connection(str(database)) as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) INSERT INTO settled"
            " (vehicle_key, signal_key, source_key, observed_at, position, lag, value)"
            " SELECT 1, 21, s.key, ?2 + i * 1000, 1000 + i, 5, i % 1000 FROM n, sources s"
            " WHERE s.name = 'wallbox'",
            (MANY, T0 - 10**9),
        )
    connection.close()


def peak_kib(*arguments: str, folder: Path) -> int:
    """The most memory that a command had."""
    process = os.posix_spawn(sys.executable, [*PROGRAM, *arguments], {**os.environ, "PWD": str(folder)})
    _, status, used = os.wait4(process, 0)
    assert status == 0
    return used.ru_maxrss
