"""The package for JavaScript, tested with Node's own test runner."""

import os
import subprocess
from pathlib import Path

import pytest

from pinned_node import node
from servers import CHARGEPORT

pytestmark = pytest.mark.service

PACKAGE = Path(__file__).parents[2] / "packages" / "chargeport-testing"


def test_its_own_tests_pass() -> None:
    environment = os.environ | {"CHARGEPORT": str(CHARGEPORT), "NO_PROXY": "*"}
    command = [node(), "--test", "test/"]
    done = subprocess.run(command, cwd=PACKAGE, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout
