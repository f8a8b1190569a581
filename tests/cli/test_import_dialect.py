"""`chargeport import --dialect`: tables of TeslaFi and TeslaMate, and of anybody who writes down what the columns mean."""

import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from command_line import VIN, CommandLine
from hypothesis import given
from hypothesis import strategies as st

from chargeport.cli import import_dialect, import_rows, local_times
from chargeport.signals.violation import Violation

Json = dict[str, Any]
BERLIN = ZoneInfo("Europe/Berlin")
PAGE = Path(__file__).parents[2] / "docs" / "keeping-data.md"
TESLAFI = ("--dialect", "tesla_rest", "--vehicle", "Käfer")
FINISHED = 70  # minutes of charging
# A session of the shape of sources 15.8: 240 V, 40 A, one phase, 57 → 70 %, 10 kWh; the values are ours.
STARTS = datetime(2026, 6, 26, 20, 3)  # noqa: DTZ001  (local time, as TeslaFi writes it)


@pytest.fixture
def car(chargeport: CommandLine) -> str:
    return chargeport.vehicle("--vin", VIN, "--alias", "Käfer")


def table(rows: Iterable[Mapping[str, Any]], separator: str = ",") -> str:
    written = io.StringIO()
    rows = list(rows)
    writer = csv.DictWriter(written, list(rows[0]), delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def teslafi(minute: int, date: str | None = None) -> Json:
    """A row of TeslaFi's: five minutes of standing there, the session, five minutes after it."""
    charges, done = 5 <= minute < 5 + FINISHED, minute >= 5 + FINISHED
    added = min(max(minute - 4, 0) / FINISHED * 10.0, 10.0)
    left = max(5 + FINISHED - minute, 0)
    asleep = minute < 3
    row: Json = {
        "data_id": 7_000_000 + minute, "Date": date or f"{STARTS + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S}",
        "vin": "5YJ3E1EA7KF000000", "display_name": "Käfer, rot", "state": "asleep" if asleep else "online",
        "charging_state": "Charging" if charges else "Complete" if done else "Stopped",
        "charger_voltage": 240 if charges else 0, "charger_actual_current": 40 if charges else 0,
        "charger_power": 9 if charges else 0, "charger_phases": 1 if charges else "",
        "charge_energy_added": f"{added:.2f}", "battery_level": 57 + round(added * 1.3), "battery_range": 150.5 + added * 3,
        "charge_limit_soc": 70, "time_to_full_charge": f"{left / 60:.2f}" if charges else "0.0",
        "fast_charger_present": "", "conn_charge_cable": "SAE", "scheduled_charging_start_time": "",
        "est_battery_range": "", "odometer": 12_345.678, "location": "", "Notes": "", "newInThisYear": "x",
    }  # fmt: skip
    if asleep:
        kept = ("data_id", "Date", "vin", "display_name", "state", "newInThisYear")
        return {name: value if name in kept else "" for name, value in row.items()}
    return row


def session() -> list[Json]:
    return [teslafi(minute) for minute in range(5 + FINISHED + 5)]


def stored(chargeport: CommandLine, code: str) -> list[tuple[datetime, Any]]:
    """What is stored of a signal: when, and the body."""
    ended = chargeport("export", "-", "--signal", code, "--sightings")
    assert ended.code == 0, ended.err
    items = [json.loads(line) for line in ended.out.splitlines()]
    return [(datetime.fromisoformat(each["observedAt"]), each.get("body", each.get("status"))) for each in items]


def values(chargeport: CommandLine, code: str) -> list[Any]:
    return [body["value"] for _, body in stored(chargeport, code)]


def test_a_session_of_teslafi_is_stored_minute_by_minute_in_its_time_zone(chargeport: CommandLine, car: str) -> None:
    Path("6-2026.csv").write_text(table(session()))
    found = chargeport("import", "6-2026.csv", *TESLAFI, "--zone", "Europe/Berlin", "--json").json
    assert (found["rejected"], found["unknown"]) == (0, ["newInThisYear"])
    charging = stored(chargeport, "charge-ischarging")
    begun = next(at for at, body in charging if body["value"])
    ended = next(at for at, body in charging if at > begun and not body["value"])
    assert begun == datetime(2026, 6, 26, 18, 8, tzinfo=UTC)  # 20:08 of Berlin's summer
    assert ended - begun == timedelta(minutes=FINISHED)
    assert (min(values(chargeport, "tractionbattery-stateofcharge")), values(chargeport, "charge-energyadded")[-1]) == (57, 10)
    assert values(chargeport, "tractionbattery-stateofcharge")[-1] == 70
    assert set(values(chargeport, "charge-wattage")) == {0, 9000}
    assert values(chargeport, "charge-detailedchargingstatus")[-1] == "FULLY_CHARGED"
    remaining = [body["value"] for _, body in stored(chargeport, "charge-timetocomplete") if body["value"] != "ERROR"]
    assert (remaining[0], stored(chargeport, "charge-timetocomplete")[-1][1]["error"]["code"]) == (70, "NOT_CHARGING")
    assert remaining == sorted(remaining, reverse=True)


def test_the_same_table_a_second_time_changes_nothing(chargeport: CommandLine, car: str) -> None:
    Path("in.csv.gz").write_bytes(gzip.compress(table(session()).encode()))
    arguments = ("import", "in.csv.gz", *TESLAFI, "--zone", "Europe/Berlin", "--json")
    first = chargeport(*arguments).json
    before = chargeport("export", "-").out
    again = chargeport(*arguments).json
    assert first["accepted"] > 0
    assert (again["accepted"], again["superseded"], again["rejected"]) == (0, 0, 0)
    assert chargeport("export", "-").out == before


def test_the_zone_may_be_missing_only_where_the_times_have_one(chargeport: CommandLine, car: str) -> None:
    Path("in.csv").write_text(table(session()))
    assert (
        "Date: 2026-06-26 20:03:00 has no zone: say where that was, as --zone"
        in chargeport("import", "in.csv", *TESLAFI).refused()
    )
    assert chargeport("export", "-").out == ""
    Path("in.csv").write_text(table([teslafi(20, "2026-06-26 20:23:00+02:00"), teslafi(21, "2026-06-26 18:24:00Z")]))
    assert chargeport("import", "in.csv", *TESLAFI, "--json").code == 0
    assert [at.minute for at, _ in stored(chargeport, "charge-energyadded")] == [23, 24]


def test_in_autumn_the_hour_that_comes_twice_is_told_apart_by_the_rows_around_it(chargeport: CommandLine, car: str) -> None:
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)  # 01:30 in Berlin; at 03:00 clocks go back to 02:00
    at = [start + timedelta(minutes=2 * step) for step in range(100)]
    rows = [teslafi(5 + index % 70, f"{each.astimezone(BERLIN):%Y-%m-%d %H:%M:%S}") for index, each in enumerate(at)]
    Path("in.csv").write_text(table(rows))
    assert chargeport("import", "in.csv", *TESLAFI, "--zone", "Europe/Berlin", "--json").json["rejected"] == 0
    assert [each for each, _ in stored(chargeport, "charge-energyadded")] == at


