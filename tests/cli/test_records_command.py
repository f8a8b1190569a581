"""`records`, `record` and `user`: sessions as people see and change them, and users that are erased."""

import asyncio
import csv
import io
from pathlib import Path

import msgspec
import pytest
from command_line import CommandLine

from chargeport.clock import SystemClock
from chargeport.derivation.worker import Derivation
from chargeport.settings import Settings
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Reading
from chargeport.store.sqlite import SqliteStore

CHARGING, WATTAGE, RECORDS = (BY_CODE[f"charge-{name}"] for name in ("ischarging", "wattage", "chargerecords"))
HOUR = 3_600_000
T0 = 1_777_629_600_000  # 2026-05-01T10:00:00Z
PLACE = {"name": "Aunt Käthe", "latitude": 52.5, "longitude": 13.4}


async def nothing(_: float) -> None:
    """Rest without resting."""


def work_out(database: Path, readings: list[Reading]) -> None:
    """What a server does with readings."""

    async def run() -> None:
        store = SqliteStore.open(database)
        await store.readings.write(readings)
        derivation = Derivation(store, Settings(), SystemClock(), nothing, rest=nothing)
        await derivation.resume()
        await derivation.work()
        await store.close()

    asyncio.run(run())


def session(car: str, start: int = T0) -> list[Reading]:
    times = range(start, start + 2 * HOUR, 300_000)
    reported = [
        Reading(car, signal, value, at, at, "box") for at in times for signal, value in ((CHARGING, True), (WATTAGE, 7000))
    ]
    end = start + 2 * HOUR
    return [*reported, Reading(car, CHARGING, False, end, end, "box"), Reading(car, WATTAGE, 0, end, end, "box")]


@pytest.fixture
def car(chargeport: CommandLine, database: Path) -> str:
    """A car with two sessions, of one of which a source told the place and the cost."""
    vehicle_id = chargeport.vehicle()
    record = {
        "startTime": "2026-05-02T10:00:00Z", "endTime": "2026-05-02T12:00:00Z", "location": PLACE, "isPublicCharger": False,
        "cost": {"currency": "EUR", "energyAmount": 4.2},
    }  # fmt: skip
    body = bodies.parse(RECORDS, {"values": [record]})
    at = T0 + 30 * HOUR
    reported = Reading(vehicle_id, RECORDS, body, at, at, "oem")
    work_out(database, [*session(vehicle_id), *session(vehicle_id, T0 + 24 * HOUR), reported])
    return vehicle_id


def test_records_are_listed_with_what_is_known_of_them(chargeport: CommandLine, car: str) -> None:
    first, second = chargeport("records", car, "--json").json
    assert (first["started_at"], first["ended_at"]) == ("2026-05-01T10:00:00.000Z", "2026-05-01T12:00:00.000Z")
    assert first["energy_drawn_kwh"] == pytest.approx(14, rel=0.03)
    assert (first["energy_method"], first["charging_type"], first["place"], first["cost"]) == ("integral", "AC", None, None)
    assert second["place"]["name"] == "Aunt Käthe"
    assert second["cost"] == {"currency": "EUR", "amount": 4.2}
    assert second["sources"] == ["box", "oem"]
    printed = chargeport("records", car).out
    assert "Aunt Käthe" in printed
    assert "4.20 EUR" in printed
    assert first["id"] in printed


def test_records_are_selected_by_time_and_printed_with_their_evidence(chargeport: CommandLine, car: str) -> None:
    (only,) = chargeport("records", car, "--from", "2026-05-02", "--json", "--evidence").json
    assert only["started_at"].startswith("2026-05-02")
    assert {"charge-wattage"} <= {code for fact in only["evidence"] for code in fact["signals"]}
    assert chargeport("records", car, "--to", "2026-05-01", "--json").json == []
    assert chargeport("records", car, "--open", "--json").json == []
    assert "by 25 of charge-wattage" in chargeport("records", car, "--evidence").out


def test_records_are_written_as_a_table(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    chargeport("records", car, "--csv", str(tmp_path / "a.csv"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text("utf-8"))))
    assert [row["place_name"] for row in rows] == ["", "Aunt Käthe"]
    assert rows[1]["cost_amount"] == "4.2"
    assert chargeport("records", car, "--csv", "-").out.count("CHG-") == 2
    assert "can't be written" in chargeport("records", car, "--csv", str(tmp_path / "no" / "a.csv")).refused()


