"""The audit log: who did what, when and from where. A change of the database is recorded in its own transaction.

No entry has a secret, a VIN or a place: vehicles are named by their ids. Frequent actions (tokens, requests, wrong secrets) are
one entry for each day, with a count. The actor is a context variable, set where requests and commands are received, so that no
caller of the store can omit it.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from enum import StrEnum
from typing import Final, NamedTuple, Protocol, TypeVar

import msgspec

from chargeport.clock import SystemClock
from chargeport.store.records import Page
from chargeport.store.sql import Connection

DAY_MS: Final = 86_400_000
MAX_DETAIL: Final = 200
SERVER: Final = "server"
UNKNOWN: Final = "unknown"

T = TypeVar("T")


class Act(StrEnum):
    """The action of an entry."""

    APPLICATION_CREATED = "application.created"
    APPLICATION_EDITED = "application.edited"
    APPLICATION_REVOKED = "application.revoked"
    SECRETS_RENEWED = "application.secrets_renewed"
    SECRETS_ENCRYPTED = "secrets.encrypted"
    TOKEN_ISSUED = "token.issued"  # noqa: S105  (a name)
    TOKENS_ENDED = "token.ended"
    REQUESTS = "requests"
    CONNECTION_SET = "connection.set"
    CONNECTION_ENDED = "connection.ended"
    CONSENT_GIVEN = "consent.given"
    USER_SET = "user.set"
    USER_ERASED = "user.erased"
    LINK_MADE = "user.link_made"
    SIGNED_IN = "session.begun"
    SESSIONS_ENDED = "session.ended"
    CREDENTIAL_REFUSED = "credential.refused"
    SHARE_CREATED = "share.created"
    SHARE_ENDED = "share.ended"
    VEHICLE_ADDED = "vehicle.added"
    VEHICLE_EDITED = "vehicle.edited"
    VEHICLE_ERASED = "vehicle.erased"
    SOURCE_FORGOTTEN = "source.forgotten"
    RECORD_EDITED = "record.edited"
    ISSUES_REPLAYED = "issues.replayed"
    WEBHOOK_SET = "webhook.set"
    WEBHOOK_REMOVED = "webhook.removed"
    SUBSCRIBED = "webhook.subscribed"
    UNSUBSCRIBED = "webhook.unsubscribed"
    REDELIVERED = "webhook.redelivered"
    COMMAND_SENT = "vehicle.command"
    EXPORTED = "data.exported"
    IMPORTED = "data.imported"
    RESTORED = "database.restored"
    CLOCK_REPAIRED = "clock.repaired"
    SERVER_STARTED = "server.started"


BY_DAY: Final = frozenset({Act.TOKEN_ISSUED, Act.REQUESTS, Act.CREDENTIAL_REFUSED})
"""The actions that are counted by day."""


class Actor(NamedTuple):
    """The actor of an action: `client_…`, `user:NAME`, `shell:NAME` or `server`; its address, and the clock of the entries."""

    name: str
    address: str = ""
    now: Callable[[], int] = SystemClock().now


_ACTING: Final[ContextVar[Actor]] = ContextVar("acting")
_SERVER: Final = Actor(SERVER)


def act_as(actor: Actor) -> None:
    """Set the actor of this task."""
    _ACTING.set(actor)


class acting:  # noqa: N801  (used like a function; one of contextlib takes five times as long, on each request)
    """Set the actor within the block."""

    __slots__ = ("_actor", "_token")

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def __enter__(self) -> None:
        """Set the actor."""
        self._token = _ACTING.set(self._actor)

    def __exit__(self, *_: object) -> None:
        """Set the earlier actor."""
        _ACTING.reset(self._token)


def actor() -> Actor:
    """Return the actor of this task."""
    return _ACTING.get(_SERVER)


class AuditEntry(msgspec.Struct, frozen=True):
    """An entry of the log. If the action is counted by day, `at` is the first time and `last_at` the last."""

    act: Act
    actor: str
    address: str
    subject: str  # the id or name of the object of the action
    detail: str
    at: int
    last_at: int
    count: int = 1
    number: int = 0


class AuditFilter(msgspec.Struct, frozen=True):
    """A selection of entries: those that match every member that is set."""

    act: str | None = None
    actor: str | None = None
    subject: str | None = None
    from_at: int | None = None
    to_at: int | None = None


class Audit(Protocol):
    """The audit log."""

    async def add(self, act: Act, subject: str = "", detail: str = "") -> None:
        """Record an action outside of the database: a file that was written, a command that was sent."""
        ...

    async def count(self, counts: Mapping[tuple[Act, Actor, str], int]) -> None:
        """Add to the counts of the day, by act, actor and subject."""
        ...

    async def entries(self, selection: AuditFilter, page: Page) -> tuple[list[AuditEntry], int]:
        """Return a page of the selected entries, newest first, and their number."""
        ...

    async def prune(self, before_at: int, most: int) -> int:
        """Remove the entries from before an instant, and the oldest beyond `most`; return their number."""
        ...


def recorded(
    act: Act,
    subject: str,
    do: Callable[[Connection], T],
    detail: str | Callable[[T], str] = "",
    *,
    by: str | None = None,
    is_done: Callable[[T], bool] = lambda result: result is not False and result != 0,
) -> Callable[[Connection], T]:
    """Return a function that calls `do` and records it in the same transaction, if `is_done` of its result.

    `detail` may be a function of the result. `by` names the actor if the context does not have it yet.
    """
    who = actor()

    def recording(connection: Connection) -> T:
        result = do(connection)
        if is_done(result):
            record(connection, act, subject, detail if isinstance(detail, str) else detail(result), who=who, by=by)
        return result

    return recording


def record(
    connection: Connection, act: Act, subject: str, detail: str = "", *, who: Actor, by: str | None = None, count: int = 1
) -> None:
    """Write an entry inside a transaction."""
    at = who.now()
    row = (act, by or who.name, who.address, subject, detail[:MAX_DETAIL])
    if act in BY_DAY:
        connection.execute(
            "UPDATE audit SET count = count + ?, last_at = ? WHERE act = ? AND actor = ? AND address = ? AND subject = ?"
            " AND detail = ? AND at >= ?",
            (count, at, *row, at - at % DAY_MS),
        )
        if connection.changes() > 0:
            return
    connection.execute(
        "INSERT INTO audit (act, actor, address, subject, detail, count, at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, count, at, at),
    )


def forget_subject(connection: Connection, subject: str) -> int:
    """Remove the name of an erased object from the log; return the number of its entries."""
    connection.execute("UPDATE audit SET subject = '' WHERE subject = ?", (subject,))
    return connection.changes()
