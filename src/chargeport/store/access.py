"""The store's part about applications: tokens, connections, consents. Secrets arrive hashed. See `store.protocols.Store`."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from chargeport.signals.definition import Permission
from chargeport.store.records import Application, Connection, Grant, Page


class Access(Protocol):
    """Applications, their tokens and their connections. Secrets arrive hashed."""

    async def add_application(self, application: Application, secret_hash: bytes) -> None:
        """Make an application known."""
        ...

    async def application(self, client_id: str) -> tuple[Application, bytes] | None:
        """Return an application with the hash of its secret."""
        ...

    async def applications(self) -> list[Application]:
        """Return all applications, the revoked ones too, oldest first."""
        ...

    async def rotate_secret(self, client_id: str, secret_hash: bytes, management_token: str) -> bool:
        """Give an application new secrets and end its tokens; False when it is unknown or revoked."""
        ...

    async def rotate_management_token(self, client_id: str, management_token: str, previous_until: int) -> bool:
        """Give an application a new management token; the one before stays valid until then. False as `rotate_secret`."""
        ...

    async def encrypt_anew(self, *, stale_only: bool = False) -> int:
        """Encrypt the management tokens with the first key; with `stale_only`, those not encrypted yet; return how many."""
        ...

    async def revoke_application(self, client_id: str, at: int) -> bool:
        """End an application and its tokens; False when it is unknown or revoked already."""
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
        """Keep a token by its hash, and of its application the newest `most`; tokens that expired an hour before `now` go.

        With `user_uuid` it is good for this user's vehicles alone. `person` is who uses it, where that is known.
        """
        ...

    async def expire_tokens(self, at: int, client_id: str | None = None) -> int:
        """Let the tokens of an application (None: of all) expire at this instant; how many that were."""
        ...

    async def grant(self, token_hash: bytes) -> Grant | None:
        """Return the grant of a token; None when it is unknown or its application revoked. It may have expired."""
        ...

    async def add_connection(self, connection: Connection) -> Connection:
        """Connect; an existing connection of the same three gets the new permissions and keeps its id."""
        ...

    async def connection(self, client_id: str, vehicle_id: str, user_uuid: str | None = None) -> Connection | None:
        """Return the connection of an application to a car; the oldest, unless a user is named by UUID."""
        ...

    async def connections_with(
        self, client_id: str, vehicle_ids: Sequence[str], user_uuid: str | None = None
    ) -> dict[str, Connection]:
        """Return what `connection` returns of each of these cars, by the car's id; those without are left out."""
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
        """Return a page of the connections that fit, newest first, and how many there are.

        With `every`, the application has a connection of its own with each vehicle that it has none with otherwise, except
        where it ended that: `user_id` is then the client id, `id` the vehicle's, and `every` the permissions.
        """
        ...

    async def end_connections(self, client_id: str, vehicle_ids: Sequence[str] | None, at: int) -> int:
        """End the application's own connections with these vehicles (None: with all there are); how many that were."""
        ...

    async def ended_among(self, client_id: str, vehicle_ids: Sequence[str]) -> frozenset[str]:
        """Return those of these vehicles with which the application ended its own connection."""
        ...

    async def connection_by_id(
        self, connection_id: str, client_id: str | None = None, user_uuid: str | None = None
    ) -> Connection | None:
        """Return one connection; where named, if it is of this application and of this user. Another's costs what none does."""
        ...

    async def remove_connection(self, connection_id: str) -> bool:
        """End a connection; False when there is none."""
        ...


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
        """Return the consent of a code or a refresh token, which may be expired or used."""
        ...

    async def exchange(self, secret_hash: bytes, token_hash: bytes, refresh_hash: bytes, refresh: Consent) -> bool:
        """Use a code or refresh token up for an access token and a new refresh token.

        False where it was used before: everything of its family ends then, for somebody else may have it.
        """
        ...
