"""Authentication of callers, and their permissions on vehicles."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from chargeport.api.access_counts import AccessCounts
from chargeport.api.guesses import TOKEN, WrongCredentialError
from chargeport.clock import Clock
from chargeport.errors import UNAUTHORIZED, VEHICLE_NOT_FOUND, Problem
from chargeport.settings import LimitSettings
from chargeport.signals.definition import Permission
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Grant, user_uuid_of

TOKEN_LIFE_S: Final = 3600
TRUST_MS: Final = 1000  # how long a checked token is cached: a revoked one ends within a second
MAX_REMEMBERED: Final = 10_000
MAX_TOKEN: Final = 512

_SCHEME: Final = b"bearer "
_NO_HASH: Final = bytes(32)

_NOTHING: Final[frozenset[Permission]] = frozenset()


def new_secret(prefix: str) -> str:
    """Return a secret of 256 random bits, with a prefix that names its purpose (and lets scanners find leaked ones)."""
    return prefix + secrets.token_urlsafe(32)


def hashed(secret: str | bytes) -> bytes:
    """Return the digest of a secret, which is stored. Secrets are long and random, so a plain digest can't be reversed."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()


class Access:
    """Checks bearer tokens and client secrets, and computes the permissions on a car."""

    def __init__(self, store: Store, clock: Clock, most_tokens: int = LimitSettings().tokens_by_application) -> None:
        self._store = store
        self._most_tokens = most_tokens
        self._clock = clock
        self._remembered: dict[bytes | None, tuple[Grant, int]] = {}
        self.counts = AccessCounts(store, clock)

    def remembered(self, authorization: bytes | None, now: int) -> Grant | None:
        """Return the grant of an Authorization header that was looked up a moment ago; None where it has to be looked up."""
        found = self._remembered.get(authorization)
        if found is None or not 0 <= now - found[1] < TRUST_MS or found[0].expires_at <= now:
            return None
        return found[0]

    async def grant(self, authorization: bytes | None) -> Grant:
        """Return the grant of the Authorization header. Raises Problem (401)."""
        now = self._clock.now()
        grant = self.remembered(authorization, now)
        if grant is not None:
            return grant
        if authorization is None:
            raise Problem(UNAUTHORIZED, "The Authorization header is missing: send Bearer and a token of POST /oauth2/token.")
        grant = await self._look_up(authorization)
        if grant.expires_at <= now:
            raise Problem(UNAUTHORIZED, "The token has expired: get a new one from POST /oauth2/token.")
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[authorization] = (grant, now)
        return grant

    async def _look_up(self, authorization: bytes) -> Grant:
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise Problem(UNAUTHORIZED, "The Authorization header is not of the form Bearer TOKEN.")
        token = authorization[len(_SCHEME) :].strip()
        if not token or len(authorization) > len(_SCHEME) + MAX_TOKEN:  # the header is remembered whole
            raise Problem(UNAUTHORIZED, f"A token has 1 to {MAX_TOKEN} characters.")
        grant = await self._store.access.grant(hashed(token))
        if grant is None:
            self._remembered.pop(authorization, None)
            unknown = "The token is not known: get a new one from POST /oauth2/token."
            raise WrongCredentialError(unknown, TOKEN, f"a token whose SHA-256 begins with {hashed(token).hex()[:12]}")
        return grant

    def forget(self, client_id: str) -> None:
        """Remove the application's tokens from the cache: its permissions have changed."""
        for header in [header for header, (grant, _) in self._remembered.items() if grant.client_id == client_id]:
            del self._remembered[header]

    async def expire_tokens(self, client_id: str | None = None) -> int:
        """Revoke the tokens of an application (None: of all); return their number."""
        self._remembered.clear()
        return await self._store.access.expire_tokens(self._clock.now(), client_id)

    async def permissions(self, grant: Grant, vehicle_id: str, user_id: str | None) -> frozenset[Permission]:
        """Return the permissions of the application on a car. Raises Problem (404) if it may not see the car.

        An application with access to every vehicle needs no connection, unless the request names a user other than its own:
        then the user's connection decides. It also decides for a token that was issued after that user's consent.
        """
        if user_id is None and grant.sees_all:
            return grant.permissions
        allowed = (await self.permissions_on(grant, (vehicle_id,), user_id)).get(vehicle_id)
        if allowed is None:
            raise Problem(VEHICLE_NOT_FOUND, _unseen(grant, user_id))
        return allowed

    async def permissions_on(
        self, grant: Grant, vehicle_ids: Sequence[str], user_id: str | None
    ) -> dict[str, frozenset[Permission]]:
        """Return the permissions of the application on each of these cars, by id; cars that it may not see are left out."""
        if not _is_of_user(grant, user_id):
            return {}
        if not _needs_connection(grant, user_id):
            ended = await self._store.access.ended_among(grant.client_id, vehicle_ids) if grant.has_ended else ()
            return {vehicle_id: grant.permissions for vehicle_id in vehicle_ids if vehicle_id not in ended}
        found = await self._store.access.connections_with(grant.client_id, vehicle_ids, _user(grant, user_id))
        return {vehicle_id: grant.permissions & connection.permissions for vehicle_id, connection in found.items()}

    async def sign_in(self, client_id: str, client_secret: str) -> Application | None:
        """Return the application if the secret is its own. Takes the same time whether the id or the secret is wrong."""
        found = await self._store.access.application(client_id)
        expected = _NO_HASH if found is None else found[1]
        right = hmac.compare_digest(hashed(client_secret), expected)
        if found is None or not right or found[0].revoked_at is not None:
            return None
        return found[0]

    async def register(
        self, name: str, permissions: frozenset[Permission], *, connected_only: bool = False
    ) -> tuple[Application, str]:
        """Register an application; return it and its secret, of which only the hash is stored."""
        application = Application(
            client_id=f"client_{uuid.uuid4()}", name=name, permissions=permissions, connected_only=connected_only,
            management_token=new_secret("cpm_"), created_at=self._clock.now(),
        )  # fmt: skip
        secret = new_secret("cps_")
        await self._store.access.add_application(application, hashed(secret))
        return application, secret

    async def rotate(self, client_id: str) -> tuple[str, str] | None:
        """Replace the secret and management token of an application and end its tokens; return None if unknown or revoked."""
        secret, management_token = new_secret("cps_"), new_secret("cpm_")
        done = await self._store.access.rotate_secret(client_id, hashed(secret), management_token)
        return (secret, management_token) if done else None

    async def rotate_management_token(self, client_id: str, overlap_s: float) -> tuple[str, int] | None:
        """Replace the management token; return it and until when webhooks may be checked with the old one; None as `rotate`."""
        token, until = new_secret("cpm_"), self._clock.now() + round(overlap_s * 1000)
        done = await self._store.access.rotate_management_token(client_id, token, until)
        return (token, until) if done else None

    async def issue_token(
        self,
        application: Application,
        life_s: int = TOKEN_LIFE_S,
        *,
        user_uuid: str | None = None,
        person: str | None = None,
    ) -> str:
        """Issue a bearer token that is valid for `life_s` seconds; with `user_uuid` only for this user's vehicles.

        `person` is the user who is signed in to the page that requests the token.
        """
        token = new_secret("cpt_")
        now = self._clock.now()
        expires_at = now + life_s * 1000
        await self._store.access.add_token(
            hashed(token), application.client_id, expires_at,
            user_uuid=user_uuid, person=person, now=now, most=self._most_tokens,
        )  # fmt: skip
        return token


