"""The frames of SQLite's log (`-wal`) in the file, to detect when recovery dropped some of them.

After a crash SQLite reads the log's frames up to the first one whose checksum is wrong, and does not report those that follow.
The format is described at sqlite.org/walformat.html. A log has a header of 32 bytes, then frames: 24 bytes and a page each.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

_HEADER: Final = struct.Struct(">8I")  # magic, version, page size, checkpoint number, two salts, two checksums
_FRAME: Final = struct.Struct(">4I")  # page, pages of the database after a commit (else 0), two salts
_FRAME_HEADER_BYTES: Final = 24
_MAGICS: Final = {0x377F0682: "<", 0x377F0683: ">"}  # the byte order of the checksums


class LogFrames(NamedTuple):
    """The contents of a log: its salts, and how many frames there are up to the last one that ends a transaction."""

    salts: tuple[int, int]
    committed: int


def logged(database: Path) -> LogFrames:
    """Return the contents of the log next to a database, by its frames' salts; nothing without a log.

    The checksums of frames are not checked. All frames count where the header itself is damaged.
    """
    log = Path(f"{database}-wal")
    try:
        with log.open("rb") as file:
            return _read(file)
    except FileNotFoundError:
        return LogFrames((0, 0), 0)


def is_whole(database: Path, frames: int) -> bool:
    """Return whether the checksums of the first `frames` frames of the log are correct, so that none of them is dropped.

    Takes a third of a millisecond per frame: called only if SQLite has found fewer, as it also does while another process
    restarts the log.
    """
    with Path(f"{database}-wal").open("rb") as file:
        header = file.read(_HEADER.size)
        magic, _, page_size, _, *rest = _HEADER.unpack(header)
        order = _MAGICS.get(magic)
        if order is None or _checksum(header[:24], order) != tuple(rest[2:]):
            return False
        sums = rest[2], rest[3]
        for _ in range(frames):
            frame = file.read(_FRAME_HEADER_BYTES + page_size)
            if len(frame) < _FRAME_HEADER_BYTES + page_size:
                return False
            sums = _checksum(frame[:8] + frame[_FRAME_HEADER_BYTES:], order, sums)
            if sums != struct.unpack(">2I", frame[16:24]):
                return False
    return True


def _read(file: BinaryIO) -> LogFrames:
    text = file.read(_HEADER.size)
    if len(text) < _HEADER.size:
        return LogFrames((0, 0), 0)
    magic, _, page_size, _, *salts_and_sums = _HEADER.unpack(text)
    salts = salts_and_sums[0], salts_and_sums[1]
    is_sound = magic in _MAGICS and _checksum(text[:24], _MAGICS[magic]) == tuple(salts_and_sums[2:])
    if not is_sound:
        return LogFrames(salts, _count(file, None, page_size))
    return LogFrames(salts, _count(file, salts, page_size))


def _count(file: BinaryIO, salts: tuple[int, int] | None, page_size: int) -> int:
    """Return how many frames there are up to the last one that ends a transaction, with these salts (None: any)."""
    committed = 0
    whole = (os.fstat(file.fileno()).st_size - _HEADER.size) // (_FRAME_HEADER_BYTES + page_size)
    for number in range(1, whole + 1):
        _, pages, *found = _FRAME.unpack(file.read(_FRAME.size))
        if salts is not None and tuple(found) != salts:
            break
        if pages:
            committed = number
        file.seek(_FRAME_HEADER_BYTES - _FRAME.size + page_size, os.SEEK_CUR)
    return committed


def _checksum(text: bytes, order: str, sums: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Return the log's running checksum of a text whose length is a multiple of 8, continued from `sums`."""
    first, second = sums
    for left, right in struct.iter_unpack(f"{order}2I", text):
        first = (first + left + second) & 0xFFFF_FFFF
        second = (second + right + first) & 0xFFFF_FFFF
    return first, second
