"""`chargeport backup` and `restore`: a whole copy while others write, and back, all of it or nothing."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from command_line import VIN, CommandLine, reading, store

from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Reading
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore, backup, copies, restore, seal
from chargeport.store.sqlite.backup import back_up
from chargeport.store.sqlite.files import MARKER

WATTAGE = BY_CODE["charge-wattage"]
HELD = (
    "import apsw, sys; c = apsw.Connection(sys.argv[1]); c.execute(sys.argv[2]).fetchall(); print(flush=True); sys.stdin.read()"
)


@pytest.fixture
def car(chargeport: CommandLine, database: Path) -> str:
    vehicle_id = chargeport.vehicle("--vin", VIN)
    store(database, [reading(vehicle_id, "charge-voltage", {"value": value}, ago_s=500 - value) for value in range(300)])
    return vehicle_id


def listed(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if not file.name.endswith(MARKER))


def test_a_backup_is_restored_as_it_was(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    reported = chargeport("backup", "copy.db", "--json").json
    assert reported["counts"] == {"vehicles": 1, "changes": 300, "applications": 0, "connections": 0}
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    before = chargeport("export", "-", "--sightings").out
    assert chargeport("vehicle", "remove", VIN, "--yes").code == 0
    restored = chargeport("restore", "copy.db", "--json").json
    assert restored["counts"] == reported["counts"]
    assert chargeport("export", "-", "--sightings").out == before
    assert listed(tmp_path) == ["cars.db", "cars.db.before-restore", "copy.db"]
    kept = chargeport("vehicle", "list", "--json", "--database", restored["kept"]).json
    assert kept == []


def test_a_backup_is_an_ordinary_database(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    assert "a whole copy" in chargeport("backup", "copy.db").out
    connection = apsw.Connection(str(tmp_path / "copy.db"), flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT count(*) FROM history").fetchall() == [(300,)]
    connection.close()
    assert listed(tmp_path) == ["cars.db", "copy.db"]


async def test_a_backup_made_while_others_write_has_all_that_was_acknowledged_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "STEP_PAGES", 3)
    service = SqliteStore.open(tmp_path / "cars.db")
    await service.vehicles.add_vehicle(Vehicle(id="car"))
    acknowledged = 0
    started, stop = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        nonlocal acknowledged
        while not stop.is_set():
            at = acknowledged + 1
            await service.readings.write([Reading("car", WATTAGE, at, at, at, "test")])
            acknowledged = at
            if at == 50:
                started.set()

    writing = asyncio.create_task(write())
    await started.wait()
    for number in range(5):
        before = acknowledged
        steps: list[float] = []
        target = tmp_path / f"copy {number}.db"
        contents = await asyncio.to_thread(back_up, tmp_path / "cars.db", target, steps.append)
        assert before <= contents.counts["changes"]
        assert steps == sorted(steps), "it began anew"
        copy = apsw.Connection(str(target))
        stored = [value for (value,) in copy.execute("SELECT value FROM history ORDER BY observed_at").fetchall()]
        copy.close()
        assert stored == list(range(1, len(stored) + 1)), "one instant, without gaps"
        assert len(stored) >= before
    stop.set()
    await writing
    await service.close()


def test_a_file_that_is_there_is_replaced_only_if_wanted(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    assert "--force" in chargeport("backup", "copy.db").refused()
    assert (tmp_path / "copy.db").read_text() == "precious"
    assert chargeport("backup", "copy.db", "--force").code == 0
    assert "another" in chargeport("backup", "cars.db", "--force").refused()
    assert "nowhere" in chargeport("backup", "nowhere/copy.db").refused()
    assert listed(tmp_path) == ["cars.db", "copy.db"]


def test_a_backup_that_is_broken_off_leaves_nothing(
    chargeport: CommandLine, car: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(backup, "seal", _interrupted)
        assert chargeport("backup", "copy.db").code == 130
    assert listed(tmp_path) == ["cars.db"]


def test_a_damaged_database_is_not_backed_up_as_if_it_were_whole(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    data = bytearray((tmp_path / "cars.db").read_bytes())
    data[3 * 4096 : 3 * 4096 + 64] = b"\xff" * 64
    (tmp_path / "cars.db").write_bytes(data)
    assert "damaged" in chargeport("backup", "copy.db").refused()
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("place", [0, 18, 60, 100, 5000, 0.3, 0.5, 0.9, -1, -50])
def test_one_flipped_bit_is_found_and_nothing_is_restored(
    place: float, chargeport: CommandLine, car: str, tmp_path: Path
) -> None:
    assert chargeport("backup", "copy.db").code == 0
    before = (tmp_path / "cars.db").read_bytes()
    data = bytearray((tmp_path / "copy.db").read_bytes())
    at = round(place * len(data)) if 0 < place < 1 else int(place) % len(data)
    data[at] ^= 1
    (tmp_path / "copy.db").write_bytes(data)
    if at > len(data) - len(seal._WORDS) - 66:  # the seal itself: what is left is an unsealed database, looked through as such
        assert chargeport("restore", "copy.db").code in (0, 1)
        return
    assert "copy.db is damaged" in chargeport("restore", "copy.db").refused()
    assert (tmp_path / "cars.db").read_bytes() == before
    assert listed(tmp_path) == ["cars.db", "copy.db"]


def test_a_copy_that_bears_no_seal_is_looked_through(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    whole = (tmp_path / "cars.db").read_bytes()
    (tmp_path / "copy.db").write_bytes(whole)
    assert chargeport("restore", "copy.db", "--no-keep", "--json").json["kept"] is None
    for damaged in (whole[: len(whole) // 2], whole[:4096] + random.Random(1).randbytes(len(whole) - 4096)):
        (tmp_path / "copy.db").write_bytes(damaged)
        assert "copy.db" in chargeport("restore", "copy.db").refused()
    assert listed(tmp_path) == ["cars.db", "copy.db"]
    assert chargeport("vehicle", "show", car, "--json").json["vin"] == VIN


def test_a_copy_with_its_log_is_restored_with_it(chargeport: CommandLine, database: Path, tmp_path: Path) -> None:
    chargeport("migrate")
    server = apsw.Connection(str(database))
    server.execute("INSERT INTO sources (name) VALUES ('in the log')")
    for part in ("", "-wal"):
        (tmp_path / f"copy.db{part}").write_bytes(Path(f"{database}{part}").read_bytes())
    server.close()
    other = tmp_path / "other.db"
    assert chargeport("restore", "copy.db", "--database", str(other)).code == 0
    connection = apsw.Connection(str(other))
    assert connection.execute("SELECT name FROM sources WHERE name != 'derived'").fetchall() == [("in the log",)]
    connection.close()


@pytest.mark.parametrize("kind", ["newer", "foreign", "text", "missing", "itself", "folder"])
def test_what_is_no_backup_of_ours_is_refused(kind: str, chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    file = tmp_path / ("cars.db" if kind == "itself" else "copy.db")
    if kind == "newer":
        assert chargeport("backup", "copy.db").code == 0
        seal_off = file.read_bytes()[: -len(seal._WORDS) - 65]
        file.write_bytes(seal_off)
        changed(file, "PRAGMA user_version = 999")
    elif kind == "foreign":
        changed(file, "CREATE TABLE cars (name)")
    elif kind == "text":
        file.write_text("no database " * 1000)
    elif kind == "folder":
        file.mkdir()
    expected = {
        "newer": "999", "foreign": "Chargeport's", "text": "not an SQLite", "missing": "not exist", "itself": "itself",
        "folder": "not exist",
    }  # fmt: skip
    assert expected[kind] in chargeport("restore", str(file)).refused()
    assert chargeport("vehicle", "show", car, "--json").json["vin"] == VIN


def changed(file: Path, sql: str) -> None:
    connection = apsw.Connection(str(file))
    connection.execute(sql)
    connection.close()


def test_a_database_that_somebody_has_open_is_not_replaced(
    chargeport: CommandLine, car: str, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "PATIENCE_MS", 10)
    assert chargeport("backup", "copy.db").code == 0
    for sql in ("SELECT count(*) FROM vehicles", "BEGIN IMMEDIATE"):
        with held(database, sql):
            assert "in use" in chargeport("restore", "copy.db").refused()
    assert chargeport("restore", "copy.db").code == 0


@contextmanager
def held(database: Path, sql: str) -> Iterator[None]:
    """Another process has the database open."""
    command = [sys.executable, "-c", HELD, str(database), sql]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield
        process.communicate(timeout=10)


@pytest.mark.parametrize("where", ["copy_pages", "examined", "sync", "_keep", "_put_aside", "replace"])
def test_a_restore_that_is_broken_off_leaves_the_old_database(
    where: str, chargeport: CommandLine, car: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chargeport("backup", "copy.db").code == 0
    later = chargeport.vehicle("--alias", "bought later")
    with monkeypatch.context() as patch:
        if where == "replace":
            patch.setattr(Path, "replace", _interrupted)
        else:
            patch.setattr(restore, where, _interrupted)
        assert chargeport("restore", "copy.db").code == 130
    assert listed(tmp_path) == ["cars.db", "copy.db"]
    assert chargeport("vehicle", "show", "bought later", "--json").json["id"] == later


def test_each_restore_keeps_what_was_there_under_a_name_of_its_own(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    assert chargeport("backup", "copy.db").code == 0
    for name in ("cars.db.before-restore", "cars.db.before-restore-2"):
        assert chargeport("restore", "copy.db", "--json").json["kept"] == str(tmp_path / name)


def test_a_file_system_without_links_gets_a_copy(
    chargeport: CommandLine, car: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError

    assert chargeport("backup", "copy.db").code == 0
    before = (tmp_path / "cars.db").stat().st_size
    monkeypatch.setattr(os, "link", no_links)
    assert chargeport("restore", "copy.db").code == 0
    assert (tmp_path / "cars.db.before-restore").stat().st_size == before


def test_a_database_that_can_not_be_opened_is_replaced_and_saved_with_its_log(
    chargeport: CommandLine, car: str, database: Path, tmp_path: Path
) -> None:
    assert chargeport("backup", "copy.db").code == 0
    database.write_bytes(b"not a database at all" * 500)
    Path(f"{database}-wal").write_bytes(b"old log")
    assert chargeport("restore", "copy.db").code == 0
    assert chargeport("vehicle", "show", car, "--json").json["vin"] == VIN
    assert (tmp_path / "cars.db.before-restore-wal").read_bytes() == b"old log"


def test_a_backup_is_restored_where_nothing_was(chargeport: CommandLine, car: str, tmp_path: Path) -> None:
    assert chargeport("backup", "copy.db").code == 0
    other = ("--database", str(tmp_path / "new.db"))
    assert chargeport("restore", "copy.db", *other, "--json").json["kept"] is None
    assert chargeport("vehicle", "show", car, "--json", *other).json["vin"] == VIN
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
