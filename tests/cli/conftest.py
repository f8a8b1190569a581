from pathlib import Path

import pytest
from command_line import CommandLine

from chargeport.cli import output
from chargeport.config import environment_names


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is not there yet; commands that are not told otherwise work on it."""
    for name in (*environment_names(), "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "cars.db"
    monkeypatch.setenv("CHARGEPORT_DATABASE", f"sqlite:///{file}")
    monkeypatch.chdir(tmp_path)
    return file


@pytest.fixture
def chargeport(database: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line, run in this process as the program does; its output is not a terminal."""
    output.console.cache_clear()
    return CommandLine(capsys)
