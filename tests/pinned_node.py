"""Node and its packages, where there are: installed once for a run, as the lock file pins them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LOCKED = Path(__file__).parent / "conformance" / "node"
INSTALL_S = 180


def node() -> str:
    """The path of Node; the test is skipped where there is none, and fails where CI is set."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("Node and npm are needed where CI is set")
        pytest.skip("Node or npm is not installed here")
    return found


def installed(folder: Path) -> Path:
    """A folder whose node_modules has the pinned packages."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCKED / name, folder / name)
    command = ["npm", "ci", "--silent", "--ignore-scripts", "--no-fund", "--no-audit"]
    subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_S)
    return folder
