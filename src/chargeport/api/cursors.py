"""Cursors (the end of a page of a list, as an opaque text), and positions of the feed, sealed for one application.

Cursors stay valid whatever is stored in the meantime. The feed numbers the changes of all cars. As plain numbers, two positions
would reveal the number of changes in between. Sealing encrypts a position: the same position has a different text each time,
and only the application to which it was sent can use it. The key is generated once for a database and stored there, so that
streams can resume after a restart, and at every process.
"""

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple

from chargeport.errors import MALFORMED, Problem
from chargeport.store.notes import KeyValue
from chargeport.store.records import RunStart

NAME: Final = "page[cursor]"

_MAX: Final = 112
PATTERN: Final = f"^[A-Za-z0-9_-]{{2,{_MAX}}}$"
"""The format of a cursor. Only the server can check whether one is valid."""
_CHANGE: Final = re.compile(r"c([0-9]{1,15})\.([0-9]{1,18})")
_SEALED: Final = re.compile(r"s([0-9]{1,15})\.([\w=-]{1,48})")
_BUCKET: Final = re.compile(r"b([0-9]{1,15})")
_VEHICLE: Final = re.compile(r"v([!-~]{1,64})")
_BEGUN: Final = re.compile(r"r([0-9]{1,15})\.([!-~]{1,64})")

_OWNER: Final = "api"
_KEY: Final = "key of positions"
_NONCE: Final = 8
_MAX_ALIKE: Final = 4096
_POSITION: Final = 8
_TAG: Final = 8
_LENGTH: Final = 32  # characters of 24 bytes


class Begun(NamedTuple):
    """The session after which a page continues, of sessions sorted by vehicle and start."""

    vehicle_id: str
    started_at: int


def of_change(run: RunStart) -> str:
    """Return the cursor after a change.

    >>> of_change(RunStart(1777629598000, 7))
    'YzE3Nzc2Mjk1OTgwMDAuNw'
    """
    return _packed(f"c{run.observed_at}.{run.position}")


def change(cursor: str) -> RunStart:
    """Return the change of a cursor. Raises Problem (400)."""
    found = _matched(_CHANGE, cursor)
    return RunStart(int(found[1]), int(found[2]))


def sealed(cursor: str, seal: Callable[[int], str]) -> str:
    """Return the cursor as it is sent to clients: the position of a change, which is internal to the server, is sealed."""
    found = _CHANGE.fullmatch(_unpacked(cursor))
    return cursor if found is None else _packed(f"s{found[1]}.{seal(int(found[2]))}")


def opened(cursor: str, unseal: Callable[[str], int | None]) -> str:
    """Return the cursor that `sealed` was called with. Raises Problem (400)."""
    found = _SEALED.fullmatch(_unpacked(cursor))
    if found is None:
        bucket(cursor)  # has no position; raises for an invalid cursor
        return cursor
    position = unseal(found[2])
    if position is None:
        raise unknown(cursor)
    return of_change(RunStart(int(found[1]), position))


def of_bucket(start: int) -> str:
    """Return the cursor before the bucket that begins at an instant."""
    return _packed(f"b{start}")


def bucket(cursor: str) -> int:
    """Return the start of the bucket of a cursor. Raises Problem (400)."""
    return int(_matched(_BUCKET, cursor)[1])


def of_vehicle(vehicle_id: str) -> str:
    """Return the cursor after a vehicle in the order of ids."""
    return _packed(f"v{vehicle_id}")


def vehicle(cursor: str) -> str:
    """Return the vehicle's id of a cursor. Raises Problem (400)."""
    return _matched(_VEHICLE, cursor)[1]


def of_begun(last: Begun) -> str:
    """Return the cursor after the sessions of a vehicle that began at an instant or before."""
    return _packed(f"r{last.started_at}.{last.vehicle_id}")


def begun(cursor: str) -> Begun:
    """Return the session of a cursor. Raises Problem (400)."""
    found = _matched(_BEGUN, cursor)
    return Begun(found[2], int(found[1]))


def unknown(cursor: str) -> Problem:
    """Return the error for an invalid cursor of a list."""
    return Problem(
        MALFORMED, f"{NAME}: {cursor[:40]!r} is no cursor of this list: follow links.next, or leave it out to begin again."
    )


def _matched(form: re.Pattern[str], cursor: str) -> re.Match[str]:
    found = form.fullmatch(_unpacked(cursor))
    if found is None:
        raise unknown(cursor)
    return found


def _packed(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(cursor: str) -> str:
    if len(cursor) > _MAX:
        raise unknown(cursor)
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return urlsafe_b64decode(padded.encode("ascii")).decode("ascii")
    except (UnicodeError, Error):
        raise unknown(cursor) from None


class Positions:
    """Seal and open positions. Call `load` first."""

    def __init__(self, notes: KeyValue) -> None:
        self._notes = notes
        self._key = b""
        self._alike = lru_cache(_MAX_ALIKE)(self._sealed_alike)  # all streams of an application send the newest position

    async def load(self) -> None:
        """Load the key, or generate one if there is none. Raises StoreError."""
        if not self._key:
            stored = await self._notes.recall(_OWNER, _KEY)
            self._key = bytes.fromhex(stored or await self._notes.remember_first(_OWNER, _KEY, secrets.token_hex(32)))

    def seal(self, position: int, client_id: str, *, always_alike: bool = False) -> str:
        """Seal a position for this application.

        `always_alike` returns the same text for the same position. It is used for an answer with an ETag, and for the event of
        a change, which is the same on each stream of the application: it reveals only whether two positions are equal. A
        heartbeat needs a different text each time: else it would show whether vehicles changed that the application may
        not see.
        """
        return (
            self._alike(position, client_id) if always_alike else self._sealed(position, client_id, secrets.token_bytes(_NONCE))
        )

    def _sealed_alike(self, position: int, client_id: str) -> str:
        message = position.to_bytes(_POSITION) + client_id.encode()
        return self._sealed(position, client_id, blake2b(message, key=self._key, digest_size=_NONCE).digest())

    def _sealed(self, position: int, client_id: str, nonce: bytes) -> str:
        mask = self._mask(nonce, client_id)
        hidden = (position ^ int.from_bytes(mask[:_POSITION])).to_bytes(_POSITION)
        return urlsafe_b64encode(nonce + hidden + self._tag(mask, hidden)).decode()

    def open(self, text: str, client_id: str) -> int | None:
        """Return the position that was sealed for this application; None for any other text."""
        if len(text) != _LENGTH:
            return None
        try:
            raw = urlsafe_b64decode(text.encode("ascii"))
        except (UnicodeError, Error):
            return None
        nonce, hidden, tag = raw[:_NONCE], raw[_NONCE:-_TAG], raw[-_TAG:]
        mask = self._mask(nonce, client_id)
        if not compare_digest(tag, self._tag(mask, hidden)):
            return None
        return int.from_bytes(hidden) ^ int.from_bytes(mask[:_POSITION])

    def _mask(self, nonce: bytes, client_id: str) -> bytes:
        return blake2b(nonce + client_id.encode(), key=self._key, digest_size=32).digest()

    def _tag(self, mask: bytes, hidden: bytes) -> bytes:
        return blake2b(hidden, key=mask, digest_size=_TAG).digest()
