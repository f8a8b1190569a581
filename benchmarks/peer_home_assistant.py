"""Home Assistant with one sensor, for `benchmarks.peers`: installed in an environment of its own, with an owner that signs in.

The newest version that runs on this Python is taken.
"""

import json
import subprocess
import sys
import urllib.parse
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import load

INSTALL_S = 600
# Versions for Python 3.11 use a member of josepy that its second version no longer has, and say nothing of that.
PACKAGES = ("homeassistant", *(("josepy<2",) if sys.version_info < (3, 12) else ()))
SENSOR = "/api/states/sensor.voltage"
_OWNER = {"username": "owner", "password": "benchmark"}
_CONFIGURATION = "homeassistant:\nhttp:\n  server_host: 127.0.0.1\n  server_port: {port}\napi:\n"


def install(folder: Path) -> Path:
    """Return the program, installed once. Raises subprocess.SubprocessError."""
    program = folder / "bin" / "hass"
    if not program.exists():
        venv.create(folder, with_pip=True)
        command = [folder / "bin" / "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S)
    return program


@contextmanager
def running(program: Path, folder: Path) -> Iterator[tuple[load.Server, str]]:
    """Run it in a folder; yield it and a token of its owner."""
    port = load.free_port()
    (folder / "configuration.yaml").write_text(_CONFIGURATION.format(port=port))
    add = [program, "--script", "auth", "--config", folder, "add", *_OWNER.values()]
    subprocess.run(add, check=True, capture_output=True, timeout=60)
    url = f"http://127.0.0.1:{port}"
    with load.program([program, "--config", folder], url) as server:
        token = _token(url)
        state = json.dumps({"state": "231", "attributes": {"unit_of_measurement": "V"}}).encode()
        _post(url + SENSOR, state, {"Authorization": f"Bearer {token}"})
        yield server, token


def _token(url: str) -> str:
    """Sign the owner in."""
    client = {"client_id": f"{url}/"}
    begin = client | {"handler": ["homeassistant", None], "redirect_uri": f"{url}/"}
    flow = _post(f"{url}/auth/login_flow", json.dumps(begin).encode())["flow_id"]
    code = _post(f"{url}/auth/login_flow/{flow}", json.dumps(client | _OWNER).encode())["result"]
    grant = client | {"grant_type": "authorization_code", "code": code}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return str(_post(f"{url}/auth/token", urllib.parse.urlencode(grant).encode(), form)["access_token"])


def _post(url: str, body: bytes, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"} | (headers or {}))  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)
