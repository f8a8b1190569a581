"""The package for JavaScript, tested with Node's own test runner."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pinned_node import node
from servers import CHARGEPORT

pytestmark = pytest.mark.service

PACKAGE = Path(__file__).parents[2] / "packages" / "chargeport-testing"


def passed(folder: Path, *files: str) -> str:
    environment = os.environ | {
        "CHARGEPORT": str(CHARGEPORT),
        "NO_PROXY": "*",
        "PATH": f"{CHARGEPORT.parent}:{os.environ['PATH']}",
    }
    command = [node(), "--test", *files]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_own_tests_pass() -> None:
    assert "# fail 0" in passed(PACKAGE, "test/")


def test_the_tests_of_its_readme_pass(tmp_path: Path) -> None:
    installed = tmp_path / "node_modules" / "@chargeport" / "testing"
    installed.mkdir(parents=True)
    for name in json.loads((PACKAGE / "package.json").read_text("utf-8"))["files"]:
        shutil.copy(PACKAGE / name, installed)
    shutil.copy(PACKAGE / "package.json", installed)
    blocks = re.findall(r"```js\n(.*?)```", (PACKAGE / "README.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "readme.test.mjs").write_text("\n".join(blocks), "utf-8")
    assert "# pass 2" in passed(tmp_path, "readme.test.mjs")
