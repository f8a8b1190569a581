"""Where a command's settings come from: flags, then the environment, then --config, else ./chargeport.toml."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import typer
from command_line import PROGRAM, CommandLine, reading, store

from chargeport import config
from chargeport.cli import configuration
from chargeport.cli.main import app
from chargeport.errors import SettingError
from chargeport.settings import Settings

# A command of each group with what it needs, and how to see which database it worked on: by the car that it knows.
READERS = {
    "vehicle list": ("vehicle", "list"),
    "vehicle show": ("vehicle", "show", "CAR"),
    "signals": ("signals", "CAR"),
    "coverage": ("coverage", "CAR"),
    "history": ("history", "CAR", "voltage"),
    "records": ("records", "CAR"),
    "export": ("export", "-"),
}


def named(car: str, command: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(car if word == "CAR" else word for word in command)


def settings_file(path: Path, database: Path, more: str = "") -> Path:
    path.write_text(f'[database]\nurl = "sqlite:///{database}"\n{more}')
    return path


@pytest.fixture
def cars(chargeport: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Four databases with a car each, by the name of what is to lead there. The environment names none of them."""
    monkeypatch.delenv("CHARGEPORT_DATABASE")
    found = {}
    for name in ("flag", "variable", "named", "found"):
        database = tmp_path / f"{name}.db"
        found[name] = chargeport.vehicle("--alias", name, "--database", f"sqlite:///{database}")
        store(database, [reading(found[name], "charge-voltage", {"value": 230})])
    return found


