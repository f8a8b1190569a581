"""Positions of the feed as clients see them: sealed, so that they say nothing of what other applications' cars do.

The feed numbers the changes of all cars. As plain numbers, two positions would say how much happened in between, and a position
that moved on that something did. Sealed, the same position looks different each time, and only the application that it was sent
to can hand it back. The key is made once for a database and kept there: streams resume after a restart, and at every process.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from chargeport.store.notes import KeyValue

_OWNER: Final = "api"
_KEY: Final = "key of positions"
_NONCE: Final = 8
_POSITION: Final = 8
_TAG: Final = 8
_LENGTH: Final = 32  # characters of 24 bytes


class Positions:
    """Seals and opens positions. `load` comes first."""

    def __init__(self, notes: KeyValue) -> None:
        self._notes = notes
        self._key = b""

    async def load(self) -> None:
        """Load the key, or make one if there is none. Raises StoreError."""
        if not self._key:
            kept = await self._notes.recall(_OWNER, _KEY)
            self._key = bytes.fromhex(kept or await self._notes.remember_first(_OWNER, _KEY, secrets.token_hex(32)))

    def seal(self, position: int, client_id: str, *, always_alike: bool = False) -> str:
        """Seal a position for this application.

        `always_alike` is for an answer with an ETag: it tells of two positions whether they are the same, and no more.
        """
        message = position.to_bytes(_POSITION) + client_id.encode()
        nonce = blake2b(message, key=self._key, digest_size=_NONCE).digest() if always_alike else secrets.token_bytes(_NONCE)
        mask = self._mask(nonce, client_id)
        hidden = (position ^ int.from_bytes(mask[:_POSITION])).to_bytes(_POSITION)
        return urlsafe_b64encode(nonce + hidden + self._tag(mask, hidden)).decode()

    def open(self, text: str, client_id: str) -> int | None:
        """Return the position that was sealed for this application; None where none was."""
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