def test_a_time_that_no_clock_showed_and_one_that_may_be_either_are_rejected(chargeport: CommandLine, car: str) -> None:
    dates = ["2026-03-29 01:59:00", "2026-03-29 02:30:00", "2026-03-29 03:00:00", "2026-10-25 02:30:00", "2026-10-25 12:00:00"]
    Path("in.csv").write_text(table(teslafi(20 + index, date) for index, date in enumerate(dates)))
    ended = chargeport("import", "in.csv", *TESLAFI, "--zone", "Europe/Berlin", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["rejected"], [each["line"] for each in found["rejections"]]) == (1, 2, [3, 5])
    assert "put forward" in found["rejections"][0]["detail"]
    assert "came twice" in found["rejections"][1]["detail"]
    assert len(stored(chargeport, "charge-energyadded")) == 3


def nights(zone: str) -> list[tuple[str, int]]:
    """The days of 2026 on which the clocks of a zone are changed, and one other."""
    noon = [datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(365)]
    offsets = [each.astimezone(ZoneInfo(zone)).utcoffset() for each in noon]
    return [(zone, 7), *((zone, day) for day in range(1, 365) if offsets[day] != offsets[day - 1])]


def comes_twice(at: datetime, place: ZoneInfo) -> bool:
    local = at.astimezone(place)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "Africa/Casablanca")


