"""Authorization codes and refresh tokens after a person's consent (RFC 6749 and 7636, with the restrictions of OAuth 2.1)."""

import base64
import hashlib
import hmac
import re
import uuid
from typing import Final

import msgspec

from chargeport.api.access import Access, hashed, new_secret
from chargeport.clock import Clock
from chargeport.store.access import Consent
from chargeport.store.protocols import Store
from chargeport.store.records import Application

CODE_MS: Final = 10 * 60_000
REFRESH_MS: Final = 60 * 86_400_000
VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # of S256, the only method


class ConsentError(Exception):
    """A code or refresh token is not valid; the text is the reason."""


class Consents:
    """Issue codes, and exchange them for tokens."""

    def __init__(self, store: Store, access: Access, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._clock = clock

    async def code(self, client_id: str, redirect_uri: str, challenge: str | None, user_uuid: str) -> str:
        """Issue a code for this user's vehicles that can be used once, within ten minutes."""
        secret, now = new_secret("cpc_"), self._clock.now()
        consent = Consent(
            family=str(uuid.uuid4()),
            client_id=client_id,
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=now + CODE_MS,
            user_uuid=user_uuid,
        )
        await self._store.connect.add_consent(hashed(secret), consent, now)
        return secret

    async def by_code(
        self, application: Application, code: str, redirect_uri: str | None, verifier: str | None
    ) -> tuple[str, str]:
        """Exchange a code for an access token and a refresh token. Raises ConsentError."""
        consent = await self._known(application, code)
        if consent.redirect_uri is None:
            raise ConsentError("This is a refresh token, not a code.")
        if redirect_uri is not None and redirect_uri != consent.redirect_uri:
            raise ConsentError("redirect_uri is not the one that the code was sent to.")
        _check_verifier(consent.challenge, verifier)
        return await self._exchanged(application, code, consent)

    async def by_refresh_token(self, application: Application, token: str) -> tuple[str, str]:
        """Exchange a refresh token for an access token and the next refresh token. Raises ConsentError."""
        consent = await self._known(application, token)
        if consent.redirect_uri is not None:
            raise ConsentError("This is a code, not a refresh token.")
        return await self._exchanged(application, token, consent)

    async def _known(self, application: Application, secret: str) -> Consent:
        consent = await self._store.connect.consent(hashed(secret))
        if consent is None or consent.client_id != application.client_id or consent.expires_at <= self._clock.now():
            raise ConsentError("It is not known, too old, or another application's: send the person through Connect again.")
        return consent

    async def _exchanged(self, application: Application, secret: str, consent: Consent) -> tuple[str, str]:
        token = await self._access.issue_token(application, user_uuid=consent.user_uuid)
        refresh_token, expires_at = new_secret("cpr_"), self._clock.now() + REFRESH_MS
        refresh = msgspec.structs.replace(consent, redirect_uri=None, challenge=None, expires_at=expires_at)
        if not await self._store.connect.exchange(hashed(secret), hashed(token), hashed(refresh_token), refresh):
            self._access.forget(application.client_id)
            raise ConsentError(
                "It was used before, so everything that came of it has ended: send the person through Connect again."
            )
        return token, refresh_token


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    """Raise ConsentError unless the challenge is the hash of the verifier."""
    if challenge is None:
        if verifier is not None:
            raise ConsentError("code_verifier was sent, but the code was asked for without code_challenge.")
        return
    if verifier is None:
        raise ConsentError("code_verifier is missing: the code was asked for with code_challenge.")
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if VERIFIER.fullmatch(verifier) is None or not hmac.compare_digest(made, challenge):
        raise ConsentError("code_verifier does not fit code_challenge.")
