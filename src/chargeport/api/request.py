"""A request in the form in which routes receive it, and the context of all routes."""

from collections import Counter
from typing import NamedTuple, Protocol

import msgspec
from starlette.requests import Request as StarletteRequest

from chargeport.api.access import Access
from chargeport.api.body_budget import BodyBudget
from chargeport.api.consents import Consents
from chargeport.api.cursors import Positions
from chargeport.api.downloads import Downloads
from chargeport.api.fleet import Fleet
from chargeport.api.guesses import Guesses
from chargeport.api.rate_limits import Allowance
from chargeport.api.reads import Reads
from chargeport.api.sign_in import SignIn
from chargeport.api.tail import Tail
from chargeport.clock import Clock
from chargeport.derivation.sessions import SessionDeriver
from chargeport.derivation.worker import Derivation
from chargeport.errors import ACCESS_DENIED, PERMISSION, Problem
from chargeport.ingest.pipeline import Pipeline
from chargeport.runtime.commands import Commands
from chargeport.settings import Settings
from chargeport.signals.definition import READS, Permission
from chargeport.simulation.control import Simulation
from chargeport.store.audit import Actor, act_as
from chargeport.store.protocols import Store
from chargeport.store.records import Grant
from chargeport.store.webhooks import Webhook
from chargeport.tls import client_names


class Verification(Protocol):
    """The outcome of the verification of a receiver: an HTTP status, and the error of its answer (None: no error)."""

    @property
    def status(self) -> int | None:
        """The HTTP status; None without an answer."""
        ...

    @property
    def error(self) -> str | None:
        """The error; None if the receiver has proved that it has the key."""
        ...


class WebhookControl(Protocol):
    """The part of `webhooks.service.WebhookService` that routes use."""

    @property
    def counts(self) -> Counter[str]:
        """Attempts since the start, by outcome."""
        ...

    def verify_soon(self, webhook_id: str) -> None:
        """Verify a webhook in the background; retry until it succeeds."""
        ...

    async def verify(self, webhook: Webhook) -> Verification:
        """Verify a webhook once, now."""
        ...

    def compare(self, webhook_id: str) -> None:
        """Compare all vehicles of a webhook with the states that it was sent."""
        ...

    def wake(self) -> None:
        """Read the outbox now."""
        ...

    def check_uri(self, uri: str, *, allow_private: bool) -> str | None:
        """Return the error of the URI of a receiver; None if it may be used."""
        ...


class AppContext(msgspec.Struct, frozen=True):
    """The objects that routes use. Created once, in `service`."""

    store: Store
    access: Access
    reads: Reads
    clock: Clock
    settings: Settings
    tail: Tail
    positions: Positions
    pipeline: Pipeline
    webhooks: WebhookControl
    sign_in: SignIn
    consents: Consents
    fleet: Fleet
    sessions: SessionDeriver
    commands: Commands
    derivation: Derivation
    simulation: Simulation | None = None
    downloads: Downloads = msgspec.field(default_factory=Downloads)


class Caller(NamedTuple):
    """The caller before authentication: address, counter of wrong credentials, and allowance of the rate limit."""

    address: str
    guesses: Guesses
    bodies: BodyBudget
    allowance: Allowance


class Request:
    """One request with its parsed parts, and the id and base URL of its answer."""

    def __init__(self, raw: StarletteRequest, context: AppContext, request_id: str, base: str, caller: Caller) -> None:
        self.caller = caller
        self.is_authorized = False
        """Whether the request has a valid token."""
        self.raw = raw
        self.context = context
        self.request_id = request_id
        self.base = base

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query's parameters in their order."""
        return tuple(self.raw.query_params.multi_items())

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.raw.path_params[name])

    def header(self, name: bytes) -> bytes | None:
        """Return a header's value: the last one if the header is repeated, as in the fast path."""
        found = None
        for key, value in self.raw.scope["headers"]:
            if key == name:
                found = value
        return found

    @property
    def user_id(self) -> str | None:
        """The user in the header `sc-user-id`."""
        value = self.header(b"sc-user-id")
        return None if value is None else value.decode("latin-1")

    async def grant(self) -> Grant:
        """Return the caller's grant. The first call counts for the application's rate limit. Raises Problem (401, 429)."""
        grant = await self.context.access.grant(self.header(b"authorization"))
        if not self.is_authorized:
            self.is_authorized = True
            self.context.access.counts.requests[grant.client_id] += 1
            who = grant.client_id if grant.person is None else f"user:{grant.person}"
            act_as(Actor(who, self.caller.address, self.context.clock.now))
            self.caller.allowance.take(grant.client_id)
        return grant

    async def client(self) -> Grant:
        """Return the caller's grant, unless its token is that of a consent or a share link. Raises Problem (401, 403)."""
        grant = await self.grant()
        if grant.user_uuid is not None:
            raise Problem(
                ACCESS_DENIED, "A token that came of a person's consent or a share link reads its vehicles and nothing else."
            )
        return grant

    def _check_certificate(self) -> None:
        """Raise Problem (403) unless the client sent a certificate of our authority."""
        if not client_names(self.raw.scope):
            raise Problem(
                ACCESS_DENIED, "Readings are taken from clients with a certificate: show one of server.tls_client_ca."
            )

    async def allowed(self, permission: Permission) -> Grant:
        """Return the caller's grant, if it has this permission; a person's token only to read. Raises Problem (401, 403)."""
        grant = await (self.grant() if permission in READS else self.client())
        if permission not in grant.permissions:
            raise Problem(PERMISSION, f"This needs the permission {permission}, which the application does not have.")
        if permission is Permission.WRITE_READINGS and self.context.settings.ingest.client_certificate:
            self._check_certificate()
        return grant
