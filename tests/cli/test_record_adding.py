"""`record add`, `record remove` and `record import`: sessions that no source of the server reported, and unwanted ones."""

import json
from pathlib import Path

import pytest
from command_line import CommandLine
from test_records_command import car

__all__ = ["car"]

HEADER = (
    "Created,Finished,Loadpoint,Identifier,Vehicle,Odometer (km),Meter Start (kWh),Meter Stop (kWh),Charged Energy (kWh),"
    "SoC Start (%),SoC End (%),Price\n"
)
EVCC = f"""{HEADER}2026-04-03 18:00:00,2026-04-03 20:30:00,Garage,,Blue,12034,1500.2,1517.9,17.7,40,68,5.31
2026-04-05 19:00:00,2026-04-05 19:40:00,Garage,,Blue,12101,1517.9,1522.1,4.2,,,1.26
"""


def listed(chargeport: CommandLine, car: str) -> list[dict[str, object]]:
    return list(chargeport("records", car, "--json").json)


def test_a_session_is_added_with_what_is_known_of_it_and_taken_back(chargeport: CommandLine, car: str) -> None:
    known = (
        "--energy",
        "21.5",
        "--start-soc",
        "20",
        "--end-soc",
        "60",
        "--odometer",
        "40123",
        "--place",
        "Aunt",
        "--note",
        "slow",
    )
    times = ("--from", "2026-04-20T10:00:00Z", "--to", "2026-04-20T12:00:00Z")
    made = chargeport("record", "add", car, *times, *known, "--meter-start", "100", "--meter-end", "123", "--json").json
    first = listed(chargeport, car)[0]
    assert (first["id"], first["energy_added_kwh"], first["note"]) == (made["id"], 21.5, "slow")
    assert (first["odometer_km"], first["meter_start_kwh"], first["meter_end_kwh"]) == (40123, 100, 123)
    assert (first["start_soc_percent"], first["end_soc_percent"], first["place"]) == (20, 60, {"name": "Aunt"})
    chargeport("record", "undo", car, str(made["number"]))
    assert made["id"] not in {each["id"] for each in listed(chargeport, car)}


def test_an_added_session_of_the_time_of_a_record_completes_that(chargeport: CommandLine, car: str) -> None:
    before = listed(chargeport, car)
    chargeport("record", "add", car, "--from", "2026-05-01T10:02:00Z", "--to", "2026-05-01T12:00:00Z", "--energy", "12.5")
    after = listed(chargeport, car)
    assert [each["id"] for each in after] == [each["id"] for each in before]
    assert (after[0]["energy_added_kwh"], after[0]["energy_drawn_kwh"]) == (12.5, before[0]["energy_drawn_kwh"])


def test_a_session_that_can_t_be_is_refused(chargeport: CommandLine, car: str) -> None:
    times = ("--from", "2026-04-20T10:00:00Z", "--to", "2026-04-20T09:00:00Z")
    assert "before it ends" in chargeport("record", "add", car, *times).refused(2)
    later = ("--from", "2090-04-20T10:00:00Z", "--to", "2090-04-20T11:00:00Z")
    assert "future" in chargeport("record", "add", car, *later).refused(2)


def test_a_removed_record_is_hidden_and_comes_back(chargeport: CommandLine, car: str) -> None:
    one, other = listed(chargeport, car)
    number = chargeport("record", "remove", car, str(one["id"]), "--json").json["number"]
    assert [each["id"] for each in listed(chargeport, car)] == [other["id"]]
    assert len(chargeport("record", "edits", car, "--json").json) == 1
    chargeport("record", "undo", car, str(number))
    assert listed(chargeport, car) == [one, other]


