"""How this Chargeport was installed: what a reader types to run it, and what brings a package that it lacks.

Messages name commands that work for their reader. Imports nothing of ours.
"""

import os
import re
import shlex
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

PROGRAM: Final = "chargeport"
_BY_MAKE: Final = "CHARGEPORT_BY_MAKE"
_OF_EXTRA: Final = re.compile(r"""^(?P<package>[^;]+?)\s*;.*\bextra\s*==\s*['"](?P<extra>[^'"]+)['"]""")
_PIPX_MARK: Final = "pipx_metadata.json"
_IMAGE_MARK: Final = ".image"  # a file that our Dockerfile puts beside the packages


def program() -> str:
    """Return what runs this program again from the reader's shell.

    The bare name where the PATH leads to it; else the path as it was typed; else the interpreter with -m.
    """
    started = Path(sys.argv[0])
    if started.name != PROGRAM:
        return f"{_shown(Path(sys.executable))} -m {PROGRAM}"
    found = shutil.which(PROGRAM)
    return PROGRAM if found is not None and Path(found).resolve() == started.resolve() else _shown(started)


def with_flag(flags: str) -> str:
    """Return the flags as the reader passes them on: as they are, or through make's ARGS where a Makefile's target runs us."""
    return f'ARGS="{flags}"' if os.environ.get(_BY_MAKE) else flags


def add_extra(extra: str) -> str:
    """Return the command that brings the packages of an extra into this installation, with the extra's name."""
    if (Path(sys.prefix) / _IMAGE_MARK).exists():
        return f"docker build --build-arg EXTRAS={extra} --tag {PROGRAM} . (in the checkout that the image was made from)"
    packages = " ".join(shlex.quote(each) for each in packages_of(extra))
    return f"{_installer()} {packages} (the extra {extra})"


def packages_of(extra: str) -> list[str]:
    """Return what an extra consists of, such as `nats-py>=2.9`; the extra itself where that is not known."""
    named = extra.replace("_", "-")
    found = (_OF_EXTRA.match(each) for each in metadata.requires(PROGRAM) or ())
    return [each["package"] for each in found if each and each["extra"].replace("_", "-") == named] or [f"{PROGRAM}[{extra}]"]


def _installer() -> str:
    """Return what installs packages beside this one: pipx, uv, or the interpreter's own pip."""
    prefix = Path(sys.prefix)
    if (prefix / _PIPX_MARK).exists():
        return f"pipx inject {PROGRAM}"
    python = _shown(Path(sys.executable))
    if not (prefix / "bin" / "pip").exists() and _is_made_by_uv(prefix):
        return f"uv pip install --python {python}"
    return f"{python} -m pip install"


def _is_made_by_uv(prefix: Path) -> bool:
    try:
        return any(line.startswith("uv =") for line in (prefix / "pyvenv.cfg").read_text("utf-8").splitlines())
    except OSError:
        return False


def _shown(path: Path) -> str:
    """Return the path as short as it works from here, fit for a shell."""
    try:
        near = path.absolute().relative_to(Path.cwd())
    except (OSError, ValueError):
        return shlex.quote(str(path))
    return shlex.quote(str(near) if os.sep in str(near) else f".{os.sep}{near}")
