"""`chargeport source`: how the sources are, and what of them could not be understood, then and now."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from command_line import CommandLine

from chargeport.cli import sources
from chargeport.cli.sources import station_sentence
from chargeport.clock import ManualClock, SystemClock
from chargeport.runtime.feeds import Feeds
from chargeport.runtime.source_status import SourceState, SourceStatus
from chargeport.settings import DatabaseSettings, Settings
from chargeport.sources.base import Delivery, StationStatus
from chargeport.store.sqlite import SqliteStore
from unredacted import unredacted

VIN = "5YJ3E1EA7KF000000"
NOW = 1_777_629_598_000
OWN_ROW = '[[dialects.rows]]\nfield = "watts"\nsignal = "charge-wattage"\nunit = "W"\n'
SETTINGS = f"""
[[dialects]]
name = "mybox"
payload = "object"
[[dialects.rows]]
field = "volts"
signal = "charge-voltage"
{{rows}}
[[vehicles]]
vin = "{VIN}"
aliases = ["garage:1"]

[[sources]]
name = "garage"
type = "mqtt"
url = "mqtt://127.0.0.1:9"
dialect = "mybox"
topics = ["box/{{{{vehicle}}}}"]

[[sources]]
name = "posts"
type = "ocpp"
password = "0123456789abcdef"

[[sources]]
name = "again"
type = "recording"
dialect = "mybox"
vehicle = "garage:1"
file = "heard.jsonl"
speed = 0
"""


@pytest.fixture
def settings(database: Path) -> Path:
    file = database.parent / "chargeport.toml"
    file.write_text(f'[database]\nurl = "sqlite:///{database}"\n' + SETTINGS.format(rows=""))
    return file


def state(**given: Any) -> SourceState:
    return SourceState(**{"name": "garage", "type": "mqtt", "dialect": "mybox", "since_at": NOW - 300_000, **given})


def written(database: Path, *states: SourceState, age_s: float = 0) -> None:
    """As a running server puts it down."""

    async def write() -> None:
        store = SqliteStore.open(database)
        texts = {each.name: msgspec.json.encode(each).decode() for each in states}
        await store.notes.write_source_states(texts, SystemClock().now() - round(age_s * 1000))
        await store.close()

    asyncio.run(write())


def messages_taken(database: Path, settings: Path, *payloads: Any) -> int:
    """What the server's source hears; how much of it is stored."""

    async def take() -> int:
        from chargeport import config

        store = SqliteStore.open(database)
        feeds = Feeds(store, config.load(settings), SystemClock())
        await feeds.start()
        await feeds.close()
        found = [
            Delivery(source="garage", dialect="mybox", payload=json.dumps(each).encode(), topic="box/1", received_at=NOW)
            for each in payloads
        ]
        taken = await feeds.pipeline.take(found)
        await store.close()
        return taken.stored

    return asyncio.run(take())


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (state(condition="connected", messages=12, last_message_at=NOW - 1000),
         "connected since 5 min: 12 messages, 0/s, last 1 s ago"),
        (state(condition="connected", rejected=2, lag=4),
         "0/s, last never, 2 not understood (chargeport source issues), 4 waiting there"),
        (state(condition="connected", left={"ann": 12, "bob": 3}), "0/s, last never, 3 requests left for bob"),
        (state(condition="connected", left={"ann": 12}), "0/s, last never, 12 requests left"),
        (state(condition="waiting", cause="authentication", sentence="Wrong password.", retry_at=NOW + 130_000),
         "authentication: Wrong password. Next try in 2 min. 0 messages"),
        (state(cause="unreachable", sentence="Nobody there."), "connecting since 5 min (unreachable: Nobody there.): 0"),
    ],
)  # fmt: skip
def test_a_source_is_described_in_one_line_with_what_to_do(given: SourceState, reported: str) -> None:
    line = sources.sentence(given, True, NOW)
    assert reported in line
    assert "\n" not in line
    assert sources.sentence(given, False, NOW).startswith("the server does not run; it was ")


