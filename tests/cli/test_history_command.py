"""`chargeport history`: what a signal was, as a table, as a plot in a terminal, and as the API's document."""

from pathlib import Path
from typing import Any

import pytest
from command_line import VIN, CommandLine, absence, reading, store

from chargeport.cli import output
from chargeport.cli.plot import bars, plot
from chargeport.cli.times import long
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import AbsenceReason

HOUR_S = 3600


@pytest.fixture
def car(chargeport: CommandLine, database: Path) -> str:
    """A car that charged with a pause, whose power could not be read at the end."""
    vehicle_id = chargeport.vehicle("--vin", VIN)
    powers = [
        reading(VIN, "charge-wattage", {"value": value}, ago_s=ago_s)
        for ago_s, value in ((3 * HOUR_S + 600, 7200), (3 * HOUR_S, 3600), (2 * HOUR_S, 7200.5), (900, 11000))
    ]
    flags = [reading(VIN, "charge-ischargingcableconnected", {"value": ago_s > 5000}, ago_s=ago_s) for ago_s in (9000, 4500)]
    limits = [reading(VIN, "charge-chargelimits", BY_CODE["charge-chargelimits"].example, ago_s=HOUR_S)]
    store(database, [*powers, absence(VIN, "charge-wattage", AbsenceReason.UNREADABLE, ago_s=600), *flags, *limits])
    return vehicle_id


def table(chargeport: CommandLine, *words: str) -> list[list[str]]:
    """The rows without the two lines above them."""
    return chargeport("history", *words).rows[1:]


def test_each_change_has_its_time_its_value_how_long_it_held_and_its_source_newest_last(
    chargeport: CommandLine, car: str
) -> None:
    rows = table(chargeport, car, "wattage")
    assert [row[1] for row in rows] == ["7200 watts", "3600 watts", "7200.5 watts", "11000 watts", "—"]
    assert [row[2] for row in rows[:3]] == ["10 min", "60 min", "105 min"]
    assert [row[3] for row in rows] == ["wallbox"] * 5
    assert rows == sorted(rows)


def test_an_absence_is_a_dash_with_its_reason_and_the_last_change_lasts_so_far(chargeport: CommandLine, car: str) -> None:
    last = table(chargeport, VIN, "charge-wattage")[-1]
    assert last[1:] == ["—", "10 min so far", "wallbox", "UNREADABLE: The source reported an invalid value."]


def test_limit_shows_the_newest_and_a_bound_on_time_those_in_it(chargeport: CommandLine, car: str) -> None:
    everything = table(chargeport, car, "wattage")
    assert table(chargeport, car, "wattage", "--limit", "2") == everything[-2:]
    second, fourth = everything[1][0], everything[3][0]
    assert table(chargeport, car, "wattage", "--from", second, "--to", fourth) == everything[1:3]
    assert chargeport("history", car, "wattage", "--to", "2020-01-01").out.endswith("Nothing was reported in that time.\n")


def test_changes_of_long_ago_are_found_too(chargeport: CommandLine, database: Path) -> None:
    vehicle_id = chargeport.vehicle("--vin", VIN)
    store(database, [reading(VIN, "charge-voltage", {"value": n}, ago_s=(40 - n) * 86_400 + 9) for n in range(40)])
    assert [row[1] for row in table(chargeport, vehicle_id, "voltage", "--limit", "3")] == ["37 volts", "38 volts", "39 volts"]
    assert len(table(chargeport, vehicle_id, "voltage")) == 40


def test_stretches_have_numbers_fractions_or_the_last_document(chargeport: CommandLine, car: str) -> None:
    for row in table(chargeport, car, "wattage", "--resolution", "P1D"):
        assert row[2].endswith(" watts")
        assert len(row) == 7
    flags = table(chargeport, car, "ischargingcableconnected", "--resolution", "P31D")
    assert sum(int(row[1]) for row in flags) == 2
    assert {word for row in flags for word in row[2].replace(",", "").split() if word.isalpha()} == {"yes", "no"}
    assert table(chargeport, car, "chargelimits", "--resolution", "P31D")[-1][-2] == "80 percent"


