"""`make release`: build what is released, twice, check it, and run the demo from it in an empty environment."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
import venv
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chargeport import __version__
from release.packages import bill, pinned, unlicensed

ROOT: Final = Path(__file__).resolve().parents[1]
DIST: Final = ROOT / "dist"
RUNTIME: Final = ROOT / "requirements" / "runtime.txt"
WITHIN_S: Final = 120


def main() -> None:
    """Make and check a release; end with one sentence and 1 where something is wrong."""
    packages = pinned(RUNTIME)
    if wrong := unlicensed(packages):
        sys.exit(f"Licences that are not allowed: {'; '.join(wrong)}. See release/packages.py.")
    print(f"{len(packages)} packages are pinned with hashes, and their licences allowed")
    epoch = committed_at()
    shutil.rmtree(DIST, ignore_errors=True)
    made = built(DIST, epoch)
    with tempfile.TemporaryDirectory() as other:
        if built(Path(other), epoch) != made:
            sys.exit("Two builds of one commit differ: look at what writes times or orders into the files.")
    for name, digest in made.items():
        print(f"{digest}  dist/{name}")
    about = bill(__version__, packages, datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    (DIST / f"chargeport-{__version__}.cdx.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    audit()
    try_wheel(next(DIST.glob("*.whl")))
    container()


def committed_at() -> int:
    """When the commit was made: the time of all files in the archives."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is None:
        told = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return int(told)


def built(folder: Path, epoch: int) -> dict[str, str]:
    """Build the source archive and the wheel; the SHA-256 of each."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    files = sorted(each for each in folder.iterdir() if each.suffix in (".whl", ".gz"))
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def audit() -> None:
    """Look for known vulnerabilities, where pip-audit is installed and reaches its database."""
    program = shutil.which("pip-audit")
    if program is None:
        print("not looked for: known vulnerabilities (pip-audit is not installed)")
        return
    done = subprocess.run([program, "--require-hashes", "-r", str(RUNTIME)], check=False, capture_output=True, text=True)
    if "ConnectionError" in done.stderr or "Max retries" in done.stderr:
        print("not looked for: known vulnerabilities (their database can't be reached)")
    elif done.returncode:
        sys.exit(f"Known vulnerabilities:\n{done.stdout}{done.stderr}")
    else:
        print("no known vulnerability")


def try_wheel(wheel: Path) -> None:
    """Install the wheel into an empty environment, and ask the demo that it has."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(RUNTIME)], check=True)
        subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
        demo = [python, "-m", "chargeport", "demo", "--json", "--port", "0"]
        with subprocess.Popen(demo, cwd=folder, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            told = json.loads(running.stdout.readline())
            asked = urllib.request.Request(f"{told['url']}/v3/vehicles", headers={"Authorization": f"Bearer {told['token']}"})
            with urllib.request.urlopen(asked, timeout=WITHIN_S) as answer:
                found = json.load(answer)["meta"]["totalCount"]
            running.send_signal(signal.SIGTERM)
            if running.wait(WITHIN_S) or not found:
                sys.exit("The demo of the wheel does not answer, or does not end cleanly.")
    print(f"the wheel, in an empty environment: its demo answered with {found} vehicles and ended cleanly")


def container() -> None:
    """Build the container image, where there is a Docker."""
    program = shutil.which("docker")
    if program is None or subprocess.run([program, "info"], check=False, capture_output=True).returncode:
        print("not built: the container image (no Docker here)")
        return
    subprocess.run([program, "build", "--tag", f"chargeport:{__version__}", str(ROOT)], check=True)


if __name__ == "__main__":
    main()