def test_stations_are_listed_below_their_source_with_their_clock_or_the_way_out(
    chargeport: CommandLine, database: Path, settings: Path
) -> None:
    since = SystemClock().now() - 3 * 3_600_000
    stations = [
        StationStatus(name="YARD-2", refusals=3, refused_at=since, refused_because="its identity is not known: add it"),
        StationStatus(name="CARPORT", is_connected=True, version="1.6", since_at=since, clock_offset_ms=7_205_000),
    ]
    written(database, state(condition="connected", type="ocpp", stations=stations))
    out = " ".join(chargeport("source", "list", "--config", str(settings)).out.split())
    assert "connected since 3 h, OCPP 1.6, its clock is 2 h ahead" in out
    assert "refused 3 times, last 3 h ago: its identity is not known: add it" in out
    (shown,) = [each for each in chargeport("source", "list", "--json", "--config", str(settings)).json if "stations" in each]
    assert [(each["name"], each["clock_offset_ms"], each["refusals"]) for each in shown["stations"]] == [
        ("YARD-2", None, 3), ("CARPORT", 7_205_000, 0)
    ]  # fmt: skip


def test_a_connected_station_is_not_lost_when_somebody_is_refused_under_its_name() -> None:
    status = SourceStatus("boxes", "ocpp", "ocpp", ManualClock(NOW))
    status.station(StationStatus(name="A", is_connected=True, since_at=NOW - 60_000))
    status.station(StationStatus(name="A", refusals=1, refused_at=NOW - 1_000, refused_because="its password is wrong"))
    (shown,) = status.state.stations
    assert station_sentence(shown, NOW) == (
        "connected since 60 s; somebody under its name was refused once, last 1 s ago: its password is wrong"
    )
    for number in range(1_500):
        status.station(StationStatus(name=f"guess {number}", refusals=1, refused_at=NOW, refused_because="unknown"))
    assert status.state.stations[0].name == "A", "those that were refused make room for others"
    assert len(status.state.stations) == 1_000


def test_sources_that_run_and_that_never_ran_are_listed(chargeport: CommandLine, database: Path, settings: Path) -> None:
    assert [row[-1] for row in chargeport("source", "list", "--config", str(settings)).rows] == [
        "not started: chargeport serve starts it"
    ] * 3
    assert not database.exists(), "to look makes no database"
    written(database, state(condition="connected", messages=1))
    found = {each["name"]: each for each in chargeport("source", "list", "--config", str(settings), "--json").json}
    assert {name: each["condition"] for name, each in found.items()} == {
        "garage": "connected", "posts": "not started", "again": "not started",
    }  # fmt: skip
    assert found["garage"]["messages"] == 1
    assert len(chargeport("source", "list").rows) == 3


def test_a_server_that_does_not_run_is_reported_as_such(chargeport: CommandLine, database: Path) -> None:
    written(database, state(condition="connected", messages=7), age_s=60)
    assert chargeport("source", "list", "--json").json[0]["condition"] == "stopped"
    assert "the server does not run; it was connected, with 7 messages" in chargeport("source", "list").out


def test_without_a_source_the_output_is_a_sentence(chargeport: CommandLine, database: Path) -> None:
    assert "does not exist" in chargeport("source", "list").refused()
    written(database)
    assert "There is no source" in chargeport("source", "list").out
    assert chargeport("source", "list", "--json").json == []


def test_each_source_is_tried_once_and_the_cause_of_failure_is_printed(
    chargeport: CommandLine, database: Path, settings: Path
) -> None:
    (database.parent / "heard.jsonl").write_text('{"at": 1, "payload": {}}\n')
    ended = chargeport("source", "check", "--config", str(settings), "--json")
    found = {each["name"]: each for each in json.loads(ended.out)}
    assert ended.code == 1
    assert {name: each["ok"] for name, each in found.items()} == {"garage": False, "posts": True, "again": True}
    assert found["garage"]["cause"] == "unreachable"
    assert chargeport("source", "check", "again", "--config", str(settings)).code == 0
    assert "reached" in chargeport("source", "check", "again", "--config", str(settings)).out
    assert "No source is called 'nobody'" in chargeport("source", "check", "nobody", "--config", str(settings)).refused()


