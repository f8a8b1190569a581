"""`chargeport vehicle`: cars under all their names, and gone when they are erased."""

import sys
import uuid
from pathlib import Path

import pytest
from command_line import ACME, VIN, CommandLine, reading, store

from chargeport.cli import finding, output

VIN_CODE = "vehicleidentification-vin"


def test_a_vehicle_answers_to_all_its_names(chargeport: CommandLine) -> None:
    given = "0B0C6B0E1B5E4D6E9B3F2F8F5F2A7C11"
    vehicle_id = chargeport.vehicle("--id", given, "--vin", VIN.lower(), "--alias", "Käfer", "--alias", "garage 2")
    assert vehicle_id == str(uuid.UUID(given))
    for name in (vehicle_id, vehicle_id.upper(), VIN, VIN.lower(), "Käfer", "garage 2"):
        shown = chargeport("vehicle", "show", name, "--json").json
        assert shown["id"] == vehicle_id
        assert shown["vin"] == VIN
        assert shown["aliases"] == ["Käfer", "garage 2"]


def test_what_nobody_reported_is_a_dash_and_null(chargeport: CommandLine) -> None:
    vehicle_id = chargeport.vehicle()
    (listed,) = chargeport("vehicle", "list", "--json").json
    assert listed["vin"] is None
    assert chargeport("vehicle", "list").rows == [[vehicle_id, "ACME", "One", "2026", "BEV", "—", "—", "live"]]
    assert "vin         —\n" in chargeport("vehicle", "show", vehicle_id).out


def test_a_list_is_whole_however_many_pages_it_takes(chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PAGE_SIZE", 2)
    added = {chargeport.vehicle() for _ in range(5)}
    assert {each["id"] for each in chargeport("vehicle", "list", "--json").json} == added


def test_a_name_that_is_taken_adds_nothing(chargeport: CommandLine) -> None:
    chargeport.vehicle("--alias", "Käfer")
    chargeport("vehicle", "add", *ACME, "--vin", VIN, "--alias", "Käfer").refused()
    assert len(chargeport("vehicle", "list", "--json").json) == 1
    assert "is called" in chargeport("vehicle", "show", VIN).refused()


def test_a_vehicle_gets_other_facts_and_names_and_keeps_its_data(chargeport: CommandLine, database: Path) -> None:
    vehicle_id = chargeport.vehicle("--alias", "Käfer", "--alias", "garage:1")
    store(database, [reading("Käfer", "charge-voltage", {"value": 231, "unit": "volts"})])
    edit = ("vehicle", "edit", "Käfer", "--model", "Two", "--year", "2027", "--vin", VIN.lower(), "--powertrain", "PHEV")
    edited = chargeport(*edit, "--alias", "box:2", "--remove-alias", "garage:1", "--json").json
    assert edited["id"] == vehicle_id
    assert [edited[name] for name in ("make", "model", "year", "vin", "powertrain", "aliases")] == [
        "ACME", "Two", 2027, VIN, "PHEV", ["Käfer", "box:2"],
    ]  # fmt: skip
    assert chargeport("vehicle", "show", "box:2", "--json").json["model"] == "Two"
    assert "is called" in chargeport("vehicle", "show", "garage:1").refused()
    assert [each["id"] for each in chargeport("signals", VIN, "--json").json["data"]] == ["charge-voltage", VIN_CODE]
    assert f"{vehicle_id} is Beta Two 2027 now." in chargeport("vehicle", "edit", VIN, "--make", "Beta").out


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ((), "nothing to change"),
        (("--remove-alias", "Ente"), "has no alias 'Ente'"),
        (("--alias", "Ente 2"), "choose another name"),
        (("--vin", VIN), "choose another name"),
    ],
)
def test_an_edit_that_can_not_be_changes_nothing(chargeport: CommandLine, options: tuple[str, ...], reported: str) -> None:
    chargeport.vehicle("--alias", "Ente 2", "--vin", VIN)
    vehicle_id = chargeport.vehicle("--alias", "Käfer")
    before = chargeport("vehicle", "show", vehicle_id, "--json").json
    assert reported in chargeport("vehicle", "edit", vehicle_id, *options).refused()
    assert chargeport("vehicle", "show", vehicle_id, "--json").json == before


def test_removing_erases_what_was_stored(chargeport: CommandLine, database: Path) -> None:
    vehicle_id = chargeport.vehicle("--vin", VIN)
    store(database, [reading(VIN, "charge-voltage", {"value": 231, "unit": "volts"})])
    reported = chargeport("vehicle", "remove", VIN, "--yes", "--json").json
    counts = {"latest": 1, "history": 1, "connections": 0, "names": 2, "issues": 0, "hours": 0, "sessions": 0, "edits": 0}
    counts |= {"events": 0, "audited": 1, "notes": 0, "commands": 0}
    assert reported == {"id": vehicle_id, "removed": True, "erased": counts, "rewritten": True}
    chargeport.vehicle("--id", vehicle_id, "--vin", VIN)
    assert [each["id"] for each in chargeport("signals", VIN, "--json").json["data"]] == [VIN_CODE], "what the car is"


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_is_asked_before_anything_is_erased(
    answer: str, left: int, chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    chargeport.vehicle("--alias", "Käfer")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(output.typer, "confirm", lambda question, **_: "ACME One 2026" in question and answer == "y")
    ended = chargeport("vehicle", "remove", "Käfer")
    assert ended.code == left
    assert len(chargeport("vehicle", "list", "--json").json) == left


def test_the_terminal_is_not_steered_by_names(chargeport: CommandLine) -> None:
    assert output.printable("a\x1b[31mb\r\nc\u202e") == "a�[31mb�\nc�"
