"""`chargeport data`: everything of one vehicle or person goes into an archive, and out of the database to the last byte."""

import asyncio
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from command_line import VIN, CommandLine, reading, store

from chargeport.signals.reading import Issue
from chargeport.store.command_log import StoredCommand
from chargeport.store.protocols import Store
from chargeport.store.records import user_uuid_of
from chargeport.store.sign_in import PageSession
from chargeport.store.sqlite import SqliteStore
from chargeport.store.webhooks import Event

ALIAS = "garage:loadpoints/1"
PLACE = "Secret Cottage"


@pytest.fixture
def car(chargeport: CommandLine, database: Path) -> str:
    """A vehicle that is in every table there is."""
    made = chargeport.vehicle("--vin", VIN, "--alias", ALIAS)
    store(
        database, [reading(VIN, "charge-voltage", {"value": number}, ago_s=60 * (240 - number)) for number in range(230, 240)]
    )
    app = chargeport("app", "create", "Charts", "--json").json["client_id"]
    chargeport("connection", "add", "--app", app, "--user", "Bob of the cottage", "--vehicle", made)
    chargeport("share", "add", made, "--name", "For the neighbour of it")
    chargeport("record", "add", made, "--from", "2026-05-01T10:00Z", "--to", "2026-05-01T11:00Z", "--energy", "7")

    async def fill(store: Store) -> None:
        await store.issues.add_issues(
            [Issue("box", "Meter", "is no number", json.dumps({"car": VIN, "place": PLACE}), 1, None)]
        )
        note = {"transactions": [{"vehicle": made}, {"vehicle": "another"}], "plugs": {"1": {"name": ALIAS}}}
        await store.notes.remember("source:box", "station/1", json.dumps(note))
        await store.webhooks.subscribe("w", made, "u", 1)
        await store.commands.begin(
            StoredCommand(id="c", vehicle_id=made, client_id=app, kind="charge-start", parameters="{}", started_at=1)
        )

    filled(database, fill)
    return made


def filled(database: Path, work: Any) -> Any:
    async def run() -> Any:
        opened = SqliteStore.open(database)
        try:
            return await work(opened)
        finally:
            await opened.close()

    return asyncio.run(run())