def test_a_list_of_evcc_is_read_in_once_however_often(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    (tmp_path / "evcc.csv").write_text(EVCC, "utf-8")
    done = chargeport(
        "record", "import", car, str(tmp_path / "evcc.csv"), "--zone", "Europe/Berlin", "--currency", "EUR", "--source", "evcc",
        "--json",
    ).json  # fmt: skip
    assert (done["sessions"], done["refused"]) == (2, [])
    first, second = listed(chargeport, car)[:2]
    assert (first["started_at"], first["ended_at"]) == ("2026-04-03T16:00:00.000Z", "2026-04-03T18:30:00.000Z")
    assert (first["energy_added_kwh"], first["odometer_km"], first["meter_end_kwh"]) == (17.7, 12034, 1517.9)
    assert (first["cost"], first["place"], first["sources"]) == (
        {"currency": "EUR", "amount": 5.31}, {"name": "Garage"}, ["evcc"],
    )  # fmt: skip
    assert (second["start_soc_percent"], second["energy_added_kwh"]) == (None, 4.2)
    again = chargeport("record", "import", car, str(tmp_path / "evcc.csv"), "--zone", "Europe/Berlin", "--source", "evcc")
    assert "2 sessions" in again.out
    assert len(listed(chargeport, car)) == 4
    chargeport("record", "undo", car, str(done["number"]))


def test_a_list_of_evcc_gives_a_car_its_own_sessions_only(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    before = listed(chargeport, car)
    (tmp_path / "evcc.csv").write_text(EVCC.replace(",Blue,12101", ",Red,8101"), "utf-8")
    wanted = ("record", "import", car, str(tmp_path / "evcc.csv"), "--zone", "UTC")
    refused = chargeport(*wanted)
    assert "'Blue', 'Red'" in refused.err
    assert listed(chargeport, car) == before
    chargeport("vehicle", "edit", car, "--alias", "evcc:Blue")
    assert "Rows of other vehicles: Red (1)." in chargeport(*wanted).out
    assert len(listed(chargeport, car)) == 3


def test_our_own_list_of_all_vehicles_gives_each_its_own(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    before, other = listed(chargeport, car), chargeport.vehicle()
    chargeport("record", "add", other, "--from", "2026-05-02T10:00:00Z", "--to", "2026-05-02T12:00:00Z", "--energy", "9")
    chargeport("records", "--csv", str(tmp_path / "all.csv"))
    done = chargeport("record", "import", car, str(tmp_path / "all.csv"), "--json").json
    assert (done["sessions"], done["other_vehicles"]) == (2, {other: 1})
    assert [each["energy_added_kwh"] for each in listed(chargeport, car)] == [each["energy_added_kwh"] for each in before]


def test_a_wrong_import_is_taken_back(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    before = listed(chargeport, car)
    (tmp_path / "evcc.csv").write_text(EVCC, "utf-8")
    done = chargeport("record", "import", car, str(tmp_path / "evcc.csv"), "--zone", "UTC", "--json").json
    assert len(listed(chargeport, car)) == 4
    chargeport("record", "undo", car, str(done["number"]))
    assert listed(chargeport, car) == before


def test_our_own_list_read_in_again_changes_nothing(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    before = listed(chargeport, car)
    chargeport("records", car, "--csv", str(tmp_path / "own.csv"))
    assert chargeport("record", "import", car, str(tmp_path / "own.csv"), "--json").json["sessions"] == 2
    after = listed(chargeport, car)
    for name in ("id", "started_at", "ended_at", "energy_added_kwh", "energy_drawn_kwh", "cost", "place", "max_power_w"):
        assert [each[name] for each in after] == [each[name] for each in before]


def test_our_own_list_fills_another_database(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    before = listed(chargeport, car)
    chargeport("records", car, "--csv", str(tmp_path / "own.csv"))
    other = ("--database", f"sqlite:///{tmp_path / 'other.db'}")
    chargeport("vehicle", "add", "--make", "ACME", "--model", "Z", "--year", "2025", *other)
    chargeport("record", "import", str(tmp_path / "own.csv"), *other)
    vehicle = chargeport("vehicle", "list", "--json", *other).json[0]["id"]
    after = chargeport("records", vehicle, "--json", *other).json
    for name in ("id", "started_at", "energy_added_kwh", "energy_drawn_kwh", "cost", "place"):
        assert [each[name] for each in after] == [each[name] for each in before]


def test_a_table_of_minutes_is_read_as_sessions(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    rows = ["Date,charging_state,charge_energy_added,battery_level,odometer,fast_charger_present"]
    rows += [f"2026-04-01 10:0{minute}:00,Charging,{minute / 10},{50 + minute},1000,False" for minute in range(6)]
    rows += ["2026-04-01 10:06:00,Complete,0.61,56,1000,False", "2026-04-01 11:00:00,Disconnected,0.61,56,1000,False"]
    (tmp_path / "teslafi.csv").write_text("\n".join(rows), "utf-8")
    chargeport("record", "import", car, str(tmp_path / "teslafi.csv"), "--zone", "UTC")
    first = listed(chargeport, car)[0]
    assert (first["started_at"], first["ended_at"]) == ("2026-04-01T10:00:00.000Z", "2026-04-01T10:06:00.000Z")
    assert (first["energy_added_kwh"], first["start_soc_percent"], first["end_soc_percent"]) == (0.61, 50, 56)
    assert first["odometer_km"] == pytest.approx(1609.344)


def test_columns_of_one_s_own_are_named(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("Beginn;Ende;Menge (Wh);Ort\n2026-04-01 10:00;2026-04-01 11:00;7200,5;Hof\n", "utf-8")
    wanted = ("--column", "start=Beginn", "--column", "end=Ende", "--column", "energy=Menge (Wh)", "--column", "place=Ort")
    chargeport("record", "import", car, str(tmp_path / "mine.csv"), *wanted, "--zone", "Europe/Berlin")
    first = listed(chargeport, car)[0]
    assert (first["started_at"], first["energy_added_kwh"], first["place"]) == (
        "2026-04-01T08:00:00.000Z",
        7.2,
        {"name": "Hof"},
    )


def test_times_durations_and_costs_are_read_as_apps_write_them(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    rows = ["Session ID,Start Time,Charging time,Energy [kWh],Total Cost", "A7,03/31/2026 10:30 PM,2:15:00,14.2,$4.20"]
    (tmp_path / "app.csv").write_text("\n".join(rows), "utf-8")
    form = ("--time-format", "%m/%d/%Y %I:%M %p", "--zone", "America/New_York", "--currency", "USD")
    assert "--time-format" in chargeport("record", "import", car, str(tmp_path / "app.csv"), "--zone", "UTC").out
    chargeport("record", "import", car, str(tmp_path / "app.csv"), *form)
    first = listed(chargeport, car)[0]
    assert (first["started_at"], first["ended_at"]) == ("2026-04-01T02:30:00.000Z", "2026-04-01T04:45:00.000Z")
    assert (first["energy_added_kwh"], first["cost"]) == (14.2, {"currency": "USD", "amount": 4.2})


@pytest.mark.parametrize(("written", "number"), [("1.021,5", 1021.5), ("2,310.25", 2310.25), ("12.345.678,5", 12345678.5)])
def test_a_number_may_have_signs_between_its_thousands(
    chargeport: CommandLine, car: str, tmp_path: Path, written: str, number: float
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"start;end;kwh;meter start\n2026-04-03 18:00;2026-04-03 20:00;7,5;{written}\n")
    chargeport("record", "import", car, str(file), "--zone", "UTC")
    record = listed(chargeport, car)[0]
    assert (record["energy_added_kwh"], record["meter_start_kwh"]) == (7.5, number)


@pytest.mark.parametrize(("start", "end"), [("1775239200", "1775244600"), ("1775239200000", "1775244600000")])
def test_times_may_be_seconds_or_milliseconds_since_1970(
    chargeport: CommandLine, car: str, tmp_path: Path, start: str, end: str
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"start,end,kwh\n{start},{end},7.5\n")
    chargeport("record", "import", car, str(file))
    record = listed(chargeport, car)[0]
    assert (record["started_at"], record["ended_at"]) == ("2026-04-03T18:00:00.000Z", "2026-04-03T19:30:00.000Z")


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("Date,Location,Starting SOC,Ending SOC,kWh Added,kWh Used,Duration,Charge Cost", "Home,31,79,28.4,30.9,2h5m30s,3.9"),
        (
            "Date,Location,Starting Battery,Ending Battery,kWh Added,kWh Used,Duration,Cost",
            "Home,31,79,28.4,30.9,125 min 30 s,3.9",
        ),
    ],
)
def test_a_list_of_sessions_by_date_with_spoken_durations_is_read(
    chargeport: CommandLine, car: str, tmp_path: Path, header: str, line: str
) -> None:
    (tmp_path / "fi.csv").write_text(f"{header}\n2026-04-11 18:00:00,{line}\n", "utf-8")
    chargeport("record", "import", car, str(tmp_path / "fi.csv"), "--zone", "UTC", "--currency", "EUR")
    first = listed(chargeport, car)[0]
    assert (first["started_at"], first["ended_at"]) == ("2026-04-11T18:00:00.000Z", "2026-04-11T20:05:30.000Z")
    assert (first["energy_added_kwh"], first["energy_drawn_kwh"]) == (28.4, 30.9)
    assert (first["start_soc_percent"], first["end_soc_percent"]) == (31, 79)
    assert first["cost"] == {"currency": "EUR", "amount": 3.9}


def test_sessions_whose_ends_a_list_leaves_out_are_over_and_swallow_no_other(
    chargeport: CommandLine, car: str, tmp_path: Path
) -> None:
    rows = ["ChargeStart,QuantityBase", "2026-02-01T18:00:00Z,36", "2026-02-02T08:00:00Z,20", "2026-02-09T08:00:00Z,12"]
    (tmp_path / "history.csv").write_text("\n".join(rows), "utf-8")
    wanted = ("--column", "start=ChargeStart", "--column", "energy=QuantityBase")
    chargeport("record", "import", car, str(tmp_path / "history.csv"), *wanted)
    found = sorted(listed(chargeport, car), key=lambda each: each["started_at"])[:3]
    assert [(each["energy_added_kwh"], each["is_open"], each["is_estimated"]) for each in found] == [
        (36, False, True), (20, False, True), (12, False, True),
    ]  # fmt: skip


def test_what_is_wrong_with_a_row_is_told_and_costs_no_other(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    rows = [
        {"created": "2026-04-01T10:00:00Z", "finished": "2026-04-01T11:00:00Z", "chargedEnergy": 7.2},
        {"created": "2026-04-02T10:00:00Z", "finished": "2026-04-02T09:00:00Z", "chargedEnergy": 7.2},
        {"created": "yesterday", "chargedEnergy": 7.2},
        {"created": "2026-04-03T10:00:00Z", "finished": "2026-04-03T11:00:00Z", "chargedEnergy": "much"},
    ]
    (tmp_path / "evcc.json").write_text(json.dumps({"result": rows}), "utf-8")
    done = chargeport("record", "import", car, str(tmp_path / "evcc.json"), "--json")
    assert done.code == 1
    assert [each["row"] for each in json.loads(done.out)["refused"]] == [2, 3, 4]
    assert len(listed(chargeport, car)) == 3


def test_a_file_without_a_begin_or_of_no_sessions_is_refused(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Ende,Menge\n2026-04-01,3\n", "utf-8")
    assert "--column start=NAME" in chargeport("record", "import", car, str(tmp_path / "a.csv")).refused()
    (tmp_path / "b.csv").write_text("", "utf-8")
    assert "holds no sessions" in chargeport("record", "import", car, str(tmp_path / "b.csv")).refused()
    assert "can't be read" in chargeport("record", "import", car, str(tmp_path / "none.csv")).refused()


def test_a_list_may_be_in_utf_16_as_excel_writes_it_and_one_of_another_encoding_is_refused(
    chargeport: CommandLine, car: str, tmp_path: Path
) -> None:
    text = "Start\tEnd\tEnergy\tPlace\n2026-04-01 10:00:00Z\t2026-04-01 11:00:00Z\t7,5\tKöln\n"
    (tmp_path / "excel.txt").write_text(text, "utf-16")
    chargeport("record", "import", car, str(tmp_path / "excel.txt"))
    first = listed(chargeport, car)[0]
    assert (first["energy_added_kwh"], first["place"]) == (7.5, {"name": "Köln"})
    (tmp_path / "old.csv").write_text(text, "cp1252")
    assert "save it as CSV UTF-8" in chargeport("record", "import", car, str(tmp_path / "old.csv")).refused()
