"""What is wrong is said in one sentence that names it and the way out, with an exit code, and never a traceback."""

import subprocess
import uuid
from pathlib import Path

import apsw
import pytest
from command_line import ACME, PROGRAM, VIN, CommandLine

from chargeport.cli import serve as serve_command
from chargeport.cli import signals as signals_command

TAKEN = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
NOBODY = str(uuid.UUID(int=1))
ADD = ("vehicle", "add", *ACME)
CONNECT = ("connection", "add", "--app", "APP", "--user", "anna", "--vehicle", VIN)

MISUSED = [
    (("app", "create"), "NAME"),
    (("app", "create", " "), "1 to 128 printable"),
    (("app", "create", "x" * 129), "1 to 128 printable"),
    (("app", "create", "bell\a"), r"bell\x07"),
    (("app", "create", "A", "--permission", "fly"), "read_charge"),
    (("app", "sing"), "sing"),
    (("sing",), "sing"),
    ((*ADD, "--colour", "red"), "--colour"),
    ((*ADD, "--id", "one"), "UUID"),
    ((*ADD, "--vin", "1HGCM82633A00435"), "17"),
    ((*ADD, "--vin", "IHGCM82633A004352"), "without I, O and Q"),
    ((*ADD, "--vin", "1HGCM82633Ä004352"), "--vin"),
    ((*ADD, "--alias", ""), "--alias"),
    ((*ADD, "--year", "1989"), "1990 to 2100"),
    ((*ADD, "--year", "2101"), "1990 to 2100"),
    ((*ADD, "--year", "²"), "--year"),
    ((*ADD, "--powertrain", "STEAM"), "BEV"),
    (("vehicle", "add", "--make", "ACME"), "--model"),
    (("vehicle", "show"), "VEHICLE"),
    (("connection", "add", "--app", "A", "--user", "\x1b[31m", "--vehicle", VIN), "--user"),
    (("demo", "--vehicles", "0"), "--vehicles"),
    (("demo", "--speed", "nan"), "0.1 to 3600"),
    (("demo", "--speed", "fast"), "--speed"),
    (("serve", "--role", "king"), "--role"),
    (("serve", "--port", "http"), "--port"),
]

UNKNOWN = [
    (("vehicle", "show", "Herbie"), "Herbie"),
    (("vehicle", "remove", "Herbie", "--yes"), "vehicle list"),
    (("vehicle", "show", "x" * 5000), "…"),
    (("signals", "Herbie"), "Herbie"),
    (("signals", "Herbie", "--json"), "Herbie"),
    (("signals", VIN, "charge-joy"), "charge-joy"),
    (("signals", VIN, "charge-voltage", "--json"), "never reported"),
    (("coverage", "Herbie"), "Herbie"),
    (("app", "rotate", "client_x"), "app list"),
    (("app", "revoke", "client_x"), "app list"),
    (("app", "token", "client_x"), "app list"),
    (CONNECT, "app list"),
    (("connection", "remove", NOBODY), "connection list"),
    ((*ADD, "--vin", VIN.lower()), VIN),
    ((*ADD, "--alias", VIN), "choose another"),
    ((*ADD, "--id", TAKEN), TAKEN),
    (("vehicle", "remove", VIN), "--yes"),
]

SETTINGS = [
    (("serve", "--port", "99999"), "--port"),
    (("serve", "--host", ""), "--host"),
    (("serve", "--port", "0", "--host", "a" * 64), "no name of a machine"),
    (("serve", "--config", "nowhere.toml"), "nowhere.toml"),
    (("serve", "--database", "mysql://cars"), "database.url"),
    (("demo", "--port", "99999"), "--port"),
    (("demo", "--database", "mysql://cars"), "database.url"),
    (("app", "list", "--database", "sqlite:///"), "database.url"),
]

READING = [
    ("app", "list"), ("app", "rotate", "A"), ("app", "revoke", "A"), ("app", "token", "A"), ("vehicle", "list"),
    ("vehicle", "show", "A"), ("vehicle", "remove", "A", "--yes"), ("connection", "list"), ("connection", "remove", "A"),
    CONNECT, ("signals", "A"), ("signals", "A", "--json"), ("coverage",), ("coverage", "A"),
    ("export", "-"), ("export", "cars.csv"), ("import", "cars.csv"), ("backup", "copy.db"),
]  # fmt: skip
MAKING = [("app", "create", "A"), ADD, ("migrate",), ("serve", "--port", "0"), ("demo", "--port", "0")]


