"""A server of ours as a process of its own, for a browser to visit."""

import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = (sys.executable, "-m", "chargeport")
START_WITHIN_S = 20
STOP_WITHIN_S = 10


@contextmanager
def running(*arguments: str, port: str = "0", folder: Path | None = None) -> Iterator[str]:
    """The address of a server of ours, which finds its settings in a folder."""
    command = [*PROGRAM, *arguments, "--port", port]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        ready, _, _ = select.select([process.stdout], [], [], START_WITHIN_S)
        line = process.stdout.readline() if ready else ""
        found = re.search(r"http://[\w.:]+", line)
        assert found, f"no address within {START_WITHIN_S} s: {line!r}"
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=STOP_WITHIN_S)
