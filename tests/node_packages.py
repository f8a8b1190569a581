"""Packages of npm that tests run, installed once for a checkout."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

FOLDER: Final = Path(__file__).parents[1] / ".venv" / "node"


def node(package: str) -> Path:
    """A folder in which Node finds this package. Skips the test where there is no Node; fails where CI is set."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("node and npm are missing")
        pytest.skip("node and npm are not installed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        done = FOLDER / package.replace("/", "_")
        if not done.exists():
            command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", package]
            subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, timeout=300)
            done.touch()
    return FOLDER


def run_node(package: str, program: str, given: Any, **variables: str) -> Any:
    """What a program in JavaScript prints, as JSON, that finds this package and reads what is given, as JSON."""
    done = subprocess.run(
        ["node", "-e", program], input=json.dumps(given), cwd=node(package), env=os.environ | variables,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
