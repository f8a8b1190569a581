"""What every command prints in a terminal of 80 and of 120 columns: no line is wider, no cell is cut, times have their zone."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import VIN, CommandLine, absence, reading, store
from forked import Forks, forks

from chargeport.cli.output import print_table
from chargeport.signals.reading import AbsenceReason

COLUMNS, WIDE = 80, 120
Terminal = Callable[..., list[str]]


@pytest.fixture(scope="module")
def forked() -> Iterator[Forks]:
    with forks() as made:
        yield made


@pytest.fixture
def terminal(database: Path, forked: Forks) -> Terminal:
    """Runs a command in a terminal; the lines that it shows, without colours."""

    def run(*arguments: str, columns: int = COLUMNS) -> list[str]:
        return forked.shown(*arguments, columns=columns, TERM="xterm", TZ="Europe/Berlin").splitlines()

    return run


@pytest.fixture
def car(chargeport: CommandLine, database: Path) -> str:
    """A car whose names, values and reasons are longer than a line has room for."""
    found = chargeport.vehicle("--vin", VIN, "--alias", "teslamate:1", "--alias", "an alias that goes on for quite a while")
    store(
        database,
        [
            reading(found, "charge-voltage", {"value": 231.5}),
            reading(found, "charge-ischarging", {"value": True}),
            reading(found, "charge-wattage", {"value": 7200}),
            reading(found, "location-preciselocation", {"latitude": 48.137, "longitude": 11.575, "heading": 90}),
        ],
    )
    store(database, [absence(found, "charge-chargelimits", AbsenceReason.NOT_CAPABLE)])
    app = chargeport.app("An application with a name")["client_id"]
    chargeport("connection", "add", "--app", app, "--user", "somebody@example.org", "--vehicle", found)
    return found


COMMANDS = (
    "vehicle list", "vehicle show CAR", "signals", "signals CAR", "signals voltage", "coverage", "coverage CAR",
    "history CAR voltage", "history CAR voltage --resolution PT1H", "history CAR chargelimits", "records", "records CAR",
    "source issues", "source list", "connection list", "app list", "user list", "user sessions", "share list",
    "record edits CAR", "signals CAR voltage", "signals CAR chargelimits", "signals CAR location-preciselocation",
)  # fmt: skip


@pytest.mark.parametrize("columns", [COLUMNS, WIDE])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_wider_than_the_terminal_and_no_cell_is_cut(
    command: str, columns: int, car: str, terminal: Terminal
) -> None:
    lines = terminal(*(car if word == "CAR" else word for word in command.split()), columns=columns)
    assert lines
    assert [line for line in lines if len(line) > columns] == []
    assert [line for line in lines if "…" in line] == []


def test_a_long_cell_is_wrapped(car: str, terminal: Terminal) -> None:
    lines = terminal("signals", car)
    start = next(index for index, line in enumerate(lines) if line.startswith("charge-chargelimits"))
    column = lines[start].index("—")
    reported = " ".join(line[column:].strip() for line in [lines[start], *lines[start + 1 : start + 4]])
    assert "The vehicle does not have this." in " ".join(reported.split())


def test_a_vehicle_is_a_line_with_its_id_and_vin_whole(car: str, terminal: Terminal) -> None:
    (line,) = [line for line in terminal("vehicle", "list") if "ACME" in line]
    assert line.startswith(car)
    assert VIN in line


def test_columns_that_are_left_out_are_named(car: str, terminal: Terminal) -> None:
    assert any(line.startswith("Not shown for want of room: ") for line in terminal("vehicle", "list"))


def test_times_are_those_of_the_wall_with_their_zone(car: str, terminal: Terminal) -> None:
    lines = terminal("history", car, "voltage")
    assert any(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (CET|CEST)  231\.5 volts", line) for line in lines)


def test_a_place_is_shown_as_coordinates(car: str, terminal: Terminal) -> None:
    (line,) = [line for line in terminal("signals", car) if line.startswith("location-preciselocation")]
    assert "48.137, 11.575" in line


def test_a_car_is_found_by_its_name_and_by_the_beginning_of_its_id(car: str, chargeport: CommandLine) -> None:
    for name in ("ACME One", "acme one", car[:8]):
        assert chargeport("vehicle", "show", name, "--json").json["id"] == car
    other = chargeport.vehicle()
    refusal = chargeport("vehicle", "show", "ACME One").refused()
    assert "may be any of 2 vehicles" in refusal
    assert other in refusal


def test_without_a_vehicle_there_is_a_line_for_each(car: str, chargeport: CommandLine) -> None:
    other = chargeport.vehicle()
    assert [row[0] for row in chargeport("signals").rows] == sorted([car, other])
    assert {row[0]: row[2] for row in chargeport("signals", "voltage").rows} == {car: "231.5 volts", other: "—"}
    documents = {each["id"]: each["signals"] for each in chargeport("signals", "--json").json}
    assert documents[other] == []
    assert "charge-voltage" in [signal["code"] for signal in documents[car]]
    assert chargeport("records", "--json").json == []


def test_a_row_of_a_pipe_is_one_line_whatever_is_in_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "state"), [("a\nforged  ended\r\n\u2028b", "open"), ("c", "open")])
    _, first, second = capsys.readouterr().out.splitlines()
    assert (first.split()[-1], second.split()) == ("open", ["c", "open"])