@given(
    night=st.sampled_from([night for zone in ZONES for night in nights(zone)]),
    start_s=st.integers(-86_400, 0),
    steps_s=st.lists(st.integers(1, 1190), min_size=150, max_size=150),
    order=st.sampled_from([1, -1]),
)
def test_rows_that_are_close_together_keep_their_instants_in_every_night_of_every_zone_and_in_both_orders(
    night: tuple[str, int], start_s: int, steps_s: list[int], order: int
) -> None:
    place, days = ZoneInfo(night[0]), night[1]
    at = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days, seconds=start_s)]
    for step_s in steps_s:
        at.append(at[-1] + timedelta(seconds=step_s))
    while comes_twice(at[0], place) or comes_twice(at[-1], place):  # then nobody could tell by the rows before or after
        at = [each - timedelta(hours=3) for each in at]
    local = [(index, each.astimezone(place).replace(tzinfo=None, fold=0)) for index, each in enumerate(at)]
    found = dict(local_times.instants(local[::order], place))
    assert [found[index] for index in range(len(at))] == [round(each.timestamp() * 1000) for each in at]


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2026-05-01 09:59:58", None, datetime(2026, 5, 1, 9, 59, 58)),  # noqa: DTZ001
        ("2026-05-01T09:59", None, datetime(2026, 5, 1, 9, 59)),  # noqa: DTZ001
        ("2026-05-01 09:59:58.25+00", None, datetime(2026, 5, 1, 9, 59, 58, 250_000, UTC)),
        ("2026-05-01 09:59:58 UTC", None, datetime(2026, 5, 1, 9, 59, 58, tzinfo=UTC)),
        ("2026-05-01 09:59:58 -0330", None, datetime(2026, 5, 1, 13, 29, 58, tzinfo=UTC)),
        ("5/31/2026 1:02:03 PM", "%m/%d/%Y %I:%M:%S %p", datetime(2026, 5, 31, 13, 2, 3)),  # noqa: DTZ001
        ("1777629598000", None, None),
        ("5/31/2026 1:02 PM", None, None),
    ],
)
def test_times_are_read_as_databases_and_loggers_write_them(text: str, form: str | None, expected: datetime | None) -> None:
    assert local_times.written(text, form) == expected


@pytest.mark.parametrize(("text", "form"), [("2026-02-30 00:00:00", None), ("2026-05-01", "%d.%m.%Y")])
def test_a_time_that_is_written_otherwise_or_does_not_exist_is_told(text: str, form: str | None) -> None:
    assert isinstance(local_times.written(text, form), Violation)


