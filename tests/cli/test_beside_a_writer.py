"""Commands that only read, while a server holds the database's locks: they neither fail nor wait."""

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from command_line import CommandLine

from chargeport.store.sqlite import engine

READING = [
    ("signals",), ("signals", "CAR"), ("signals", "CAR", "charge-voltage"), ("coverage",), ("coverage", "CAR"),
    ("history", "CAR", "charge-voltage"), ("history", "CAR", "charge-voltage", "--resolution", "PT1H"), ("records",),
    ("records", "CAR"), ("vehicle", "list"), ("vehicle", "show", "CAR"), ("app", "list"), ("connection", "list"),
    ("user", "list"), ("share", "list"), ("source", "list"), ("source", "issues"), ("webhook", "list"),
]  # fmt: skip


@pytest.fixture
def car(chargeport: CommandLine, tmp_path: Path) -> str:
    made = chargeport.vehicle()
    file = tmp_path / "readings.csv"
    file.write_text(f"vehicle,signal,observedAt,value\n{made},charge-voltage,2026-05-01T10:00:00Z,231\n")
    assert chargeport("import", str(file)).code == 0
    return made


@pytest.fixture
def locked(car: str, database: Path) -> Iterator[None]:
    """A writer in the middle of a transaction, and a checkpoint that waits for it: every lock that others may hold is held."""
    is_waiting, may_end = threading.Event(), threading.Event()

    def busy(_: int) -> bool:
        is_waiting.set()
        may_end.wait(60)
        return True

    with apsw.Connection(str(database)) as first:
        first.execute("UPDATE sequences SET value = value")
    writer, copier = apsw.Connection(str(database)), apsw.Connection(str(database))
    for each in (writer, copier):
        each.execute("SELECT count(*) FROM sequences").fetchall()  # else it has not opened the log
    writer.execute("BEGIN IMMEDIATE")
    copier.set_busy_handler(busy)
    copying = threading.Thread(target=copier.wal_checkpoint, kwargs={"mode": apsw.SQLITE_CHECKPOINT_TRUNCATE})
    copying.start()
    assert is_waiting.wait(10)
    yield
    writer.execute("ROLLBACK")
    may_end.set()
    copying.join(10)
    writer.close()
    copier.close()


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_command_that_reads_answers_while_others_hold_every_lock(
    arguments: tuple[str, ...], chargeport: CommandLine, car: str
) -> None:
    done = chargeport(*(car if each == "CAR" else each for each in arguments))
    assert done.code == 0, done.err
    assert done.err == ""


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("arguments", [("export", "cars.csv"), ("backup", "copy.db")], ids=" ".join)
def test_a_command_that_is_recorded_says_in_a_sentence_that_the_database_is_taken(
    arguments: tuple[str, ...], chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 10)
    assert "write lock" in chargeport(*arguments).refused()