def named(case: object) -> str | None:
    return " ".join(case)[:60] if isinstance(case, tuple) else ""


@pytest.mark.parametrize(("arguments", "names"), MISUSED, ids=named)
def test_a_wrong_command_line_is_refused_before_anything_is_done(
    arguments: tuple[str, ...], names: str, chargeport: CommandLine, database: Path
) -> None:
    assert names in chargeport(*arguments).refused(2)
    assert not database.exists()


def test_all_options_that_are_missing_are_named_together(chargeport: CommandLine) -> None:
    assert "Missing options '--make', '--model' and '--year'; " in chargeport("vehicle", "add").refused(2)
    assert "Missing options '--make' and '--year'; " in chargeport("vehicle", "add", "--model=One").refused(2)
    assert "Missing option '--year'; " in chargeport(*ADD[:-2]).refused(2)


def test_a_failure_of_the_database_is_reported_once(database: Path, chargeport: CommandLine) -> None:
    chargeport.vehicle("--vin", VIN)
    with apsw.Connection(str(database)) as connection:
        connection.execute("UPDATE vehicles SET make = CAST(x'66ff66' AS TEXT)").fetchall()
    connection.close()
    process = subprocess.run([*PROGRAM, "vehicle", "list"], capture_output=True, text=True, check=False)  # with its own log
    assert (process.returncode, process.stdout, process.stderr.count("damaged")) == (1, "", 1)


@pytest.mark.parametrize(("arguments", "names"), UNKNOWN, ids=named)
def test_what_is_not_there_or_taken_is_named(arguments: tuple[str, ...], names: str, chargeport: CommandLine) -> None:
    chargeport.vehicle("--id", TAKEN, "--vin", VIN)
    sentence = chargeport(*arguments).refused()
    assert names in sentence
    assert len(sentence) < 250


@pytest.mark.parametrize(("arguments", "names"), SETTINGS, ids=named)
def test_a_wrong_setting_is_named(arguments: tuple[str, ...], names: str, chargeport: CommandLine, database: Path) -> None:
    assert names in chargeport(*arguments).refused()
    assert not database.exists()


def test_a_wrong_variable_is_named(chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARGEPORT_PORT", "http")
    assert "CHARGEPORT_PORT" in chargeport("serve").refused()


@pytest.mark.parametrize("arguments", READING, ids=named)
def test_a_database_that_is_not_there_is_not_made_by_looking(
    arguments: tuple[str, ...], chargeport: CommandLine, database: Path
) -> None:
    assert f"The database {database} does not exist" in chargeport(*arguments).refused()
    assert not list(database.parent.iterdir())


@pytest.mark.parametrize("arguments", [*MAKING, ("doctor", "--port", "0")], ids=named)
@pytest.mark.parametrize("kind", ["folder", "text", "newer", "nowhere", "unwritable"])
def test_a_database_that_is_none_is_left_alone(
    kind: str, arguments: tuple[str, ...], chargeport: CommandLine, database: Path
) -> None:
    if kind == "folder":
        database.mkdir()
    elif kind == "text":
        database.write_text("no database " * 200)
    elif kind == "newer":
        assert chargeport("migrate").code == 0
        with apsw.Connection(str(database)) as connection:
            connection.execute("PRAGMA user_version = 999")
        connection.close()
    # Even root makes no file in /proc/sys.
    where = {"nowhere": database.parent / "no" / "cars.db", "unwritable": Path("/proc/sys/cars.db")}.get(kind, database)
    ended = chargeport(*arguments, "--database", str(where))
    assert str(where) in ended.out + ended.err
    assert "Traceback" not in ended.err
    if arguments[0] != "doctor":
        expected = {"folder": "folder", "text": "not an SQLite", "newer": "999", "nowhere": "no does not exist"}
        assert expected.get(kind, "") in ended.refused()
    elif kind != "unwritable":
        assert ended.code == 1


def test_an_interrupted_command_says_nothing(chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    chargeport("migrate")
    monkeypatch.setattr(signals_command, "with_store", interrupted)
    ended = chargeport("signals", VIN)
    assert (ended.code, ended.out, ended.err) == (130, "", "")


def test_an_error_of_the_programs_own_is_not_hidden(chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(serve_command.config, "load", broken)
    with pytest.raises(ZeroDivisionError):
        chargeport("app", "list")
