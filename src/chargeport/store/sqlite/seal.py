"""The seal of a backup: a last line after the database with the SHA-256 of everything before it.

SQLite detects most damage of a file, but not a flipped bit in a number. It reads the number of pages in the file's header
and ignores what follows, so a sealed backup is still an ordinary database.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

BLOCK: Final = 1 << 20

_WORDS: Final = b"\nchargeport backup sha256 "
_LINE: Final = re.compile(re.escape(_WORDS) + rb"([0-9a-f]{64})\n")
_LENGTH: Final = len(_WORDS) + 65


def seal(file: Path) -> None:
    """Append the seal."""
    line = _WORDS + _digest(file, file.stat().st_size) + b"\n"
    with file.open("ab") as opened:
        opened.write(line)


def is_broken(file: Path) -> bool:
    """Return whether the file has a seal that does not match. One without a seal (a copy made otherwise) has no broken one."""
    before = file.stat().st_size - _LENGTH
    if before <= 0:
        return False
    with file.open("rb") as opened:
        opened.seek(before)
        found = _LINE.fullmatch(opened.read())
    return found is not None and found[1] != _digest(file, before)


def _digest(file: Path, size: int) -> bytes:
    """Return the hash of the first `size` bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while size > 0:
            block = opened.read(min(BLOCK, size))
            if not block:
                break
            digest.update(block)
            size -= len(block)
    return digest.hexdigest().encode()
