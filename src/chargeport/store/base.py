"""The store as the rest sees it: a few small protocols, split by need, and the records that cross them.

Every method is a coroutine so that a database behind a socket can implement it; SQLite's key reads finish without suspending.
Lists are paged by number, changes by position. Instants are milliseconds since the epoch.
"""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from chargeport.signals.definition import Permission, Signal, Value
from chargeport.signals.reading import AbsenceReason, Entry, Issue
from chargeport.signals.state import State


class Outcome(StrEnum):
    """What became of one entry. All but the last two are on disk."""

    ACCEPTED = "accepted"  # it is the latest now
    SUPERSEDED = "superseded"  # stored in history; a newer one is the latest
    UNCHANGED = "unchanged"  # confirms what was known
    UNKNOWN_VEHICLE = "unknown_vehicle"
    NOT_PERMITTED = "not_permitted"


class Vehicle(msgspec.Struct, frozen=True, kw_only=True):
    """A car. `id` is what clients call it; `vin` and `aliases` are what sources may call it. What nobody told is None."""

    id: str
    make: str | None = None
    model: str | None = None
    year: int | None = None
    vin: str | None = None
    powertrain: str | None = None
    mode: str = "live"
    aliases: tuple[str, ...] = ()
    created_at: int = 0


class VehicleStates(msgspec.Struct, frozen=True):
    """A car and what is known of its signals, by signal key."""

    vehicle: Vehicle
    states: dict[int, State]


class Change(msgspec.Struct, frozen=True):
    """One stored change: from `observed_at` on, the signal had this value, or none for this reason."""

    position: int
    vehicle_id: str
    signal: Signal
    observed_at: int
    received_at: int
    source: str
    value: Value | None = None
    absence: AbsenceReason | None = None


class Run(msgspec.Struct, frozen=True):
    """A value, or why there was none, from when to when it was seen with nothing else between.

    `received_at` and `source` belong to its first sighting. `sightings` are all of them, where they were asked for.
    """

    observed_at: int
    last_seen_at: int
    received_at: int
    source: str
    position: int
    value: Value | None = None
    absence: AbsenceReason | None = None
    sightings: Sequence[int] = ()


class Place(NamedTuple):
    """A place in the history of a signal: where the run with this first instant and position begins."""

    observed_at: int
    position: int


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A client of the API. `connected_only` limits it to the vehicles that it has a connection to."""

    client_id: str
    name: str
    permissions: frozenset[Permission]
    connected_only: bool = False
    management_token: str = ""
    created_at: int = 0
    revoked_at: int | None = None


class Grant(msgspec.Struct, frozen=True):
    """What a bearer token stands for, until when."""

    client_id: str
    permissions: frozenset[Permission]
    connected_only: bool
    expires_at: int


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """An application may read a user's vehicle, with these permissions."""

    id: str
    client_id: str
    user_id: str
    vehicle: Vehicle
    permissions: frozenset[Permission]
    created_at: int


class IssueCount(msgspec.Struct, frozen=True):
    """An issue that was met `count` times, as it was met last."""

    issue: Issue
    count: int
    first_at: int