def _user(grant: Grant, user_id: str | None) -> str | None:
    """Return the UUID of the user whose vehicles are requested; None if the request names no user."""
    return grant.user_uuid if user_id is None else user_uuid_of(user_id)


def _is_of_user(grant: Grant, user_id: str | None) -> bool:
    """Return whether a token may read this user's vehicles: one that was issued after a consent is for that user only."""
    return grant.user_uuid in (None, _user(grant, user_id))


def _needs_connection(grant: Grant, user_id: str | None) -> bool:
    return grant.connected_only or _user(grant, user_id) not in (None, user_uuid_of(grant.client_id))


def _unseen(grant: Grant, user_id: str | None) -> str:
    """Return why an application may not see a car."""
    if not _is_of_user(grant, user_id):
        return "The token came of another user's consent than the one in sc-user-id."
    if not _needs_connection(grant, user_id):
        return "The application ended its connection with the vehicle of this id."
    of_user = "" if user_id is None else " of the user in sc-user-id"
    return f"No vehicle with this id is connected to the application{of_user}."


class Permits:
    """Permissions on cars as of the newest known commit: a commit calls `forget`."""

    def __init__(self, access: Access, store: Store) -> None:
        self._access = access
        self._store = store
        self._known: dict[tuple[str, str | None, str, str | None], frozenset[Permission]] = {}
        self._there: dict[str, bool] = {}

    def forget(self) -> None:
        """Discard the cache: a connection may have been created, changed or deleted, or a car erased."""
        self._known.clear()
        self._there.clear()

    async def is_there(self, vehicle_id: str) -> bool:
        """Return whether the car exists, that is, was not erased."""
        found = self._there.get(vehicle_id)
        if found is None:
            found = self._there[vehicle_id] = await self._store.vehicles.vehicle(vehicle_id) is not None
        return found

    async def of(self, grant: Grant, vehicle_id: str, user_id: str | None) -> frozenset[Permission]:
        """Return the permissions of the application (for this user) on the car; none if it may not see the car."""
        if user_id is None and grant.sees_all:
            return grant.permissions
        key = (grant.client_id, grant.user_uuid, vehicle_id, user_id)
        found = self._known.get(key)
        if found is None:
            try:
                found = await self._access.permissions(grant, vehicle_id, user_id)
            except Problem:
                found = _NOTHING
            self._known[key] = found
        return found
