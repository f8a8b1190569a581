"""A database file that is removed, replaced, cut off or damaged, under an open store and before it is opened."""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from chargeport.errors import StartError, StoreError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, Vehicle
from chargeport.store.sqlite import SqliteStore, files
from chargeport.store.sqlite.engine import connect
from chargeport.store.sqlite.files import MARKER, DatabaseFiles

CAR = Vehicle(id="6f1d2c3b-0000-4000-8000-000000000001")
AT = 1_777_629_598_000
POWER = BY_CODE["charge-wattage"]


def reading(number: int) -> Reading:
    return Reading(CAR.id, POWER, number, AT + number * 1000, AT + number * 1000, "box")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cars.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = SqliteStore.open(path)
    await opened.vehicles.add_vehicle(CAR)
    await opened.readings.write([reading(0)])
    yield opened
    await opened.close()


def remove(path: Path, part: str = "") -> None:
    Path(f"{path}{part}").unlink()


def copied(path: Path, name: str) -> Path:
    """The database as a crash would leave it now, under another name: its file and its log."""
    copy = path.with_name(name)
    for part in ("", "-wal"):
        shutil.copy2(f"{path}{part}", f"{copy}{part}")
    return copy


def flip_a_bit(log: Path, place: float) -> None:
    data = bytearray(log.read_bytes())
    data[32 + int(len(data) * place)] ^= 0x40
    log.write_bytes(data)


def cut(file: Path, by: int) -> None:
    os.truncate(file, file.stat().st_size - by)


def overwrite(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"\0" * 64)


def replace(path: Path, other: Path) -> bytes:
    """Put a copy of the file in its place; what that holds."""
    shutil.copy2(path, other)
    other.replace(path)
    return path.read_bytes()


def contents(file: Path) -> bytes:
    return file.read_bytes()


def write_over(file: Path, data: bytes) -> None:
    """Change the file itself, without a new one in its place."""
    file.write_bytes(data)


def move(source: Path, target: Path) -> None:
    source.rename(target)


async def until_not_ready(store: Store) -> str:
    """Ask until the store says that it is not ready, for two seconds at the most: what it says."""
    ends_at = time.monotonic() + 2
    while time.monotonic() < ends_at:
        try:
            await store.ping()
        except StoreError as error:
            return str(error)
    pytest.fail("the store still says that it is ready")


@pytest.mark.parametrize("part", ["", "-wal", "-shm"])
async def test_a_removed_file_is_noticed_and_nothing_is_acknowledged(store: Store, path: Path, part: str) -> None:
    remove(path, part)
    with pytest.raises(StoreError, match=f"{path.name}{part} was removed .*restore"):
        await store.readings.write([reading(1)])
    with pytest.raises(StoreError, match="was removed"):
        await store.ping()


async def test_a_replaced_file_is_noticed_and_the_other_one_is_left_alone(store: Store, path: Path, tmp_path: Path) -> None:
    before = replace(path, tmp_path / "other.db")
    with pytest.raises(StoreError, match="was replaced by another"):
        await store.readings.write([reading(1)])
    await store.close()
    assert contents(path) == before


async def test_a_file_that_is_put_back_is_used_again(store: Store, path: Path, tmp_path: Path) -> None:
    move(path, tmp_path / "aside.db")
    with pytest.raises(StoreError):
        await store.readings.write([reading(1)])
    move(tmp_path / "aside.db", path)
    assert await store.readings.write([reading(2)]) == [Outcome.ACCEPTED]
    await store.ping()