@pytest.mark.parametrize("command", READERS.values(), ids=READERS)
def test_a_flag_beats_the_environment_and_that_the_file(
    command: tuple[str, ...], cars: dict[str, str], chargeport: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file(tmp_path / "chargeport.toml", tmp_path / "found.db")
    other = settings_file(tmp_path / "other.toml", tmp_path / "named.db")
    of_flag = ("--database", f"sqlite:///{tmp_path}/flag.db")
    assert cars["found"] in chargeport(*named(cars["found"], command)).out
    assert cars["named"] in chargeport(*named(cars["named"], command), "--config", str(other)).out
    monkeypatch.setenv("CHARGEPORT_DATABASE", f"sqlite:///{tmp_path}/variable.db")
    assert cars["variable"] in chargeport(*named(cars["variable"], command)).out
    assert cars["variable"] in chargeport(*named(cars["variable"], command), "--config", str(other)).out
    assert cars["flag"] in chargeport(*named(cars["flag"], command), "--config", str(other), *of_flag).out


def test_what_writes_finds_the_same_database(cars: dict[str, str], chargeport: CommandLine, tmp_path: Path) -> None:
    settings_file(tmp_path / "chargeport.toml", tmp_path / "found.db")
    app_id = chargeport.app()["client_id"]
    assert [each["client_id"] for each in chargeport("app", "list", "--json").json] == [app_id]
    copy = str(tmp_path / "copy.db")
    assert chargeport("backup", copy, "--json").json["counts"]["vehicles"] == 1
    assert chargeport("vehicle", "show", cars["found"], "--json", "--database", copy).json["aliases"] == ["found"]
    assert chargeport("migrate", "--json").json["database"] == str(tmp_path / "found.db")


def test_every_command_but_the_demo_takes_a_settings_file() -> None:
    assert {name for name, options in _options(app) if "--config" not in options} == {"demo"}


def _options(group: typer.Typer) -> list[tuple[str, set[str]]]:
    found = []
    command = typer.main.get_command(group)
    waiting = [("", command)]
    while waiting:
        name, each = waiting.pop()
        parts = getattr(each, "commands", None)
        if parts:
            waiting += [(f"{name} {part}".strip(), one) for part, one in parts.items()]
        else:
            found.append((name, {option for parameter in each.params for option in parameter.opts}))
    return found


def test_the_file_of_one_command_is_not_that_of_the_next(cars: dict[str, str], chargeport: CommandLine, tmp_path: Path) -> None:
    other = settings_file(tmp_path / "other.toml", tmp_path / "named.db")
    chargeport("vehicle", "list", "--config", str(other))
    assert configuration.file() is None
    assert "does not exist" in chargeport("vehicle", "list").refused()


def test_a_file_that_is_wrong_is_reported_by_every_command_that_finds_it(chargeport: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "chargeport.toml").write_text("[server]\nprot = 9000\n")
    for command in (("vehicle", "list"), ("app", "create", "x"), ("backup", "y"), ("serve",)):
        assert "(chargeport.toml): server.prot is no setting: the nearest name is port." in chargeport(*command).refused()


def test_the_demo_reads_no_settings(tmp_path: Path) -> None:
    (tmp_path / "chargeport.toml").write_text("this is not TOML")
    command = [*PROGRAM, "demo", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        assert any("answers at" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server]\nprot = 1", "server.prot is no setting: the nearest name is port."),
        ("port = 1", "port is no setting here: it belongs under [server]."),
        ("[servr]\nport = 1", "servr is no setting: the nearest name is server."),
        ("[[vehicle]]\nvin = 'x'", "vehicle is no setting: the nearest name is vehicles."),
        ("[[vehicles]]\nvni = 'x'", "vehicles[0].vni is no setting: the nearest name is vin."),
        ("[retention]\nraw_day = 3", "retention.raw_day is no setting: the nearest name is raw_days."),
        (
            "[[tariffs]]\nname = 'a'\ncurrency = 'EUR'\n[[tariffs.windows]]\nstrat = 'x'",
            "tariffs[0].windows[0].strat is no setting: the nearest name is start.",
        ),
        ("[sources]\nname = 'x'", "sources: there may be several: write [[sources]]."),
        ("[server]\nlog = 'inof'", "server.log: 'inof' is none of its values: the nearest name is info."),
        ("folder = 'x'", "folder is no setting: use one of server, limits, database,"),
        ("quux = 1", "quux is no setting: use one of server, limits, database,"),
    ],
)
def test_what_is_no_setting_is_reported_with_the_nearest_that_is(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(SettingError) as found:
        config.load(file, {})
    assert says in str(found.value)


def test_a_variable_that_nothing_reads_is_reported_where_its_name_is_nearly_right() -> None:
    given = {"CHARGEPORT_PROT": "1", "CHARGEPORT_PORT": "2", "CHARGEPORT_HOME": "/x", "PORT": "3"}
    assert list(config.misspelt_variables(given)) == [("CHARGEPORT_PROT", "CHARGEPORT_PORT")]


def served(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """What a server says until it answers."""
    command = [*PROGRAM, "serve", "--port", "0", *arguments]
    given = {**os.environ, **(env or {})}
    with subprocess.Popen(
        command, cwd=folder, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline()]
        process.send_signal(signal.SIGINT)
        return "".join([*lines, *process.stdout])


def test_serve_says_which_file_and_database_it_uses_and_how_to_make_the_first_application(
    chargeport: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHARGEPORT_DATABASE")
    sent = served(tmp_path)
    assert "none from a file" in sent
    assert f"Database  {tmp_path}/chargeport.db\n" in sent
    assert "app create NAME\n" in sent
    file = settings_file(tmp_path / "own.toml", tmp_path / "named.db")
    sent = served(tmp_path, "--config", "own.toml")
    assert f"Settings  {file}\n" in sent
    assert f"Database  {tmp_path}/named.db\n" in sent
    assert "app create NAME --config own.toml\n" in sent
    chargeport.app("First", "--config", str(file))
    assert "app create" not in served(tmp_path, "--config", "own.toml")


def test_a_list_is_written_with_commas_in_the_environment() -> None:
    given = {"CHARGEPORT_SERVER_TRUSTED_PROXIES": "10.0.0.1, fd00::/8", "CHARGEPORT_WEBHOOKS_RETRY_DELAYS_S": "1,2.5"}
    settings = config.load(environ=given)
    assert settings.server.trusted_proxies == ["10.0.0.1", "fd00::/8"]
    assert settings.webhooks.retry_delays_s == [1, 2.5]
    with pytest.raises(SettingError, match=r"CHARGEPORT_WEBHOOKS_RETRY_DELAYS_S.*retry_delays_s\[1\]"):
        config.load(environ={"CHARGEPORT_WEBHOOKS_RETRY_DELAYS_S": "1,soon"})


def test_every_default_can_be_written_into_the_environment() -> None:
    for variable, (table, key) in config.environment_names().items():
        default = getattr(getattr(Settings(), table), key)
        written = ",".join(map(str, default)) if isinstance(default, list) else str(default).removeprefix("None")
        assert getattr(getattr(config.load(environ={variable: written}), table), key) == default, variable
