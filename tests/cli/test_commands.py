"""The commands that interface.md promises are there, with its options; each explains itself and speaks JSON."""

from typing import Any

import pytest
import typer
from command_line import CommandLine

from chargeport import __version__
from chargeport.cli.main import app

# What others rely on: a name that goes is a promise broken.
PROMISED = {
    "demo": {"--host", "--port", "--database", "--vehicles", "--speed", "--json"},
    "serve": {"--config", "--database", "--host", "--port", "--role", "--workers"},
    "app create": {"NAME", "--permission", "--connected-only", "--database", "--json"},
    "app list": {"--database", "--json"},
    "app rotate": {"CLIENT_ID", "--database", "--json"},
    "app revoke": {"CLIENT_ID", "--database", "--json"},
    "app token": {"CLIENT_ID", "--database", "--json"},
    "vehicle add": {"--id", "--vin", "--alias", "--make", "--model", "--year", "--powertrain", "--database", "--json"},
    "vehicle list": {"--database", "--json"},
    "vehicle show": {"VEHICLE", "--database", "--json"},
    "vehicle remove": {"VEHICLE", "--yes", "--database", "--json"},
    "connection add": {"--app", "--user", "--vehicle", "--permission", "--database", "--json"},
    "connection list": {"--database", "--json"},
    "connection remove": {"ID", "--database", "--json"},
    "signals": {"[VEHICLE]", "[CODE]", "--database", "--json"},
    "coverage": {"[VEHICLE]", "--database", "--json"},
    "export": {
        "FILE",
        "--vehicle",
        "--signal",
        "--from",
        "--to",
        "--format",
        "--sightings",
        "--bare",
        "--database",
        "--json",
    },
    "import": {"FILE", "--source", "--dry-run", "--vehicle", "--report", "--create-vehicles", "--database", "--json"},
    "backup": {"FILE", "--force", "--database", "--json"},
    "restore": {"FILE", "--keep", "--no-keep", "--database", "--json"},
    "migrate": {"--database", "--json"},
    "doctor": {"--config", "--database", "--host", "--port", "--json"},
}
LISTS = ("app list", "vehicle list", "connection list", "coverage")


def existing() -> dict[str, Any]:
    """Every command by its full name."""
    found = {}
    for name, command in vars(typer.main.get_command(app))["commands"].items():
        parts = vars(command).get("commands", {})
        found |= {f"{name} {part}": inner for part, inner in parts.items()} or {name: command}
    return found


def words(command: Any) -> set[str]:
    """The options and arguments of a command."""
    options = {word for each in command.params for word in (*each.opts, *each.secondary_opts) if word.startswith("-")}
    return options | {each.metavar for each in command.params if not each.opts[0].startswith("-")}


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_command_is_there_with_its_options(name: str) -> None:
    assert words(existing()[name]) >= PROMISED[name]


@pytest.mark.parametrize("name", existing())
def test_every_command_explains_itself(name: str, chargeport: CommandLine) -> None:
    for flag in ("--help", "-h"):
        ended = chargeport(*name.split(), flag)
        assert ended.code == 0
        assert f"chargeport {name}" in ended.out
    silent = [each.opts[0] for each in existing()[name].params if not each.help]
    assert not silent, "an option that says nothing of itself"


@pytest.mark.parametrize("name", LISTS)
def test_every_list_of_nothing_is_an_empty_array_and_for_people_a_sentence(name: str, chargeport: CommandLine) -> None:
    assert chargeport("migrate").code == 0
    assert chargeport(*name.split(), "--json").json == []
    assert "chargeport" in chargeport(*name.split()).out


@pytest.mark.parametrize("arguments", [(), ("app",), ("vehicle",), ("connection",)], ids=" ".join)
def test_a_group_without_a_command_shows_what_there_is(arguments: tuple[str, ...], chargeport: CommandLine) -> None:
    ended = chargeport(*arguments)
    assert ended.code == 2
    assert "Commands" in ended.out + ended.err
    assert "Error" not in ended.err


def test_the_version_is_the_packages(chargeport: CommandLine) -> None:
    assert chargeport("--version").out == f"chargeport {__version__}\n"