def block(language: str, part: str) -> str:
    """A block of code of docs/keeping-data.md that has this part."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (found,) = [each for each in blocks if part in each]
    return str(found)


CHARGE: Json = {
    "id": 1, "date": "2026-05-01 09:59:58.123", "battery_heater_on": "f", "battery_level": 57, "charge_energy_added": 0.5,
    "charger_actual_current": 16, "charger_phases": 2, "charger_pilot_current": 16, "charger_power": 11, "charger_voltage": 231,
    "fast_charger_brand": "\\N", "fast_charger_present": "f", "conn_charge_cable": "IEC", "fast_charger_type": "\\N",
    "ideal_battery_range_km": 301.2, "not_enough_power_to_heat": "f", "outside_temp": 11.5, "charging_process_id": 12,
    "battery_heater": "f", "battery_heater_no_power": "\\N", "rated_battery_range_km": 250.25, "usable_battery_level": 56,
}  # fmt: skip


def test_the_dialect_of_the_docs_reads_teslamates_table_of_charges(chargeport: CommandLine, car: str) -> None:
    Path("charges.toml").write_text(block("toml", "teslamate_charges"))
    Path("charges.csv").write_text(
        table(
            [CHARGE, CHARGE | {"id": 2, "date": "2026-05-01 10:00:58.123", "charge_energy_added": 0.68, "charger_voltage": 2}]
        )
    )
    command = next(line for line in block("sh", "charges.toml").splitlines() if "charges.toml" in line)
    ended = chargeport(*command.replace("VEHICLE", VIN).split()[1:], "--json")
    assert "unknown" not in ended.json
    assert ended.json["rejected"] == 0
    at, body = stored(chargeport, "charge-energyadded")[0]
    assert (at, body["value"]) == (datetime(2026, 5, 1, 9, 59, 58, 123_000, UTC), 0.5)
    assert set(values(chargeport, "charge-wattage")) == {11_000}
    assert values(chargeport, "charge-voltage") == [231, "ERROR"], "2 V are none, and the 231 V do not stand for them"
    assert set(values(chargeport, "charge-chargerphases")) == {3}
    assert set(values(chargeport, "charge-isfastchargerpresent")) == {False}
    assert stored(chargeport, "tractionbattery-range")[0][1]["value"] == 250.25


OWN = """
name = "mybox"
payload = "object"
vehicle = "car"
{time}
[[rows]]
field = "power"
signal = "charge-wattage"
unit = "kW"
"""


def test_rows_name_their_cars_and_a_dialect_of_the_settings_is_known_by_its_name(chargeport: CommandLine, car: str) -> None:
    Path("my.toml").write_text(OWN.replace("{time}", 'time = "/when"\ntime_unit = "s"'))
    Path("chargeport.toml").write_text('dialects = ["my.toml"]\n')
    rows = [{"when": 1_777_000_000 + index, "car": VIN if index else "Herbie", "power": 7 + index} for index in range(3)]
    Path("in.ndjson").write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    arguments = ("import", "in.ndjson", "--dialect", "mybox", "--config", "chargeport.toml", "--source", "box", "--json")
    ended = chargeport(*arguments)
    found = json.loads(ended.out)
    assert (ended.code, found["accepted"], found["rejected"], found["rejections"][0]["code"]) == (1, 2, 1, "UNKNOWN_VEHICLE")
    assert found["rejections"][0]["line"] == 1
    exported = [json.loads(line) for line in chargeport("export", "-").out.splitlines()]
    assert {each["source"] for each in exported} == {"box"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_any_column_may_say_when_and_any_common_separator_may_stand_between(
    separator: str, chargeport: CommandLine, car: str
) -> None:
    Path("my.toml").write_text(OWN.replace("{time}", ""))
    rows = [
        {"power": 7, "car": VIN, "Time": "31.05.2026 14:00"}, {"power": 8, "car": VIN, "Time": "31.05.2026 14:05"},
        {"power": 9, "car": VIN, "Time": ""}, {"power": 9, "car": VIN, "Time": "yesterday"},
    ]  # fmt: skip
    Path("in.csv").write_bytes(b"\xef\xbb\xbf" + table(rows, separator).encode())
    ended = chargeport(
        "import", "in.csv", "--dialect", "my.toml", "--time", "Time", "--zone", "Europe/Berlin",
        "--time-format", "%d.%m.%Y %H:%M", "--json",
    )  # fmt: skip
    found = json.loads(ended.out)
    assert [(each["line"], each["code"]) for each in found["rejections"]] == [(4, "MISSING"), (5, "BAD_FORMAT")]
    assert [at.hour for at, _ in stored(chargeport, "charge-wattage")] == [12, 12]
    assert values(chargeport, "charge-wattage") == [7000, 8000]


def test_a_line_in_which_excel_names_the_separator_is_no_header() -> None:
    rows = list(import_rows.read(io.BytesIO(b"\xef\xbb\xbfsep=;\r\nTime;power\r\n2026-05-31 14:00;7\r\n")))
    assert [(each.line, each.fields) for each in rows] == [(3, {"Time": "2026-05-31 14:00", "power": "7"})]
    assert list(import_rows.read(io.BytesIO(b"sep=;\n"))) == []


def test_a_row_that_does_not_say_when_is_rejected_for_now_would_be_another_time_tomorrow(
    chargeport: CommandLine, car: str
) -> None:
    Path("my.toml").write_text(OWN.replace("{time}", ""))
    Path("in.ndjson").write_text(json.dumps({"power": 7, "car": VIN}))
    found = json.loads(chargeport("import", "in.ndjson", "--dialect", "my.toml", "--json").out)
    assert found["rejections"][0]["code"] == "MISSING"
    assert "--time" in found["rejections"][0]["detail"]


def test_what_is_wrong_with_a_row_is_told_with_its_line_and_costs_no_other(chargeport: CommandLine, car: str) -> None:
    rows = [teslafi(minute) for minute in range(10, 14)]
    rows[1] |= {"charger_power": "a lot", "charging_state": "Dreaming"}
    text = table(rows) + 'cut,off\n"never ends\n' + table([teslafi(14)]).splitlines()[1] + ",,\n"
    Path("in.csv").write_text(text)
    ended = chargeport("import", "in.csv", *TESLAFI, "--zone", "Europe/Berlin", "--report", "wrong.ndjson")
    assert ended.code == 1
    assert "Not known to the dialect, and not read: newInThisYear." in ended.out
    reported = [json.loads(line) for line in Path("wrong.ndjson").read_text().splitlines()]
    assert {(each["line"], each["path"]) for each in reported} == {
        (3, "charger_power"),
        (3, "charging_state"),
        (6, "row"),
        (7, "row"),
    }
    assert len(stored(chargeport, "charge-energyadded")) == 5


def test_a_dry_run_reads_everything_and_stores_nothing(chargeport: CommandLine, car: str) -> None:
    Path("in.csv").write_text(table(session()))
    arguments = ("import", "in.csv", *TESLAFI, "--zone", "Europe/Berlin", "--json")
    valid = chargeport(*arguments, "--dry-run").json["valid"]
    assert chargeport("export", "-").out == ""
    found = chargeport(*arguments).json
    assert valid == sum(found[name] for name in ("accepted", "unchanged", "superseded"))


def test_cars_that_rows_name_by_a_vin_are_made_known_only_if_wanted(chargeport: CommandLine, database: Path) -> None:
    assert chargeport("migrate").code == 0
    Path("in.csv").write_text(table([teslafi(20, "2026-06-26 20:23:00+02:00")]))
    arguments = ("import", "in.csv", "--dialect", "tesla_rest", "--json")
    assert json.loads(chargeport(*arguments, "--dry-run").out)["valid"] == 0
    assert chargeport(*arguments, "--dry-run", "--create-vehicles").json["valid"] > 5
    assert chargeport("vehicle", "list", "--json").json == []
    assert chargeport(*arguments, "--create-vehicles").json["accepted"] > 5
    assert [each["vin"] for each in chargeport("vehicle", "list", "--json").json] == ["5YJ3E1EA7KF000000"]


def test_of_a_long_file_no_more_rows_are_held_than_a_transaction_takes(
    chargeport: CommandLine, car: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, stored_after = 0, [0]
    lines, writing = import_rows.read, import_dialect.DialectImporter._write

    def counted(stream: Any) -> Any:
        nonlocal read
        for read, row in enumerate(lines(stream), 1):  # noqa: B007
            yield row

    async def noted(self: import_dialect.DialectImporter, part: Any) -> Any:
        stored_after.append(read)
        return await writing(self, part)

    monkeypatch.setattr(import_rows, "read", counted)
    monkeypatch.setattr(import_dialect.DialectImporter, "_write", noted)
    rows = table(teslafi(5 + index % 70, f"{STARTS + timedelta(minutes=index):%Y-%m-%d %H:%M:%S}") for index in range(700))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows.encode())))
    found = json.loads(chargeport("import", "-", *TESLAFI, "--zone", "Europe/Berlin", "--json").out)
    assert (read, found["rejected"]) == (700, 0)
    assert max(later - earlier for earlier, later in pairwise(stored_after)) < 120


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--dialect", "nobodys"), "tesla_rest"),
        (("--dialect", "nowhere.toml"), "can't be read"),
        (("--dialect", "bad.toml"), "bad.toml: name"),
        (("--zone", "UTC"), "--zone is for files of other systems"),
        (("--dialect", "evcc", "--zone", "UTC"), "--time"),
    ],
)
def test_a_command_that_can_not_be_meant_says_what_is_missing(
    arguments: tuple[str, ...], names: str, chargeport: CommandLine, car: str
) -> None:
    Path("in.csv").write_text("a,b\n1,2\n")
    Path("bad.toml").write_text('name = "not a name"\n')
    assert names in chargeport("import", "in.csv", *arguments).refused()


def test_a_zone_that_there_is_not_is_refused(chargeport: CommandLine, car: str) -> None:
    assert "Europe/Berlin" in chargeport("import", "in.csv", *TESLAFI, "--zone", "Middle/Earth").refused(2)


@pytest.mark.parametrize(("data", "names"), [("[{}]", "one a line"), ("a,a\n", "twice"), (",,\n", "names its columns")])
def test_what_has_no_rows_is_refused(data: str, names: str, chargeport: CommandLine, car: str) -> None:
    Path("in.file").write_text(data)
    assert names in chargeport("import", "in.file", *TESLAFI).refused()


def test_a_table_of_which_nothing_is_known_is_no_success(chargeport: CommandLine, car: str) -> None:
    Path("in.csv").write_text("timestamp,colour\n2026-05-01T00:00:00Z,red\n")
    ended = chargeport("import", "in.csv", *TESLAFI)
    assert (ended.code, "not read: colour" in ended.out) == (1, True)


def test_an_empty_file_is_no_error(chargeport: CommandLine, car: str) -> None:
    Path("in.csv").write_text("")
    assert chargeport("import", "in.csv", *TESLAFI, "--json").json["rejected"] == 0
