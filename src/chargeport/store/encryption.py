"""Encryption at rest of secrets that are used again, such as the keys of webhooks. All others are stored as hashes.

The keys come from the environment or a file, and are never in the database. The first one encrypts, every one decrypts, so
that a key can be replaced while the server runs: put the new one in front, encrypt again, then remove the old one.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from chargeport.errors import SettingError, StoreError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

MIN_KEY: Final = 32  # characters: 128 bits in hex
_ENCRYPTED: Final = "enc1:"
_PERSON: Final = b"chargeport/rest"


class Encryption:
    """Encrypts and decrypts texts. Without keys it leaves them unchanged."""

    def __init__(self, keys: Callable[[], str | None] = lambda: None) -> None:
        """Prepare the encryption. `keys` returns the present keys, separated by white space. Raises SettingError."""
        self._keys = keys
        self._loaded = self._load()

    @property
    def is_on(self) -> bool:
        """Whether there is a key."""
        return self._loaded is not None

    def is_encrypted(self, stored: str) -> bool:
        """Return whether this was stored encrypted, with whichever key."""
        return stored.startswith(_ENCRYPTED)

    def encrypt(self, secret: str) -> str:
        """Encrypt a secret with the first key, as there is one now."""
        self._loaded = self._load()
        return secret if self._loaded is None else _ENCRYPTED + self._loaded.encrypt(secret.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """Return the stored secret. Raises StoreError where no key fits."""
        if not self.is_encrypted(stored):
            return stored
        from cryptography.fernet import InvalidToken

        for again in (False, True):  # the key may have been replaced since
            if again:
                self._loaded = self._load()
            if self._loaded is not None:
                try:
                    return self._loaded.decrypt(stored.removeprefix(_ENCRYPTED)).decode()
                except InvalidToken:
                    continue
        raise StoreError("Secrets in the database are encrypted with another key: name that one, too, in database.key.")

    def _load(self) -> "MultiFernet | None":
        texts = (self._keys() or "").split()
        if not texts:
            return None
        if any(len(text) < MIN_KEY for text in texts):
            raise SettingError(f"database.key: a key has {MIN_KEY} characters at least, such as of openssl rand -hex 32.")
        from cryptography.fernet import Fernet, MultiFernet

        digests = (hashlib.blake2b(text.encode(), digest_size=32, person=_PERSON).digest() for text in texts)
        return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
