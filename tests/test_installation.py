"""What a reader is told to type works in the installation that tells it."""

import os
import re
import sys
from pathlib import Path

import pytest

from chargeport import installation

ROOT = Path(__file__).parents[1]


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an environment of its own, made by venv and with pip in it."""
    folder = tmp_path / "env"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "pip").touch()
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.4\n")
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "bin" / "python"))
    monkeypatch.chdir(tmp_path)
    return folder


def test_an_extra_is_named_by_its_packages_which_any_index_has() -> None:
    assert [each.partition(">")[0] for each in installation.packages_of("ocpp")] == ["jsonschema-rs", "ocpp", "websockets"]
    assert installation.packages_of("home_assistant")[0].startswith("hass-client>=")


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/installation/*.md")), ids=lambda page: page.stem)
def test_the_pages_name_all_packages_of_an_extra(page: Path) -> None:
    needed = set(installation.packages_of("ocpp"))
    for line in page.read_text("utf-8").splitlines():
        named = set(re.findall(r"'([\w-]+>=[\d.]+)'", line))
        assert not named or named == needed, line


def test_a_checkouts_own_pip_is_named_by_its_path_from_here(prefix: Path) -> None:
    assert installation.add_extra("nats").startswith("env/bin/python -m pip install 'nats-py>=")
    assert installation.add_extra("nats").endswith("(the extra nats)")


def test_pipx_injects(prefix: Path) -> None:
    (prefix / "pipx_metadata.json").touch()
    assert installation.add_extra("nats").startswith("pipx inject chargeport 'nats-py>=")


def test_uv_installs_into_the_environment_it_made(prefix: Path) -> None:
    (prefix / "bin" / "pip").unlink()
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.9.1\n")
    assert installation.add_extra("nats").startswith("uv pip install --python env/bin/python 'nats-py>=")


def test_an_image_is_built_again(prefix: Path) -> None:
    (prefix / ".image").touch()
    assert installation.add_extra("ocpp").startswith("docker build --build-arg EXTRAS=ocpp ")


def test_the_program_is_called_as_the_reader_can_call_it(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = prefix / "bin" / "chargeport"
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "serve"])
    assert installation.program() == "env/bin/chargeport"
    monkeypatch.setenv("PATH", f"{prefix / 'bin'}{os.pathsep}/usr/bin")
    assert installation.program() == "chargeport"
    monkeypatch.setattr(sys, "argv", ["/x/chargeport/__main__.py", "serve"])
    assert installation.program() == "env/bin/python -m chargeport"
