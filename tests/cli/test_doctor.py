"""`chargeport doctor` and `migrate`: what is wrong is found, and the next step said."""

import importlib
import json
import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
from command_line import CommandLine

from chargeport.cli import checks
from chargeport.cli import doctor as doctor_command
from chargeport.clock import ManualClock


@pytest.fixture
def doctor(chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the doctor finds, by check; on a port that is free and a disk with room."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 40))

    def examine(*words: str, port: int = 0) -> dict[str, Any]:
        ended = chargeport("doctor", "--json", "--port", str(port), *words)
        found = json.loads(ended.out)
        by_name = {check["name"]: check for check in found["checks"]}
        assert len(by_name) == len(found["checks"])
        assert found["ok"] is (ended.code == 0)
        assert found["ok"] is all(check["status"] != "fail" for check in found["checks"])
        assert all((check["next"] is None) is (check["status"] == "ok") for check in found["checks"])
        return by_name

    return examine


def test_all_is_well_with_a_new_database(chargeport: CommandLine, doctor: Any) -> None:
    assert chargeport("migrate").code == 0
    found = doctor()
    assert {check["status"] for check in found.values()} == {"ok"}
    assert list(found) == ["python", "parts", "settings", "database", "schema", "disk", "privacy", "clock", "port"]
    lines = chargeport("doctor", "--port", "0").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name] for name in found]


def test_a_missing_database_is_no_failure_and_is_not_made(doctor: Any, database: Path) -> None:
    found = doctor()["database"]
    assert found["status"] == "warn"
    assert "chargeport migrate" in found["next"]
    assert not database.exists()


def test_a_wrong_setting_is_found(doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARGEPORT_LOG", "loud")
    found = doctor()
    assert found["settings"]["status"] == "fail"
    assert "CHARGEPORT_LOG" in found["settings"]["found"]
    assert "database" not in found


def test_a_settings_file_is_read(doctor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARGEPORT_DATABASE")
    (tmp_path / "mine.toml").write_text('[database]\nurl = "sqlite:///other.db"\n')
    found = doctor("--config", "mine.toml")
    assert found["settings"]["found"] == "mine.toml"
    assert "other.db" in found["database"]["found"]


def test_an_old_schema_is_found_and_left_to_migrate(chargeport: CommandLine, doctor: Any, database: Path) -> None:
    apsw.Connection(str(database)).close()
    database.touch(0o600)
    database.chmod(0o600)
    assert doctor()["schema"]["next"] == "chargeport migrate"
    taken = chargeport("migrate", "--json").json
    assert taken["database"] == str(database)
    assert taken["steps"][0].startswith("0001")
    assert taken["steps"][-1].startswith(f"{taken['schema']:04}")
    assert chargeport("migrate", "--json").json == taken | {"steps": []}
    assert "up to date" in chargeport("migrate").out
    assert doctor()["schema"]["status"] == "ok"


def test_a_new_database_is_for_its_owner_alone_and_the_doctor_sees_if_not(
    chargeport: CommandLine, doctor: Any, database: Path
) -> None:
    assert "0001" in chargeport("migrate").out
    assert database.stat().st_mode & 0o077 == 0
    database.chmod(0o644)
    assert doctor()["privacy"]["next"] == f"chmod 600 {database}"


@pytest.mark.parametrize(("free", "status"), [(1 << 40, "ok"), (500 << 20, "warn"), (1 << 20, "fail")])
def test_a_full_disk_is_seen_coming(free: int, status: str, doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert doctor()["disk"]["status"] == status


def test_a_port_that_somebody_else_has_is_a_failure(doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_command, "ANSWER_WITHIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        found = doctor("--host", "127.0.0.1", port=other.getsockname()[1])["port"]
    assert found["status"] == "fail"
    assert "CHARGEPORT_PORT" in found["next"]


@pytest.mark.parametrize("year", [1970, 2200])
def test_a_clock_far_off_is_a_failure(year: int) -> None:
    (found,) = checks.clock(None, ManualClock((year - 1970) * 31_556_952_000))
    assert found.status == "fail"


def test_a_clock_behind_the_databases_last_change_is_a_failure(chargeport: CommandLine, doctor: Any, database: Path) -> None:
    assert chargeport("migrate").code == 0
    ahead = database.stat().st_mtime + 86_400
    os.utime(database, (ahead, ahead))
    assert doctor()["clock"]["status"] == "fail"


def test_a_part_that_does_not_load_is_named(doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    load = importlib.import_module

    def without_uvloop(name: str, package: str | None = None) -> Any:
        if name == "uvloop":
            raise ImportError
        return load(name, package)

    monkeypatch.setattr(importlib, "import_module", without_uvloop)
    assert doctor()["parts"]["found"].startswith("uvloop")