def members(file: Path) -> dict[str, Any]:
    with ZipFile(file) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_an_archive_has_everything_of_a_vehicle_and_explains_it(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    reported = chargeport("data", "export", str(tmp_path / "all.zip"), "--vehicle", VIN, "--json").json
    found = members(tmp_path / "all.zip")
    assert reported["counts"].keys() == found.keys() - {"README.md"}
    filled_ones = {
        "vehicle.json", "readings.ndjson", "records.json", "session_edits.json", "share_links.json",
        "subscriptions.json", "issues.json", "issue_messages.json", "remembered.json", "audit.json",
    }  # fmt: skip
    assert filled_ones <= {name for name, count in reported["counts"].items() if count}
    (about,) = json.loads(found["vehicle.json"])
    assert (about["id"], about["vin"], about["connections"][0]["user"]) == (car, VIN, "share")
    assert PLACE in found["issue_messages.json"]
    assert json.loads(found["session_edits.json"])[0]["document"]["type"] == "Add"
    assert len(found["readings.ndjson"].splitlines()) == 10
    assert all(f"`{name}`" in found["README.md"] for name in reported["counts"])
    assert (tmp_path / "all.zip").stat().st_mode & 0o077 == 0
    assert chargeport("audit", "--act", "data.exported", "--json").json[0]["subject"] == car


def test_no_byte_of_a_vehicle_is_left_after_erasing_and_the_account_says_what_went(
    chargeport: CommandLine, car: str, database: Path
) -> None:
    account = chargeport("data", "erase", "--vehicle", VIN, "--yes", "--json").json
    counts = account["vehicles"][car]
    assert {kind for kind, count in counts.items() if not count} == {"hours", "events", "sessions"}
    assert (account["rewritten"], account["traces"]) == (True, [])
    left = b"".join(file.read_bytes() for file in database.parent.iterdir() if file.name.startswith(database.name))
    assert not [name for name in (car, VIN, ALIAS, PLACE) if name.encode() in left]
    note = filled(database, lambda store: store.notes.recall("source:box", "station/1"))
    assert json.loads(note)["transactions"] == [{"vehicle": ""}, {"vehicle": "another"}]
    assert "vehicle list" in chargeport("data", "erase", "--vehicle", VIN, "--yes").refused()


def test_it_asks_first_and_needs_one_name(chargeport: CommandLine, car: str) -> None:
    assert "--yes" in chargeport("data", "erase", "--vehicle", car).refused()
    assert "--vehicle VEHICLE or --user USER" in chargeport("data", "erase").err
    assert "--vehicle VEHICLE or --user USER" in chargeport("data", "export", "x.zip", "--vehicle", car, "--user", "Bob").err
    assert chargeport("vehicle", "show", car).code == 0


def test_a_person_goes_with_what_is_theirs_alone(chargeport: CommandLine, car: str, database: Path, tmp_path: Path) -> None:
    person = "Adalbert of the cottage"
    chargeport("user", "add", person)
    app = chargeport("app", "create", "Maps", "--json").json["client_id"]
    own = chargeport.vehicle()
    for vehicle in (car, own):
        chargeport("connection", "add", "--app", app, "--user", person, "--vehicle", vehicle)
    session = PageSession("s1", person, "Firefox of the cottage", "192.0.2.77", 1, 1, 2**50)

    async def fill(store: Store) -> None:
        await store.sign_in.add_session(b"hash", session)
        uuid = user_uuid_of(person)
        await store.commands.begin(
            StoredCommand(
                id="his", vehicle_id=car, client_id=app, user_uuid=uuid, kind="charge-start", parameters="{}", started_at=2
            )
        )
        subscription = await store.webhooks.subscribe("w2", car, uuid, 1)
        assert subscription is not None
        body = json.dumps({"data": {"user": {"id": uuid, "externalId": person}}})
        event = Event(id="e", webhook_id="w2", kind="VEHICLE_STATE", body=body, created_at=1)
        await store.webhooks.enqueue(subscription, [event], "{}", None)

    filled(database, fill)
    reported = chargeport("data", "export", str(tmp_path / "person.zip"), "--user", person, "--json").json
    (about,) = json.loads(members(tmp_path / "person.zip")["person.json"])
    assert (len(about["connections"]), about["sessions"][0]["browser"]) == (2, "Firefox of the cottage")
    assert f"vehicles/{own}/readings.ndjson" in reported["counts"]
    assert [reported["counts"][name] for name in ("webhook_events.json", "commands.json")] == [1, 1]
    assert json.loads(members(tmp_path / "person.zip")["commands.json"])[0]["vehicle_id"] == car
    assert not [name for name in reported["counts"] if car in name], "somebody else is connected to it, too"
    account = chargeport("data", "erase", "--user", person, "--yes", "--json").json
    assert (list(account["vehicles"]), account["connections"], account["traces"]) == ([own], 2, [])
    left = b"".join(file.read_bytes() for file in database.parent.iterdir() if file.name.startswith(database.name))
    gone = (person, user_uuid_of(person), own, "Firefox of the cottage")
    assert not [name for name in gone if name.encode() in left]
    assert chargeport("command", "list", car).out.count("charge-start") == 2, "of the car, which is another's, too"
    assert chargeport("vehicle", "show", car).code == 0


def test_recordings_are_mentioned_and_deleted_where_that_is_wanted(
    chargeport: CommandLine, car: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARGEPORT_INGEST_RECORD", str(tmp_path / "recordings"))
    file = tmp_path / "recordings" / "tesla-1.jsonl"
    file.parent.mkdir()
    file.write_text(json.dumps({"at": 1, "payload": {"vin": VIN}}) + "\n")
    first = chargeport("data", "erase", "--vehicle", car, "--yes", "--json")
    assert (first.code, json.loads(first.out)["traces"]) == (1, [str(file)]), "written by hand: nothing is replaced in it"
    other = chargeport.vehicle()
    assert chargeport("data", "erase", "--vehicle", other, "--recordings", "--yes", "--json").json["recordings"] == [str(file)]
    assert not file.exists()
