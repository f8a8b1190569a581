"""How this Chargeport was installed: the command that runs it, and the one that installs a missing package.

Messages contain commands that work in this installation. It imports no other module of Chargeport.
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
_MAKE_VARIABLE: Final = "CHARGEPORT_BY_MAKE"
_EXTRA_REQUIREMENT: Final = re.compile(r"""^(?P<package>[^;]+?)\s*;.*\bextra\s*==\s*['"](?P<extra>[^'"]+)['"]""")
_PIPX_MARK: Final = "pipx_metadata.json"
_IMAGE_MARK: Final = ".image"  # a file that our Dockerfile adds to the packages


def program() -> str:
    """Return the command that runs this program again.

    The bare name if it is in the PATH, else the path as it was typed, else the interpreter with -m.
    """
    started = Path(sys.argv[0])
    if started.name != PROGRAM:
        return f"{_shown(Path(sys.executable))} -m {PROGRAM}"
    found = shutil.which(PROGRAM)
    return PROGRAM if found is not None and Path(found).resolve() == started.resolve() else _shown(started)


def with_flag(flags: str) -> str:
    """Return the flags as a person types them: unchanged, or in make's ARGS if a Makefile's target runs the program."""
    return f'ARGS="{flags}"' if os.environ.get(_MAKE_VARIABLE) else flags


def add_extra(extra: str) -> str:
    """Return the command that installs the packages of an extra, with the extra's name."""
    if (Path(sys.prefix) / _IMAGE_MARK).exists():
        return f"docker build --build-arg EXTRAS={extra} --tag {PROGRAM} . (in the checkout from which the image was built)"
    packages = " ".join(shlex.quote(package) for package in packages_of(extra))
    return f"{_installer()} {packages} (the extra {extra})"


def packages_of(extra: str) -> list[str]:
    """Return the requirements of an extra, such as `nats-py>=2.9`; the extra itself if they are not known."""
    name = extra.replace("_", "-")
    matches = (_EXTRA_REQUIREMENT.match(requirement) for requirement in metadata.requires(PROGRAM) or ())
    return [match["package"] for match in matches if match and match["extra"].replace("_", "-") == name] or [
        f"{PROGRAM}[{extra}]"
    ]


def _installer() -> str:
    """Return the command that installs further packages: pipx, uv, or the interpreter's own pip."""
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
    """Return the path, relative to the working directory if possible, quoted for a shell."""
    try:
        relative = path.absolute().relative_to(Path.cwd())
    except (OSError, ValueError):
        return shlex.quote(str(path))
    return shlex.quote(str(relative) if os.sep in str(relative) else f".{os.sep}{relative}")