def test_a_record_is_changed_and_the_change_taken_back(chargeport: CommandLine, car: str) -> None:
    before = chargeport("records", car, "--json").json
    one, other = (each["id"] for each in before)
    split = chargeport("record", "split", car, one, "--at", "2026-05-01T11:00:00Z", "--json").json["number"]
    better = ("--note", "with a trailer", "--energy", "11", "--cost", "3", "--currency", "EUR")
    chargeport("record", "annotate", car, other, *better)
    found = chargeport("records", car, "--json").json
    assert [each["made_of"] for each in found] == [[one], [one], [other]]
    assert (found[2]["note"], found[2]["energy_added_kwh"], found[2]["cost"]["amount"]) == ("with a trailer", 11, 3)
    assert len(chargeport("record", "edits", car, "--json").json) == 2
    chargeport("record", "undo", car, str(split))
    assert [each["id"] for each in chargeport("records", car, "--json").json] == [one, other]
    chargeport("record", "merge", car, one, other)
    (merged,) = chargeport("records", car, "--json").json
    assert merged["made_of"] == [one, other]
    assert "with a trailer" in chargeport("record", "edits", car).out


def test_a_server_shows_what_was_changed_beside_it(chargeport: CommandLine, car: str, database: Path) -> None:
    one = chargeport("records", car, "--json").json[0]["id"]
    chargeport("record", "annotate", car, one, "--energy", "11")
    work_out(database, [])
    shown = chargeport("signals", car, "charge-chargerecords", "--json").json["data"]["attributes"]["body"]["values"]
    assert [each["energyAdded"] for each in shown if each["id"] == one] == [11]


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (("split", "CAR", "CHG-0", "--at", "2026-05-01T11:00:00Z"), "No record has the id 'CHG-0'"),
        (("split", "CAR", "ONE", "--at", "2026-05-09T11:00:00Z"), "must be between the start and the end"),
        (("annotate", "CAR", "ONE"), "there is nothing to change"),
        (("annotate", "CAR", "ONE", "--cost", "3"), "needed both"),
        (("annotate", "CAR", "ONE", "--cost", "3", "--currency", "euro"), "three capital letters"),
        (("merge", "CAR", "ONE"), "two records or more"),
        (("undo", "CAR", "77"), "No edit of its records has the number 77"),
    ],
)
def test_what_can_t_be_changed_is_refused(chargeport: CommandLine, car: str, arguments: tuple[str, ...], reported: str) -> None:
    names = {"CAR": car, "ONE": chargeport("records", car, "--json").json[0]["id"]}
    ended = chargeport("record", *(names.get(each, each) for each in arguments))
    assert ended.code in (1, 2)
    assert reported in ended.err
    assert chargeport("record", "edits", car, "--json").json == []


def test_a_user_is_erased_with_the_cars_that_were_theirs_alone(chargeport: CommandLine, car: str, database: Path) -> None:
    app = chargeport.app()["client_id"]
    shared = chargeport.vehicle("--alias", "shared")
    for user, vehicle in (("anna.secret", car), ("anna.secret", shared), ("ben", shared)):
        chargeport("connection", "add", "--app", app, "--user", user, "--vehicle", vehicle)
    assert [row[:2] for row in chargeport("user", "list").rows] == [["anna.secret", "2"], ["ben", "1"]]
    removed = chargeport("user", "remove", "anna.secret", "--yes", "--json").json
    assert (removed["connections"], list(removed["vehicles"])) == (2, [car])
    assert removed["vehicles"][car]["sessions"] == 3
    assert [each["user_id"] for each in chargeport("connection", "list", "--json").json] == ["ben"]
    assert [each["id"] for each in chargeport("vehicle", "list", "--json").json] == [shared]
    left = b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
    for trace in ("anna.secret", car, "Aunt Käthe"):
        assert trace.encode() not in left, trace
    assert "No user is called 'anna.secret'" in chargeport("user", "remove", "anna.secret", "--yes").refused()


def test_with_keep_vehicles_only_the_connections_are_removed(chargeport: CommandLine, car: str) -> None:
    app = chargeport.app()["client_id"]
    chargeport("connection", "add", "--app", app, "--user", "anna", "--vehicle", car)
    assert "1 connections" in chargeport("user", "remove", "anna", "--keep-vehicles", "--yes").out
    assert chargeport("connection", "list", "--json").json == []
    assert msgspec.json.encode(chargeport("records", car, "--json").json).count(b"CHG-") == 2