def test_what_was_not_understood_is_read_again_once_the_table_is_mended(
    chargeport: CommandLine, database: Path, settings: Path
) -> None:
    assert messages_taken(database, settings, {"volts": 231, "watts": 7200}, {"watts": 7300}, {"nonsense": 1}) == 1
    rows = chargeport("source", "issues").rows
    assert {(row[0], row[2], row[4]) for row in rows} == {("garage", "watts", "2"), ("garage", "nonsense", "1")}
    assert {row[1] for row in rows} == {f"a vehicle ({VIN})"}, "named as a person knows it"
    (watts,) = [each for each in chargeport("source", "issues", "--json").json if each["subject"] == "watts"]
    assert watts["count"] == 2
    assert json.loads(watts["message"])["fields"] == {"watts": 7300}
    assert "7300" in chargeport("source", "issues", "--raw").out
    assert "and 1 more: --limit 2 shows all." in chargeport("source", "issues", "--limit", "1").out

    replayed = ("source", "replay", "--issues", "--config", str(settings))
    ended = chargeport(*replayed, "--json")
    assert (ended.code, json.loads(ended.out)["rejected"]) == (1, 3)
    settings.write_text(settings.read_text().replace("\n[[vehicles]]", f"{OWN_ROW}\n[[vehicles]]", 1))
    ended = chargeport(*replayed, "--json")
    reported = json.loads(ended.out)
    assert (ended.code, reported["messages"], reported["accepted"] + reported["superseded"], reported["rejected"]) == (
        1,
        3,
        2,
        1,
    )
    assert [row[2] for row in chargeport("source", "issues").rows] == ["nonsense"]
    assert sum(each["count"] for each in chargeport("source", "issues", "--json").json) == reported["rejected"]
    assert "1 times nonsense: is not known" in chargeport(*replayed).out


def test_a_message_that_fails_for_another_reason_now_is_stored_under_that(
    chargeport: CommandLine, database: Path, settings: Path
) -> None:
    messages_taken(database, settings, {"watts": 7200}, {"watts": "a lot"}, {"watts": "much"})
    settings.write_text(settings.read_text().replace("\n[[vehicles]]", f"{OWN_ROW}\n[[vehicles]]", 1))
    for _ in range(2):
        ended = chargeport("source", "replay", "--issues", "--config", str(settings), "--json")
        assert (ended.code, json.loads(ended.out)["rejected"]) == (1, 2)
        found = chargeport("source", "issues", "--json").json
        assert {(each["subject"], each["detail"], each["count"]) for each in found} == {("watts", "is no number", 2)}


def test_a_recording_is_read_into_the_database_and_a_second_time_changes_nothing(
    chargeport: CommandLine, database: Path, settings: Path
) -> None:
    messages_taken(database, settings)
    file = database.parent / "heard.jsonl"
    file.write_text("".join(f'{{"at": {NOW + number}, "payload": {{"volts": {number}}}}}\n' for number in range(1200)))
    command = ("source", "replay", str(file), "--config", str(settings), "--dialect", "mybox", "--vehicle", VIN)
    first = chargeport(*command, "--json").json
    assert (first["messages"], first["accepted"], first["rejected"], first["issues"]) == (1200, 1200, 0, [])
    again = chargeport(*command, "--json").json
    assert (again["accepted"], again["superseded"] + again["unchanged"]) == (0, 1200)
    by_source = ("source", "replay", str(file), "--config", str(settings), "--source", "again", "--vehicle", VIN)
    assert chargeport(*by_source, "--json").json["messages"] == 1200
    assert chargeport("source", "replay", str(file), "--dialect", "teslamate", "--database", f"sqlite:///{database}").code == 1


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        ((), "Name a recording, or use --issues."),
        (("a.jsonl", "--issues"), "Name a recording, or use --issues."),
        (("a.jsonl",), "use --dialect NAME."),
        (("a.jsonl", "--dialect", "klingon"), "'klingon' is no dialect: use one of bmw_cardata,"),
        (("none.jsonl", "--dialect", "ovms"), "can't be read"),
        (("broken.jsonl", "--dialect", "ovms"), "broken.jsonl, line 1 is not of a recording"),
    ],
)
def test_a_replay_that_can_not_be_is_refused(
    chargeport: CommandLine, database: Path, arguments: tuple[str, ...], reported: str
) -> None:
    written(database)
    (database.parent / "a.jsonl").write_text('{"at": 1, "payload": 1}\n')
    (database.parent / "broken.jsonl").write_text("{\n")
    assert reported in chargeport("source", "replay", *arguments).refused()


def imported(chargeport: CommandLine, source: str, *volts: tuple[str, int]) -> None:
    lines = [
        {"vehicle": VIN, "signal": "charge-voltage", "observedAt": at, "body": {"value": value}, "source": source}
        for at, value in volts
    ]
    Path("in.ndjson").write_text("".join(json.dumps(each) + "\n" for each in lines))
    assert chargeport("import", "in.ndjson", "--create-vehicles", "--json").json["rejected"] == 0


def voltages(chargeport: CommandLine) -> list[tuple[str, int]]:
    assert chargeport("export", "all.ndjson").code == 0
    rows = [json.loads(line) for line in Path("all.ndjson").read_text().splitlines()]
    return [(row["source"], row["body"]["value"]) for row in rows]


