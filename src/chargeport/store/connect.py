"""What the store keeps of consents: where people are sent back to, codes and refresh tokens. Secrets arrive hashed."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """A code (with `redirect_uri`) or a refresh token (without). All of one `family` come from one consent of a person."""

    family: str
    client_id: str
    expires_at: int
    user_uuid: str | None = None
    redirect_uri: str | None = None
    challenge: str | None = None


class Connect(Protocol):
    """Redirects, codes and refresh tokens of applications."""

    async def add_redirects(self, client_id: str, uris: Sequence[str]) -> None:
        """Let people be sent back to these addresses."""
        ...

    async def remove_redirects(self, client_id: str, uris: Sequence[str]) -> None:
        """Let nobody be sent back to these addresses any more."""
        ...

    async def redirects(self, client_id: str) -> list[str]:
        """Return the addresses that an application registered."""
        ...

    async def add_consent(self, secret_hash: bytes, consent: Consent, now: int) -> None:
        """Keep a code. Those that are over are forgotten."""
        ...

    async def consent(self, secret_hash: bytes) -> Consent | None:
        """Return what a code or a refresh token stands for. It may be over, or used."""
        ...

    async def exchange(self, secret_hash: bytes, token_hash: bytes, refresh_hash: bytes, refresh: Consent) -> bool:
        """Use a code or refresh token up for an access token and a new refresh token.

        False where it was used before: everything of its family ends then, for somebody else may have it.
        """
        ...
