"""`chargeport import`: readings from files, checked one by one; what is wrong costs no other, and twice is once."""

import gzip
import io
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from command_line import VIN, CommandLine

from chargeport.cli import importer
from chargeport.ingest import files
from chargeport.signals.catalogue import CATALOGUE

CAR = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
AT = "2026-05-01T09:59:58.000Z"
GOOD = {"vehicle": CAR, "signal": "charge-voltage", "observedAt": AT, "body": {"value": 231}}
NOBODYS = GOOD | {"vehicle": str(uuid.UUID(int=7))}

Json = dict[str, Any]


@pytest.fixture
def car(chargeport: CommandLine) -> str:
    return chargeport.vehicle("--id", CAR, "--alias", "Käfer")


def lines(*items: Json | str) -> str:
    return "".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in items)


def at(second: int, **members: Any) -> Json:
    return GOOD | {"observedAt": f"2026-05-01T10:00:{second:02}Z", "body": {"value": 200 + second}} | members


def counts(found: Json) -> tuple[int, ...]:
    return found["accepted"], found["superseded"], found["unchanged"], found["rejected"]


def test_what_was_exported_is_taken_back_by_an_empty_database(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    items = [at(second, signal=signal.code, body=signal.example) for signal in CATALOGUE for second in (1, 2, 3)]
    Path("in.json").write_text(json.dumps(items))
    assert counts(chargeport("import", "in.json", "--source", "wallbox", "--json").json)[3] == 0
    for name in ("out.ndjson", "out.csv.gz"):
        assert chargeport("export", name).code == 0
        other = ("--database", str(tmp_path / f"{name}.db"))
        assert chargeport("migrate", *other).code == 0
        assert counts(chargeport("import", name, "--create-vehicles", *other, "--json").json)[3] == 0
        assert chargeport("export", "-", *other).out == chargeport("export", "-").out
        again = chargeport("import", name, *other, "--json").json
        assert counts(again) == (0, 0, 2 * len(CATALOGUE), 0)
        assert chargeport("export", "-", *other).out == chargeport("export", "-").out


BROKEN = [
    ("not json", "NOT_JSON", "item"),
    ('{"vehicle": }', "NOT_JSON", "item"),
    (json.dumps(GOOD | {"colour": "red"}), "UNKNOWN_MEMBER", "colour"),
    (json.dumps(at(1, body={"value": 9999})), "OUT_OF_BOUNDS", "body.value"),
    (json.dumps(at(1, body={"value": None})), "MISSING", "body.value"),
    (json.dumps(at(1, signal="charge-joy")), "UNKNOWN_SIGNAL", "signal"),
    (json.dumps(at(1, source="bell\a")), "BAD_FORMAT", "source"),
    (json.dumps(at(1, receivedAt="yesterday")), "BAD_FORMAT", "receivedAt"),
    (json.dumps(at(1, observedAt=None)), "MISSING", "observedAt"),
    (json.dumps(at(1, observedAt="2999-01-01T00:00:00Z")), "IN_THE_FUTURE", "observedAt"),
    (json.dumps(NOBODYS), "UNKNOWN_VEHICLE", "vehicle"),
    ("{" + "[" * 5000, "NOT_JSON", "item"),
    ('{"vehicle": "\\ud800"}', "NOT_JSON", "item"),
    ("x" * 100_000, "OUT_OF_BOUNDS", "row"),
]


@pytest.mark.parametrize("case", BROKEN, ids=[f"{code} {path}" for _, code, path in BROKEN])
def test_a_broken_line_is_reported_and_costs_its_neighbours_nothing(
    case: tuple[str, str, str], chargeport: CommandLine, car: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, code, path = case
    monkeypatch.setattr(files, "MAX_ROW", 50_000)
    Path("in.ndjson").write_text(lines(at(1), "", broken, at(2)))
    ended = chargeport("import", "in.ndjson", "--json")
    found = json.loads(ended.out)
    assert (ended.code, counts(found)) == (1, (2, 0, 0, 1))
    (rejection,) = found["rejections"]
    assert (rejection["line"], rejection["item"]) == (3, 2)
    assert (rejection["code"], rejection["path"]) == (code, path)


@pytest.mark.parametrize(
    "broken",
    [
        f"{CAR},charge-voltage,{AT},231", f'{CAR},"charge-voltage,{AT},231,,', f"{CAR},charge-voltage,{AT},,,",
        f"{CAR},charge-voltage,{AT},a lot,,", f"{CAR},charge-voltage,{AT},231,furlongs,", f"{CAR},charge-voltage,,231,,",
        f"{CAR},charge-voltage,{AT},,,TIRED", f"{CAR},charge-voltage,{AT},231,,UNREACHABLE", f",charge-voltage,{AT},231,,",
        f"{CAR},charge-ischarging,{AT},yes,,", f"{CAR},,{AT},1,,", "\xff\xfe,,,,,",
    ],
)  # fmt: skip
def test_a_broken_row_of_a_table_is_reported_and_costs_its_neighbours_nothing(
    broken: str, chargeport: CommandLine, car: str
) -> None:
    good = f"{CAR},charge-voltage,{AT},231,,\n"
    text = f"vehicle,signal,observedAt,value,unit,absence\n{good}{broken}\n{good}"
    Path("in.csv").write_bytes(text.encode("latin-1"))
    ended = chargeport("import", "in.csv", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["rejected"], found["rejections"][0]["line"]) == (1, 1, 3)
    assert found["accepted"] + found["unchanged"] == 2


def test_an_array_is_cut_at_its_commas_however_long_it_is(
    chargeport: CommandLine, car: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOCK", 7)
    monkeypatch.setattr(importer, "BATCH", 3)
    items = [json.dumps(at(second), indent=1) for second in range(20)]
    items[5] = '{"vehicle": "a]\\"}", "signal": [1, ]}'
    items[9] = ""
    Path("in.json").write_text("\n\n[" + ", ".join(items) + "]\n")
    found = json.loads(chargeport("import", "in.json", "--json").out)
    assert counts(found) == (18, 0, 0, 2)
    assert [each["item"] for each in found["rejections"]] == [6, 10]


@pytest.mark.parametrize(("text", "taken"), [("[]", 0), ("", 0), ("\n\n", 0), ("[ ]", 0), (f"[{json.dumps(GOOD)}]", 1)])
def test_an_empty_file_is_no_error(text: str, taken: int, chargeport: CommandLine, car: str) -> None:
    Path("in.json").write_text(text)
    assert counts(chargeport("import", "in.json", "--json").json) == (taken, 0, 0, 0)


@pytest.mark.parametrize("text", [f"[{json.dumps(GOOD)}", f"[{json.dumps(GOOD)},", f'[{json.dumps(GOOD)}, "'])
def test_an_array_without_its_end_is_reported_after_all_that_it_has(text: str, chargeport: CommandLine, car: str) -> None:
    Path("in.json").write_text(text)
    found = json.loads(chargeport("import", "in.json", "--json").out)
    assert found["accepted"] == 1
    assert found["rejections"][-1]["detail"] == "the array does not end"


def test_an_archive_that_is_cut_off_gives_what_can_be_read(chargeport: CommandLine, car: str) -> None:
    whole = gzip.compress(
        "".join(lines(at(second % 60, source=str(uuid.UUID(int=second**7)))) for second in range(2000)).encode()
    )
    Path("in.gz").write_bytes(whole[: len(whole) // 2])
    found = json.loads(chargeport("import", "in.gz", "--json").out)
    assert sum(counts(found)[:3]) > 100
    assert (found["rejected"], found["rejections"][0]["path"]) == (1, "file")


def test_all_rejections_are_reported_and_the_first_are_printed(chargeport: CommandLine, car: str) -> None:
    Path("in.ndjson").write_text(lines(*[at(1, body={"value": 9999 + index}) for index in range(25)], at(2)))
    ended = chargeport("import", "in.ndjson", "--report", "wrong.ndjson")
    assert ended.code == 1
    assert ended.out.startswith("1 readings stored (1 are the newest now, 0 are older), 0 known before, 25 refused.\n")
    assert "line 1: charge-voltage OUT_OF_BOUNDS body.value: 9999 volts" in ended.out
    assert "and 15 more" in ended.out
    reported = [json.loads(line) for line in Path("wrong.ndjson").read_text().splitlines()]
    assert [each["line"] for each in reported] == list(range(1, 26))
    assert Path("wrong.ndjson").stat().st_mode & 0o777 == 0o600


def test_a_dry_run_finds_what_is_wrong_and_stores_nothing(chargeport: CommandLine, car: str) -> None:
    Path("in.ndjson").write_text(lines(at(1), NOBODYS, at(2, body={})))
    ended = chargeport("import", "in.ndjson", "--dry-run")
    assert ended.code == 1
    assert "Nothing was stored: 1 readings are valid, 2 would be refused." in ended.out
    assert chargeport("export", "-").out == ""
    ended = chargeport("import", "in.ndjson", "--dry-run", "--create-vehicles", "--json")
    assert (json.loads(ended.out)["valid"], len(chargeport("vehicle", "list", "--json").json)) == (2, 1)


def test_vehicles_are_made_known_by_a_uuid_or_a_vin_and_only_if_wanted(chargeport: CommandLine, car: str) -> None:
    Path("in.ndjson").write_text(lines(NOBODYS, at(1, vehicle=VIN), at(2, vehicle="Herbie")))
    assert json.loads(chargeport("import", "in.ndjson", "--json").out)["rejected"] == 3
    found = json.loads(chargeport("import", "in.ndjson", "--create-vehicles", "--json").out)
    assert (found["accepted"], found["rejected"], found["rejections"][0]["code"]) == (2, 1, "UNKNOWN_VEHICLE")
    assert {each["vin"] for each in chargeport("vehicle", "list", "--json").json} == {None, VIN}


def test_a_file_can_be_taken_as_another_cars_and_another_sources(chargeport: CommandLine, car: str) -> None:
    without = {name: value for name, value in at(2).items() if name != "vehicle"}
    Path("in.ndjson").write_text(lines(at(1, vehicle="Herbie", source="old", receivedAt=AT), without))
    assert chargeport("import", "in.ndjson", "--vehicle", "Käfer", "--source", "notebook").code == 0
    reports = [json.loads(line) for line in chargeport("export", "-").out.splitlines()]
    assert {(each["vehicle"], each["source"]) for each in reports} == {(CAR, "notebook")}
    assert reports[0]["receivedAt"] == AT


def test_what_names_no_source_comes_from_the_import(chargeport: CommandLine, car: str) -> None:
    Path("in.ndjson").write_text(lines(at(1), at(2, source="wallbox")))
    assert chargeport("import", "in.ndjson").code == 0
    assert [json.loads(line)["source"] for line in chargeport("export", "-").out.splitlines()] == ["import", "wallbox"]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_standard_input_is_read(packed: bool, chargeport: CommandLine, car: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = lines(at(1), at(2)).encode()
    piped = io.TextIOWrapper(io.BytesIO(gzip.compress(data) if packed else data))
    monkeypatch.setattr(sys, "stdin", piped)
    assert counts(chargeport("import", "-", "--json").json) == (2, 0, 0, 0)


def test_late_readings_are_superseded_and_bundles_count_each_signal(chargeport: CommandLine, car: str) -> None:
    bundle = {"vehicle": CAR, "observedAt": 1_777_000_000_000, "signals": {"charge-voltage": {"value": 1}, "charge-joy": {}}}
    Path("in.ndjson").write_text(lines(at(9), bundle))
    first = json.loads(chargeport("import", "in.ndjson", "--json").out)
    assert first["rejected"] == 1
    assert first["accepted"] + first["superseded"] == 2


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"when,what\n1,2\n", "no column 'when'"),
        (b"vehicle,value\n1,2\n", "signal, observedAt"),
        (b"PAR1 and so on", "NDJSON or CSV"),
        (b"\x00\x01\x02", "neither JSON nor a table"),
    ],
)
def test_what_is_no_file_of_readings_is_refused(data: bytes, names: str, chargeport: CommandLine, car: str) -> None:
    Path("in.file").write_bytes(data)
    assert names in chargeport("import", "in.file").refused()


@pytest.mark.parametrize("arguments", [("nowhere.csv",), (".",), ("in.ndjson", "--report", "no/where.ndjson")])
def test_a_file_that_can_not_be_used_is_named(arguments: tuple[str, ...], chargeport: CommandLine, car: str) -> None:
    Path("in.ndjson").write_text(lines(at(1)))
    assert arguments[-1] in chargeport("import", *arguments).refused()
    assert chargeport("export", "-").out == ""
