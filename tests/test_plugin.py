"""A source type in a package of its own, installed and run as a user would."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chargeport.signals.catalogue import BY_CODE
from chargeport.store.records import Page
from chargeport.store.sqlite import SqliteStore
from histories import all_runs
from servers import CHARGEPORT, environment

EXAMPLE = Path(__file__).parents[1] / "examples" / "chargeport-source-example"
ROWS = b"time,watts,note\n1777629600,7200,hi\n1777629660,7300,\n"

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the example was installed into, for nobody else to see."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*command, folder / "site", source], check=True, timeout=120, env=environment() | {"PIP_NO_INDEX": "1"})
    return folder / "site"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The settings that the example's own page shows."""
    page = (EXAMPLE / "README.md").read_text("utf-8")
    block = page.partition("```toml\n")[2].partition("```")[0].replace('"wallbox.csv"', f'"{tmp_path / "wallbox.csv"}"')
    file = tmp_path / "chargeport.toml"
    file.write_text(f'[database]\nurl = "sqlite:///{tmp_path / "cars.db"}"\n{block}\n')
    return file


def chargeport(site: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = environment() | ({} if site is None else {"PYTHONPATH": str(site)})
    return subprocess.run([CHARGEPORT, *arguments], capture_output=True, text=True, timeout=60, check=False, env=env)


def test_the_type_is_there_when_the_package_is_installed(installed: Path, settings: Path) -> None:
    check = ("source", "check", "--config", str(settings))
    without = chargeport(None, *check)
    assert without.returncode == 1
    assert "'csv': it is no type of source: use one of home_assistant," in without.stderr
    missing = chargeport(installed, *check, "--json")
    assert missing.returncode == 1, missing.stderr
    assert json.loads(missing.stdout)[0]["cause"] == "unreachable"
    (settings.parent / "wallbox.csv").write_bytes(ROWS)
    assert chargeport(installed, *check).returncode == 0


def test_rows_are_emitted_once_over_restarts(installed: Path, settings: Path) -> None:
    file = settings.parent / "wallbox.csv"
    file.write_bytes(ROWS)
    assert served(installed, settings, 2) == [7200, 7300]
    with file.open("ab") as more:
        more.write(b"1777629720,7400,\n177762")
    assert served(installed, settings, 3) == [7200, 7300, 7400]
    issues = json.loads(chargeport(installed, "source", "issues", "--config", str(settings), "--json").stdout)
    assert [(each["subject"], each["count"]) for each in issues] == [("note", 3)], "each row once"


def served(site: Path, settings: Path, wanted: int) -> list[float]:
    """The history of power, once a server has stored so many values, and the issues of their rows."""
    server = subprocess.Popen(
        [CHARGEPORT, "serve", "--config", str(settings), "--port", "0"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment() | {"PYTHONPATH": str(site)},
    )  # fmt: skip
    try:
        return asyncio.run(history(settings.parent / "cars.db", wanted))
    except TimeoutError:
        server.kill()
        pytest.fail(str(server.communicate()[1]))
    finally:
        server.terminate()
        server.communicate(timeout=20)


async def history(database: Path, wanted: int) -> list[float]:
    store = SqliteStore.open(database)
    try:
        async with asyncio.timeout(20):
            while True:
                car = await store.vehicles.find_vehicle("5YJ3E1EA7KF000000")
                runs = [] if car is None else await all_runs(store, car.id, BY_CODE["charge-wattage"])
                issues, _ = await store.issues.issues(Page(1, 10))  # written behind the readings of the same rows
                if len(runs) >= wanted and sum(each.count for each in issues) >= wanted:
                    return [float(run.value or 0) for run in runs]
                await asyncio.sleep(0.05)  # another process writes
    finally:
        await store.close()
