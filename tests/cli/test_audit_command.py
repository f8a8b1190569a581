"""`chargeport audit`: what commands do is recorded under the account that ran them, and told in three forms."""

import csv
import getpass
import io
from pathlib import Path

from command_line import ACME, CommandLine


def test_commands_are_recorded_under_the_account_that_ran_them(chargeport: CommandLine) -> None:
    app = chargeport("app", "create", "Charts", "--json").json
    chargeport("app", "revoke", app["client_id"])
    found = chargeport("audit", "--json").json
    assert [each["act"] for each in found] == ["application.revoked", "application.created"]
    assert {each["actor"] for each in found} == {f"shell:{getpass.getuser()}"}
    assert {each["subject"] for each in found} == {app["client_id"]}
    assert not [name for name in ("client_secret", "management_token") if app[name] in str(found)]


def test_it_is_a_table_for_people_and_one_for_programs(chargeport: CommandLine) -> None:
    car = chargeport("vehicle", "add", *ACME, "--json").json["id"]
    assert "vehicle.added" in chargeport("audit").out
    (row,) = csv.DictReader(io.StringIO(chargeport("audit", "--csv", "--subject", car).out))
    assert (row["act"], row["subject"], row["count"]) == ("vehicle.added", car, "1")
    assert "Nothing was done" in chargeport("audit", "--act", "vehicle.erased").out
    assert "vehicle.erased" in chargeport("audit", "--act", "vehicle.erase").err


def test_what_leaves_the_database_as_a_file_is_recorded(chargeport: CommandLine, tmp_path: Path) -> None:
    car = chargeport.vehicle()
    chargeport("export", str(tmp_path / "all.csv"), "--vehicle", car)
    chargeport("records", car, "--csv", str(tmp_path / "records.csv"))
    chargeport("backup", str(tmp_path / "copy.db"))
    backup, records, export = chargeport("audit", "--act", "data.exported", "--json").json
    assert (export["subject"], export["detail"]) == (car, "readings as csv")
    assert (records["subject"], records["detail"]) == (car, "0 records as csv")
    assert backup["detail"] == "backup of the whole database"
    chargeport("restore", str(tmp_path / "copy.db"))
    assert chargeport("audit", "--limit", "1", "--json").json[0]["act"] == "database.restored"


def test_what_a_file_brings_in_is_recorded_unless_it_is_a_trial(chargeport: CommandLine, tmp_path: Path) -> None:
    car = chargeport.vehicle()
    (tmp_path / "readings.ndjson").write_text("")
    (tmp_path / "recording.jsonl").write_text("")
    chargeport("import", str(tmp_path / "readings.ndjson"), "--dry-run")
    assert chargeport("audit", "--act", "data.imported", "--json").json == []
    chargeport("import", str(tmp_path / "readings.ndjson"), "--vehicle", car)
    chargeport("source", "replay", str(tmp_path / "recording.jsonl"), "--dialect", "generic")
    chargeport("source", "replay", "--issues")
    found = chargeport("audit", "--json").json[:3]
    assert [(each["act"], each["subject"], each["detail"]) for each in found] == [
        ("issues.replayed", "", ""),
        ("data.imported", "", "messages of a recording"),
        ("data.imported", car, "readings of a file"),
    ]


def test_no_cell_of_the_table_is_a_formula(chargeport: CommandLine) -> None:
    chargeport("user", "add", "=1+1")
    (row,) = csv.DictReader(io.StringIO(chargeport("audit", "--csv", "--act", "user.set").out))
    assert row["subject"] == "'=1+1"
