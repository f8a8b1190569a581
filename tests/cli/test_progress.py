"""Long work shows how far it has come: on a terminal, beside what is printed and never in it."""

import re
from pathlib import Path

import pytest
from command_line import CommandLine, reading, store

from chargeport.cli import output


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_for_people_who_watch(is_terminal: bool, chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    car = chargeport.vehicle()
    file = chargeport("migrate", "--json").json["database"]
    store(Path(file), [reading(car, "charge-voltage", {"value": 231})])
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    for arguments, what in ((("export", "-"), "Exporting"), (("backup", "copy.db", "--json"), "Backing up")):
        output.console.cache_clear()
        ended = chargeport(*arguments)
        assert ended.code == 0
        assert re.fullmatch(r"\{.*\}\n", ended.out)
        assert (what in ended.err) is is_terminal