async def test_what_lies_in_a_removed_log_alone_is_saved(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.vehicles.add_vehicle(CAR)
    await store.readings.write([reading(0)])
    remove(path, "-wal")
    with pytest.raises(StoreError):
        await store.readings.write([reading(1)])
    copy = path.with_name("as-after-a-power-cut.db")
    shutil.copy2(path, copy)
    await store.close()
    left = SqliteStore.open(copy)
    assert await left.readings.position() >= 1
    await left.close()


async def test_a_file_that_is_cut_off_is_noticed_and_not_cured_by_writing(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store.close()
    with caplog.at_level(logging.ERROR):
        again = SqliteStore.open(path)
        os.truncate(path, 4096)
        assert "restore" in await until_not_ready(again)
        for number in (1, 2):
            with pytest.raises(StoreError):
                await again.readings.write([reading(number)])
        await again.close()
    assert len([each for each in caplog.records if "cut off" in each.message or "damaged" in each.message]) == 1


@pytest.mark.parametrize("size", [4096, 8192])
async def test_a_database_that_was_cut_off_is_not_opened(store: Store, path: Path, size: int) -> None:
    await store.close()
    os.truncate(path, size)
    with pytest.raises(StartError, match=r"(cut off|damaged).*restore"):
        SqliteStore.open(path)


async def test_a_database_whose_header_is_overwritten_is_not_opened(store: Store, path: Path) -> None:
    await store.close()
    overwrite(path)
    with pytest.raises(StartError):
        SqliteStore.open(path)


@pytest.mark.parametrize("how", ["removed", "emptied"])
async def test_no_empty_database_is_made_where_there_was_one(store: Store, path: Path, how: str) -> None:
    await store.close()
    remove(path) if how == "removed" else os.truncate(path, 0)
    with pytest.raises(StartError, match=r"is gone: .*restore.*--create"):
        SqliteStore.open(path)
    anew = SqliteStore.open(path, anew=True)
    assert await anew.vehicles.vehicle(CAR.id) is None
    await anew.close()


async def test_who_removes_the_marker_too_begins_anew(store: Store, path: Path) -> None:
    await store.close()
    remove(path)
    remove(path, MARKER)
    anew = SqliteStore.open(path)
    await anew.close()


@pytest.mark.parametrize("place", [0.05, 0.5])
async def test_what_recovery_drops_of_a_damaged_log_is_told(path: Path, caplog: pytest.LogCaptureFixture, place: float) -> None:
    store = SqliteStore.open(path)
    await store.vehicles.add_vehicle(CAR)
    for number in range(20):
        await store.readings.write([reading(number)])
    copy = copied(path, "crashed.db")
    await store.close()
    flip_a_bit(Path(f"{copy}-wal"), place)
    with caplog.at_level(logging.ERROR):
        opened = SqliteStore.open(copy)
    await opened.close()
    assert any("pages were dropped" in each.message for each in caplog.records)


async def test_a_log_that_is_whole_or_ends_within_a_transaction_is_not_told_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore.open(path)
    await store.vehicles.add_vehicle(CAR)
    for number in range(5):
        await store.readings.write([reading(number)])
    cuts = (0, 1, 30, 4000)
    copies = [copied(path, f"{by}.db") for by in cuts]
    for copy, by in zip(copies, cuts, strict=True):
        cut(Path(f"{copy}-wal"), by)
    await store.close()
    with caplog.at_level(logging.ERROR):
        for copy in copies:
            await SqliteStore.open(copy).close()
    assert not caplog.records


@pytest.mark.parametrize(("parts", "is_cut"), [(2, False), (1, True)])
async def test_a_file_that_a_checkpoint_of_another_process_lets_grow_is_not_cut_off(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, parts: int, is_cut: bool
) -> None:
    await store.close()
    connection, part_bytes = connect(path), 4096
    connection.execute("SELECT count(*) FROM vehicles").fetchall()
    looked_at, missing = DatabaseFiles(path), [tail(path, part_bytes) for _ in range(2)][:parts]

    def pass_time(_: float) -> None:
        if missing:
            append(path, missing.pop())

    monkeypatch.setattr(files.time, "sleep", pass_time)
    assert (looked_at.damage(connection) is not None) is is_cut
    connection.close()


def tail(path: Path, size: int) -> bytes:
    """Cut the last bytes off a file; what they were."""
    content = path.read_bytes()
    cut(path, size)
    return content[-size:]


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def repeat_frames(log: Path) -> None:
    """Write whole frames behind a log's last ones, as a process leaves them that is killed before it commits."""
    with log.open("ab") as file:
        file.write(log.read_bytes()[32:])


async def test_what_a_killed_process_left_in_the_log_is_not_told_of_while_another_has_the_file(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        await store.readings.write([reading(number)])
    repeat_frames(Path(f"{path}-wal"))
    with caplog.at_level(logging.ERROR):
        beside = SqliteStore.open(path)
    await beside.close()
    assert not caplog.records


async def fill(store: Store) -> None:
    for start in range(0, 200_000, 2000):
        await store.readings.write([reading(number) for number in range(start, start + 2000)])


async def test_a_failed_write_is_remembered_until_as_much_can_be_written_again(store: Store) -> None:
    connection = store._writer._connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA max_page_count = 40").fetchall()
    with pytest.raises(StoreError, match="disk is full"):
        await fill(store)
    with pytest.raises(StoreError, match="disk is full"):
        await store.ping()
    connection.execute("PRAGMA max_page_count = 1000000").fetchall()
    await store.ping()


async def test_a_file_that_is_written_over_with_another_database_is_noticed(store: Store, path: Path, tmp_path: Path) -> None:
    await store.close()
    again = SqliteStore.open(path)  # the log is copied back, so that the file itself says what it is
    await again.ping()
    write_over(path, contents(another_programs(tmp_path / "other.db")))
    assert "restore" in await until_not_ready(again)
    with pytest.raises(StoreError):
        await again.readings.write([reading(5)])
    await again.close()


async def test_a_database_whose_tables_are_gone_is_not_ready(store: Store, path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE share_links").fetchall()
    connection.close()
    with pytest.raises(StoreError, match="no such table"):
        await store.sign_in.shares()
    with pytest.raises(StoreError, match="chargeport restore"):
        await store.ping()


@pytest.mark.parametrize("is_marked", [True, False])
async def test_another_programs_database_is_not_opened_and_left_as_it_is(path: Path, *, is_marked: bool) -> None:
    before = contents(another_programs(path))
    if is_marked:
        write_over(Path(f"{path}{MARKER}"), b"")
    with pytest.raises(StartError, match="another program's"):
        SqliteStore.open(path)
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("notes",)]
    connection.close()
    assert len(contents(path)) == len(before)


async def test_a_damaged_file_ends_no_read_in_a_traceback(store: Store, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1, 300):
        await store.readings.write([reading(number)])
    reader = SqliteStore.open(path)
    write_over(Path(f"{path}-wal"), b"")
    write_over(path, contents(path)[:4096] + os.urandom(len(contents(path)) - 4096))
    for _ in range(3):
        with contextlib.suppress(StoreError):
            await reader.vehicles.vehicle(CAR.id)
            await reader.readings.signals(CAR.id)
            await reader.vehicles.vehicles(0, 10)
        await asyncio.sleep(0)
    await reader.close()
    assert not [each for each in caplog.records if each.name == "asyncio"]


def test_a_log_that_is_no_file_is_told_in_a_sentence(path: Path) -> None:
    Path(f"{path}-wal").mkdir()
    with pytest.raises(StartError, match=r"its log .* can't be read"):
        SqliteStore.open(path)


def another_programs(path: Path) -> Path:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')").fetchall()
    connection.close()
    return path


_COPYING = """
import fcntl, sys
shared = open(sys.argv[1], "rb+")
fcntl.lockf(shared, fcntl.LOCK_EX, 1, 121)  # SQLite's lock of whoever copies the log back
print("locked", flush=True)
sys.stdin.read()
"""


async def test_a_database_whose_log_is_being_copied_back_by_another_process_is_opened(store: Store, path: Path) -> None:
    command = [sys.executable, "-c", _COPYING, f"{path}-shm"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as copying:  # noqa: ASYNC220
        assert copying.stdout is not None
        assert copying.stdout.readline() == b"locked\n"
        beside = SqliteStore.open(path)
        assert await beside.vehicles.vehicle(CAR.id) is not None
        await beside.close()


async def test_a_text_that_is_none_is_damage_and_no_fault_of_ours(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.vehicles.add_vehicle(CAR)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE vehicles SET make = CAST(x'66ff66' AS TEXT)").fetchall()
    connection.close()
    with pytest.raises(StoreError, match="damaged"):
        await store.vehicles.vehicle(CAR.id)
    with pytest.raises(StoreError, match="damaged"):
        await store.ping()
    await store.close()


OPENS = """
import sys
from pathlib import Path
from chargeport.errors import StartError
from chargeport.store.sqlite import SqliteStore

for name in sys.argv[1:]:
    try:
        SqliteStore.open(Path(name))
    except StartError as error:
        print(error)
"""


def test_a_schema_with_bytes_that_are_no_text_is_refused_in_a_sentence_alone(path: Path) -> None:
    asyncio.run(SqliteStore.open(path).close())
    whole = path.read_bytes()
    names = []
    for number, found in enumerate(re.finditer(rb"CREATE TABLE \w+", whole)):
        copy = path.with_name(f"copy{number}.db")
        at = found.end() - 1
        copy.write_bytes(whole[:at] + b"\xc3" + whole[at + 1 :])
        names.append(str(copy))
    opened = subprocess.run([sys.executable, "-c", OPENS, *names], capture_output=True, text=True, check=True, timeout=60)
    assert opened.stderr == ""
    sent = opened.stdout.splitlines()  # some stand in pages that are not used any more
    assert len(sent) > 20
    assert [line for line in sent if "it is damaged" not in line] == []


@pytest.mark.parametrize("table", ["sequences", "recent"])
def test_a_schema_that_says_something_else_of_a_table_is_damage(path: Path, table: str) -> None:
    asyncio.run(SqliteStore.open(path).close())
    with apsw.Connection(str(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON").fetchall()
        other = "UPDATE sqlite_schema SET sql = 'CREATE TABLE ' || name || '(a)' WHERE name = ?"
        connection.execute(other, (table,)).fetchall()
    connection.close()

    async def used() -> None:
        store = SqliteStore.open(path)
        try:
            await store.vehicles.vehicle(CAR.id)
            await store.readings.position()
        finally:
            await store.close()

    with pytest.raises((StartError, StoreError), match="damaged"):
        asyncio.run(used())


TRUNCATES_THE_INDEX = """
import asyncio, os, sys
from pathlib import Path
from chargeport.store.sqlite import SqliteStore, files
from chargeport.store.sqlite.engine import connect
from chargeport.store.records import Vehicle

async def main():
    store = SqliteStore.open(Path(sys.argv[1]))
    await store.vehicles.add_vehicle(Vehicle(id=sys.argv[2]))
    print("acknowledged", flush=True)
    os.truncate(sys.argv[1] + "-shm", 0)
    for number in range(3):
        await store.notes.remember("a", str(number), "b")
    await store.close()

asyncio.run(main())
"""


def test_an_index_of_the_log_that_is_cut_off_costs_a_process_but_nothing_acknowledged(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRUNCATES_THE_INDEX, str(path), CAR.id], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode in (0, -signal.SIGBUS), done.stderr
    assert done.stdout == "acknowledged\n"

    async def found() -> Vehicle | None:
        store = SqliteStore.open(path)
        try:
            return await store.vehicles.vehicle(CAR.id)
        finally:
            await store.close()

    assert asyncio.run(found()) == CAR
