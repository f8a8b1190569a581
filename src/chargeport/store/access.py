"""The store's part for applications: tokens, connections, consents. Secrets are passed as hashes. See `protocols.Store`."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from chargeport.signals.definition import Permission
from chargeport.store.records import Application, Connection, Grant, Page


class Access(Protocol):
    """Applications, their tokens and their connections. Secrets are passed as hashes."""

    async def add_application(self, application: Application, secret_hash: bytes) -> None:
        """Store a new application."""
        ...

    async def application(self, client_id: str) -> tuple[Application, bytes] | None:
        """Return an application with the hash of its secret."""
        ...

    async def applications(self) -> list[Application]:
        """Return all applications, including revoked ones, oldest first."""
        ...

    async def rotate_secret(self, client_id: str, secret_hash: bytes, management_token: str) -> bool:
        """Set new secrets of an application and end its tokens; return False if it is unknown or revoked."""
        ...

    async def rotate_management_token(self, client_id: str, management_token: str, previous_until: int) -> bool:
        """Set a new management token; the previous one stays valid until then. Return False as `rotate_secret` does."""
        ...

    async def encrypt_anew(self, *, stale_only: bool = False) -> int:
        """Encrypt the management tokens with the first key; with `stale_only`, those not encrypted yet; return how many."""
        ...

    async def revoke_application(self, client_id: str, at: int) -> bool:
        """End an application and its tokens; return False if it is unknown or revoked already."""
        ...

    async def add_token(
        self,
        token_hash: bytes,
        client_id: str,
        expires_at: int,
        *,
        user_uuid: str | None = None,
        person: str | None = None,
        now: int | None = None,
        most: int | None = None,
    ) -> None:
        """Store a token by its hash; of its application keep the newest `most`, and none that expired an hour before `now`.

        With `user_uuid` it is valid for this user's vehicles only. `person` is the user of the token, where that is known.
        """
        ...

    async def expire_tokens(self, at: int, client_id: str | None = None) -> int:
        """Set the tokens of an application (None: of all) to expire at this instant; return their number."""
        ...

    async def grant(self, token_hash: bytes) -> Grant | None:
        """Return the grant of a token; None if it is unknown or its application was revoked. It may have expired."""
        ...

    async def add_connection(self, connection: Connection) -> Connection:
        """Add a connection; an existing one of the same three gets the new permissions and keeps its id."""
        ...

    async def connection(self, client_id: str, vehicle_id: str, user_uuid: str | None = None) -> Connection | None:
        """Return the connection of an application to a car; the oldest one unless a user is given by UUID."""
        ...

    async def connections_with(
        self, client_id: str, vehicle_ids: Sequence[str], user_uuid: str | None = None
    ) -> dict[str, Connection]:
        """Return the connections to these cars as `connection` does, by the car's id; cars without one are left out."""
        ...

    async def may_write(self, client_id: str, vehicle_id: str) -> bool:
        """Return whether the application has a writing connection to a vehicle."""
        ...

    async def connections(
        self,
        page: Page,
        client_id: str | None = None,
        *,
        user_uuid: str | None = None,
        vehicle_id: str | None = None,
        mode: str | None = None,
        every: frozenset[Permission] | None = None,
    ) -> tuple[list[Connection], int]:
        """Return a page of the connections that match, newest first, and their number.

        With `every`, the application has a connection of its own to each vehicle to which it has no other one, except
        where it ended that one: `user_id` is then the client id, `id` the vehicle's, and `every` the permissions.
        """
        ...

    async def end_connections(self, client_id: str, vehicle_ids: Sequence[str] | None, at: int) -> int:
        """End the application's own connections to these vehicles (None: to all); return their number."""
        ...

    async def ended_among(self, client_id: str, vehicle_ids: Sequence[str]) -> frozenset[str]:
        """Return those of these vehicles to which the application ended its own connection."""
        ...

    async def connection_by_id(
        self, connection_id: str, client_id: str | None = None, user_uuid: str | None = None
    ) -> Connection | None:
        """Return one connection; if given, only of this application and this user. One of others takes as long as none."""
        ...

    async def remove_connection(self, connection_id: str) -> bool:
        """End a connection; return False if there is none."""
        ...


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """A code (with `redirect_uri`) or a refresh token (without). All of one `family` derive from one consent of a person."""

    family: str
    client_id: str
    expires_at: int
    user_uuid: str | None = None
    redirect_uri: str | None = None
    challenge: str | None = None


class Connect(Protocol):
    """Redirects, codes and refresh tokens of applications."""

    async def add_redirects(self, client_id: str, uris: Sequence[str]) -> None:
        """Allow redirects of people to these addresses."""
        ...

    async def remove_redirects(self, client_id: str, uris: Sequence[str]) -> None:
        """End the permission for redirects to these addresses."""
        ...

    async def redirects(self, client_id: str) -> list[str]:
        """Return the addresses that an application registered."""
        ...

    async def add_consent(self, secret_hash: bytes, consent: Consent, now: int) -> None:
        """Store a code, and remove expired ones."""
        ...

    async def consent(self, secret_hash: bytes) -> Consent | None:
        """Return the consent of a code or a refresh token, which may be expired or used."""
        ...

    async def exchange(self, secret_hash: bytes, token_hash: bytes, refresh_hash: bytes, refresh: Consent) -> bool:
        """Exchange a code or refresh token for an access token and a new refresh token; it can't be used again.

        Return False if it was used before: everything of its family ends then, because it may have been stolen.
        """
        ...
