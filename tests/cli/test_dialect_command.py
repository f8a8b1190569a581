"""`chargeport dialect check`: what a message would mean, field by field, without a database."""

from pathlib import Path

import pytest
from command_line import CommandLine

DIALECT = """
name = "mybox"
topics = ["mybox/{vehicle}"]
payload = "json"
ignored = ["firmware"]

[[rows]]
field = "power"
signal = "charge-wattage"
unit = "kW"

[[rows]]
field = "state"
signal = "charge-ischarging"
words = { idle = false, charging = true }
"""


@pytest.fixture
def dialect(tmp_path: Path) -> str:
    file = tmp_path / "mybox.toml"
    file.write_text(DIALECT)
    return str(file)


def test_each_field_says_what_it_becomes(dialect: str, chargeport: CommandLine) -> None:
    message = '{"power": 7.2, "state": "charging", "firmware": "1.2"}'
    found = chargeport("dialect", "check", dialect, "--topic", "mybox/left", "--message", message, "--json").json
    assert {each["field"]: (each["signal"], each["value"]) for each in found["fields"]} == {
        "power": ("charge-wattage", "7200 watts"),
        "state": ("charge-ischarging", "yes"),
        "firmware": (None, "ignored"),
    }


def test_what_is_not_understood_is_printed_with_rows_to_begin_with(
    dialect: str, chargeport: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "message.json").write_text('{"amps": 16, "state": "flying"}')
    done = chargeport("dialect", "check", dialect, "--topic", "mybox/left", "--message", f"@{tmp_path / 'message.json'}")
    assert done.code == 1
    assert 'field = "amps"  # said 16' in done.out
    assert "flying" in done.out


def test_a_file_that_is_no_dialect_says_where(chargeport: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text('name = "wrong"\n[[rows]]\nfield = "x"\nsignal = "nothing"\n')
    refusal = chargeport("dialect", "check", str(file)).refused()
    assert "rows[1]" in refusal


def test_a_built_in_dialect_is_named(chargeport: CommandLine) -> None:
    found = chargeport("dialect", "check", "evcc", "--json").json
    assert found["name"] == "evcc"
    assert found["rows"] > 5