class Page(msgspec.Struct, frozen=True):
    """Which part of a list: `number` counts from 1."""

    number: int = 1
    size: int = 10

    @property
    def offset(self) -> int:
        """How many entries come before it."""
        return (self.number - 1) * self.size


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which sightings: of these cars and signals (None: all), observed from `start` on and before `end`.

    Of a run the first and the last one within these bounds, or `every` one.
    """

    vehicle_ids: frozenset[str] | None = None
    signals: frozenset[Signal] | None = None
    start: int | None = None
    end: int | None = None
    every: bool = False


class Sighting(msgspec.Struct, frozen=True):
    """A value, or the reason why there was none, at one instant.

    When and from whom it was heard is kept for the first instant of a run and for the newest; else both are None.
    """

    vehicle_id: str
    signal: Signal
    observed_at: int
    value: Value | None
    absence: AbsenceReason | None
    received_at: int | None
    source: str | None


class Stretch(msgspec.Struct, frozen=True):
    """Sightings that follow each other, and which share of all (0 to 1) was read when they were."""

    sightings: list[Sighting]
    share: float


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """How much was erased with a car: values that held, runs of history, connections, names, issues that told of it."""

    latest: int
    history: int
    connections: int
    names: int
    issues: int


class Readings(Protocol):
    """Signals in, latest values out."""

    async def write(self, entries: Sequence[Entry], only_for: str | None = None) -> list[Outcome]:
        """Store entries and say, in their order, what became of each; returns when they are on disk.

        All of one call is stored, or none of it. Any order of arrival and any repetition lead to the same state: latest is the
        newest by `observed_at`; of two values observed at the same instant the greater one holds. With `only_for`
        (a client id), vehicles that this application has no writing connection to are refused.
        """
        ...

    async def signal(self, vehicle_id: str, signal: Signal) -> VehicleStates | None:
        """The car with the state of one signal, and of charge-ischarging beside it; None when there is no such car."""
        ...

    async def signals(self, vehicle_id: str) -> VehicleStates | None:
        """The car with all that is known of it; None when there is no such car."""
        ...

    async def changes(self, after: int, limit: int) -> list[Change]:
        """The stored changes that follow a position, oldest first. The feed that streams and webhooks resume from."""
        ...

    async def position(self) -> int:
        """How far the feed has come: whatever is stored later gets a greater position. 0 in a new store."""
        ...

    def sightings(self, selection: Selection) -> AsyncIterator[Stretch]:
        """What is stored, as it is at one instant, by vehicle id, signal code and time; at one instant what holds first.

        Writing them all into an empty store leads to the same latest values and the same changes.
        """
        ...


class History(Protocol):
    """What was so before, by time of observation. At one instant the greater value holds; the lesser is no part of it."""

    async def history(
        self,
        vehicle_id: str,
        signal: Signal,
        from_at: int | None = None,
        to_at: int | None = None,
        *,
        after: Place | None = None,
        limit: int,
    ) -> list[Run]:
        """The changes of a signal observed from `from_at` on and before `to_at`, oldest first, each whole up to the next.

        `after` goes on behind a run that was given before: none that was there already comes twice or is left out, whatever
        was stored in the meantime.
        """
        ...

    async def pieces(self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, limit: int, every: bool) -> list[Run]:
        """The run that held just before `from_at`, then up to `limit` that begin in [from_at, to_at), as they are stored.

        A run that lasts is stored in several pieces, one behind the other. `every`: with all their sightings.
        """
        ...

    async def states_at(self, vehicle_id: str, at: int) -> VehicleStates | None:
        """The car with what was known of it at an instant, so that `standing(state, charging, at)` tells what was true.

        A value has the time of its last sighting until then, and is said not to have been received before that. An absence
        that a value had overtaken is left out. None when there is no such car.
        """
        ...


class Vehicles(Protocol):
    """The cars."""

    async def add_vehicle(self, vehicle: Vehicle) -> None:
        """Make a car known. Raises ConflictError when one of its names is taken."""
        ...

    async def vehicle(self, vehicle_id: str) -> Vehicle | None:
        """One car by its id."""
        ...

    async def find_vehicle(self, reference: str) -> Vehicle | None:
        """One car by any of its names: id, VIN or alias."""
        ...

    async def vehicles(self, page: Page, connected_to: str | None = None) -> tuple[list[Vehicle], int]:
        """A page of the cars, by id, and how many there are; with `connected_to`, of this application's connections."""
        ...

    async def remove_vehicle(self, vehicle_id: str) -> Erased | None:
        """Erase a car with everything that was ever stored of it, and say how much that was; None when there is none."""
        ...

    async def wipe(self) -> bool:
        """Have nothing left of what was erased in the database's free space; False when a reader keeps it from being so."""
        ...


class Access(Protocol):
    """Applications, their tokens and their connections. Secrets arrive hashed."""

    async def add_application(self, application: Application, secret_hash: bytes) -> None:
        """Make an application known."""
        ...

    async def application(self, client_id: str) -> tuple[Application, bytes] | None:
        """An application with the hash of its secret."""
        ...

    async def applications(self) -> list[Application]:
        """All applications, the revoked ones too, oldest first."""
        ...

    async def rotate_secret(self, client_id: str, secret_hash: bytes, management_token: str) -> bool:
        """Give an application new secrets and end its tokens; False when it is unknown or revoked."""
        ...

    async def revoke_application(self, client_id: str, at: int) -> bool:
        """End an application and its tokens; False when it is unknown or revoked already."""
        ...

    async def add_token(self, token_hash: bytes, client_id: str, expires_at: int) -> None:
        """Remember a token by its hash."""
        ...

    async def grant(self, token_hash: bytes) -> Grant | None:
        """What a token stands for; None when it is unknown or its application revoked. It may have expired."""
        ...

    async def add_connection(self, connection: Connection) -> Connection:
        """Connect; an existing connection of the same three gets the new permissions and keeps its id."""
        ...

    async def connection(self, client_id: str, vehicle_id: str, user_id: str | None = None) -> Connection | None:
        """The connection of an application to a car; the oldest, unless a user is named."""
        ...

    async def connections(
        self,
        page: Page,
        client_id: str | None = None,
        *,
        user_id: str | None = None,
        vehicle_id: str | None = None,
        mode: str | None = None,
    ) -> tuple[list[Connection], int]:
        """A page of the connections that fit, newest first, and how many there are."""
        ...

    async def connection_by_id(self, connection_id: str) -> Connection | None:
        """One connection."""
        ...

    async def remove_connection(self, connection_id: str) -> bool:
        """End a connection; False when there is none."""
        ...


class Issues(Protocol):
    """What could not be understood."""

    async def add_issues(self, issues: Sequence[Issue]) -> None:
        """Keep issues; one of the same source, vehicle, subject and detail is counted, with its newest message."""
        ...

    async def issues(self, page: Page) -> tuple[list[IssueCount], int]:
        """A page of the issues, newest first, and how many different ones there are."""
        ...


class Store(Readings, History, Vehicles, Access, Issues, Protocol):
    """Everything that is kept."""

    async def ping(self) -> None:
        """Return when the store answers reads and takes writes; raises StoreError otherwise."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of the database."""
        ...