def test_what_a_source_reported_is_erased_and_what_others_reported_stays(chargeport: CommandLine, database: Path) -> None:
    assert chargeport("migrate").code == 0
    imported(chargeport, "box", ("2026-05-01T10:00:00Z", 230))
    imported(chargeport, "wrong", ("2026-05-01T09:00:00Z", 110), ("2026-05-02T10:00:00Z", 120))
    erased = chargeport("source", "forget", "wrong", "--to", "2026-05-02", "--vehicle", VIN, "--yes", "--json").json
    assert (erased["source"], erased["erased"]["vehicles"], erased["erased"]["history"]) == ("wrong", 1, 1)
    assert sorted(voltages(chargeport)) == [("box", 230), ("wrong", 120)]
    reported = chargeport("source", "forget", "wrong", "--yes")
    assert "The readings of wrong are erased, of 1 vehicles: 1 latest values, 1 runs of history" in reported.out
    assert voltages(chargeport) == [("box", 230)]


def test_nothing_is_erased_that_nobody_agreed_to_or_that_is_not_there(chargeport: CommandLine) -> None:
    assert chargeport("migrate").code == 0
    imported(chargeport, "box", ("2026-05-01T10:00:00Z", 230))
    assert "use --yes to continue" in chargeport("source", "forget", "box").refused()
    assert "Nothing is stored that 'bux' reported of all vehicles" in chargeport("source", "forget", "bux", "--yes").refused()
    reported = chargeport("source", "forget", "box", "--from", "2026-05-02", "--yes").refused()
    assert "'box' reported of all vehicles from 2026-05-02 00:00:00 UTC" in reported
    assert "No vehicle is called" in chargeport("source", "forget", "box", "--vehicle", "bob", "--yes").refused()
    assert voltages(chargeport) == [("box", 230)]


def test_what_a_source_says_is_recorded_redacted_and_not_stored(
    chargeport: CommandLine, database: Path, settings: Path
) -> None:
    messages_taken(database, settings)
    lines = [{"volts": 231, "vin": "5YJ3E1EA7KF123456", "box": "Secret Castle"}, {"volts": 232}, {"volts": 233}]
    (database.parent / "heard.jsonl").write_text("".join(json.dumps({"at": NOW, "payload": each}) + "\n" for each in lines))
    command = ("source", "record", "again", "new.jsonl", "--config", str(settings), "--count", "2", "--name", "Secret Castle")
    assert chargeport(*command, "--json").json == {"written": 2, "left_out": 0, "full": False}
    text = (database.parent / "new.jsonl").read_text()
    assert "123456" not in text
    assert "Castle" not in text
    assert [unredacted(line) for line in text.splitlines()] == [[], []]
    assert chargeport("source", "issues").out == "Everything was understood.\n"
    assert "can't be written" in chargeport(*command).refused()


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("posts", 'write record = "FOLDER" at the source in the settings'),
        ("smartcar", 'write record = "FOLDER" in [ingest]'),
        ("garage", "garage: unreachable: "),
    ],
)
def test_what_can_not_be_recorded_says_what_to_do_instead(
    chargeport: CommandLine, settings: Path, name: str, reported: str
) -> None:
    assert reported in chargeport("source", "record", name, "new.jsonl", "--config", str(settings)).refused()


def test_a_recording_of_a_source_that_cannot_be_reached_leaves_no_file_behind(
    chargeport: CommandLine, settings: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new.jsonl"
    reported = chargeport("source", "record", "garage", str(file), "--seconds", "5", "--config", str(settings)).refused()
    assert "unreachable" in reported
    assert not file.exists()


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ({"type": "mqtt"}, {"session_expiry_s": 0}),
        ({"type": "mqtt", "client_id": "me"}, {"client_id": "me-recorder", "session_expiry_s": 0}),
        ({"type": "kafka"}, {"group": "chargeport-recorder"}),
        ({"type": "kafka", "group": "g"}, {"group": "g-recorder"}),
        ({"type": "nats", "durable": "d"}, {"durable": "d-recorder"}),
        ({"type": "polling", "record": "folder"}, {}),
    ],
)
def test_a_recorder_takes_nobodys_place(table: dict[str, Any], names: dict[str, Any]) -> None:
    from chargeport.cli.source_record import _table

    of = Settings(database=DatabaseSettings("a.db"), sources=[table | {"name": "garage"}])
    assert _table(of, "garage") == {"name": "garage-recorder", "type": table["type"], "record": None, **names}
