"""What was stored with times ahead of the clock is found, and removed when a person says so."""

from pathlib import Path

from command_line import CommandLine, reading, store

YEARS_S = 20 * 365 * 86_400


def test_values_ahead_of_the_clock_are_removed_and_the_newest_of_the_rest_counts(chargeport: CommandLine) -> None:
    car = chargeport.vehicle()
    file = Path(chargeport("migrate", "--json").json["database"])
    store(file, [reading(car, "charge-voltage", {"value": 231}, ago_s=60)])
    store(file, [reading(car, "charge-voltage", {"value": 99}, ago_s=-YEARS_S)])
    refused = chargeport("repair", "clock")  # nobody answers
    assert refused.code != 0
    done = chargeport("repair", "clock", "--yes", "--json").json
    assert (done["removed"], [each["values"] for each in done["ahead"]]) == (True, [1])
    assert "231" in chargeport("signals", car, "charge-voltage").out
    assert "Nothing is stored" in chargeport("repair", "clock").out