def test_json_is_the_apis_document(chargeport: CommandLine, car: str) -> None:
    document = chargeport("history", car, "wattage", "--json").json
    assert [each.get("body", {}).get("value") for each in document["data"]] == [7200, 3600, 7200.5, 11000, None]
    assert document["data"][-1]["status"]["error"]["code"] == "INVALID_DATA"
    assert document["meta"] == {"count": 5, "pageSize": 100}
    assert document["links"] == {"self": f"/v3/vehicles/{car}/signals/charge-wattage/values", "next": None}
    stretches = chargeport("history", car, "wattage", "--resolution", "P31D", "--json").json
    assert sum(each["count"] for each in stretches["data"]) == 4
    assert stretches["meta"]["unit"] == "watts"


def test_an_empty_history_is_a_sentence(chargeport: CommandLine) -> None:
    vehicle_id = chargeport.vehicle()
    for more in ((), ("--resolution", "PT1H")):
        assert chargeport("history", vehicle_id, "wattage", *more).out.endswith("Nothing was reported in that time.\n")
    assert chargeport("history", vehicle_id, "wattage", "--json").json["data"] == []


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        (("--resolution", "hour"), "PT15M"),
        (("--resolution", "PT1S"), "PT1M"),
        (("--from", "yesterday"), "2026-05-01"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_a_wrong_word_is_refused_in_a_sentence(
    chargeport: CommandLine, car: str, words: tuple[str, ...], reported: str
) -> None:
    assert reported in chargeport("history", car, "wattage", *words).refused(2)


def test_an_unknown_signal_or_vehicle_and_too_many_stretches_are_refused(chargeport: CommandLine, car: str) -> None:
    assert "is no signal" in chargeport("history", car, "nothing").refused()
    assert "No vehicle" in chargeport("history", "nobody", "wattage").refused()
    assert "100000" in chargeport("history", car, "wattage", "--from", "2001-01-01", "--resolution", "PT1M").refused()


def test_a_terminal_gets_a_plot_of_a_number_and_a_pipe_does_not(
    chargeport: CommandLine, car: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "█" not in chargeport("history", car, "wattage").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    output.console.cache_clear()
    shown = chargeport("history", car, "wattage").out
    assert "11000 watts │" in shown
    assert "0 watts │" in shown
    assert "█" in shown
    assert "█" not in chargeport("history", car, "ischargingcableconnected").out
    output.console.cache_clear()


@pytest.mark.parametrize(
    ("means", "top", "bottom", "sides"),
    [
        ([0, 50, None, 100], "   █", "▁█ █", ("100 percent", "0 percent")),
        ([7, 7, 7], "", "▁▁▁", ("7 percent", "7 percent")),
        ([60, 61.23456], " █", "▁█", ("61.235 percent", "60 percent")),
    ],
)
def test_a_plot_goes_from_the_least_to_the_greatest_and_leaves_blank_what_is_not_known(
    means: list[Any], top: str, bottom: str, sides: tuple[str, str]
) -> None:
    rows = [line.split("│") for line in plot(means, BY_CODE["tractionbattery-stateofcharge"], 0, 3_600_000).splitlines()]
    assert [rows[0][1], rows[7][1]] == [top, bottom]
    assert (rows[0][0].strip(), rows[7][0].strip()) == sides


def test_bars_are_as_long_as_their_amounts() -> None:
    longest, half, none = bars([("May", 20, "20 kWh"), ("June", 10, "10 kWh"), ("July", 0, "0 kWh")], 30).splitlines()
    assert longest.count("█") == 2 * half.count("█") == 16
    assert "█" not in none


@pytest.mark.parametrize(("length_s", "sent"), [(0, "under 1 s"), (0.999, "under 1 s"), (1, "1 s"), (7200, "2 h")])
def test_durations_are_printed_in_the_unit_that_fits(length_s: float, sent: str) -> None:
    assert long(length_s) == sent
