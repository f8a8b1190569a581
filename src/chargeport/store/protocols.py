"""The store as the rest sees it: one object with a small protocol for each need.

Every method is a coroutine so that a database behind a socket can implement it; SQLite's key reads finish without suspending.
Lists are paged by number, changes by position. Instants are milliseconds since the epoch.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

from chargeport.attempts import FailedAttempts
from chargeport.signals.definition import Signal
from chargeport.signals.freshness import Freshness
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import Entry
from chargeport.store.access import Access, Connect
from chargeport.store.audit import Audit
from chargeport.store.command_log import CommandLog
from chargeport.store.issues import Issues
from chargeport.store.notes import KeyValue
from chargeport.store.records import (
    Change,
    Erased,
    Forgotten,
    Outcome,
    Page,
    Run,
    RunStart,
    Selection,
    Stretch,
    Vehicle,
    VehicleSeries,
    WriteListener,
)
from chargeport.store.retention_policy import Horizon, Hour, Policy, Progress
from chargeport.store.sessions import Sessions
from chargeport.store.sign_in import SignIn
from chargeport.store.webhooks import Webhooks


class Readings(Protocol):
    """Signals in, latest values out."""

    def on_written(self, listener: WriteListener) -> None:
        """Have a function called with the entries and outcomes of each `write` of this process, once they are on disk."""
        ...

    @property
    def freshness(self) -> Freshness:
        """For how long the states that it returns are valid. In memory only."""
        ...

    def set_freshness(self, freshness: Freshness) -> None:
        """Set for how long states are valid from now on. Nothing that is stored changes."""
        ...

    @property
    def ranks(self) -> Ranks:
        """Which sources readers prefer. In memory only."""
        ...

    def set_ranks(self, ranks: Ranks) -> None:
        """Have readers prefer sources as this says from now on. Nothing that is stored changes."""
        ...

    async def sources(self) -> list[str]:
        """Return the names of all sources that ever reported, the derived values' too, by name."""
        ...

    async def write(self, entries: Sequence[Entry], only_for: str | None = None) -> list[Outcome]:
        """Store entries and say, in their order, what became of each; returns when they are on disk.

        Each goes to the series of its vehicle, signal and source; no series has any effect on another one. All of one call is
        stored, or none of it. Any order of arrival and any repetition lead to the same state: latest is the newest by
        `observed_at`; of two values observed at the same instant the greater one counts. With `only_for`
        (a client id), vehicles that this application has no writing connection to are refused.
        """
        ...

    async def signal(self, vehicle_id: str, signal: Signal) -> VehicleSeries | None:
        """Return the car with the series of one signal and, unless that always lasts, those of charging and of the cable.

        None when there is no such car. A source that never reported the signal has no state.
        """
        ...

    async def signals(self, vehicle_id: str) -> VehicleSeries | None:
        """Return the car with all its series; None when there is no such car."""
        ...

    async def signals_of(self, vehicle_ids: Sequence[str]) -> dict[str, VehicleSeries]:
        """Return what `signals` returns of each of these cars, by id; those that do not exist are left out.

        For a page of cars: a database behind a socket is asked once.
        """
        ...

    async def cars_observed_since(self, since_at: int, after: int, limit: int) -> tuple[list[str], int | None]:
        """Return the ids of cars with a live value observed since then, and where the next part begins; None: that was all.

        Looks through `limit` cars behind the place `after`; the first part begins behind 0.
        """
        ...

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the stored changes that follow a position, oldest first. The feed that streams and webhooks resume from."""
        ...

    async def position(self) -> int:
        """Return how far the feed has come: whatever is stored later gets a greater position. 0 in a new store."""
        ...

    async def forget(
        self, source: str, vehicle_id: str | None = None, from_at: int | None = None, to_at: int | None = None
    ) -> Forgotten:
        """Erase what a source reported, of one car or of all, observed from `from_at` on and before `to_at`; return how much.

        With its hours (those that the bounds cut go whole), its reported sessions, its issues, and what was derived in the time
        in which it reported. Latest values become the newest of what is left. Other sources' series stay as they are: they are
        what their readings alone would have given. `Sessions.erased_since` returns it to the derivation. Done car by car:
        after a StoreError do it again. `Vehicles.wipe` sees to what is left in the database's free space.
        """
        ...

    def sightings(self, selection: Selection) -> AsyncGenerator[Stretch, None]:
        """Return what was reported, as it is at one instant, by vehicle id, signal code, source and time.

        Of a series, what is valid at an instant comes first. Derived values are left out: they follow from the others. Writing
        all that is given into an empty store leads to the same latest values and the same changes.
        """
        ...


class History(Protocol):
    """What each source reported, by time of observation. A source that has no series of a signal has an empty history of it.

    At one instant the greater value counts; the lesser is no part of history.
    """

    async def history(
        self,
        vehicle_id: str,
        signal: Signal,
        from_at: int | None = None,
        to_at: int | None = None,
        *,
        source: str,
        after: RunStart | None = None,
        limit: int,
    ) -> list[Run]:
        """Return the changes of a series observed in [from_at, to_at), oldest first, each whole up to the next.

        `after` continues behind a run that was given before: none that was there already comes twice or is left out, whatever
        was stored in the meantime.
        """
        ...

    async def pieces(
        self, vehicle_id: str, series: Sequence[tuple[Signal, str]], from_at: int, to_at: int, *, limit: int, every: bool
    ) -> list[list[Run]]:
        """Return the runs of series of a car, given by signal and source, as they are stored at one instant.

        Of each series first the run that held just before `from_at`, then up to `limit` that begin in [from_at, to_at). A run
        that lasts is stored in several pieces, one behind the other. `every`: with all their sightings.
        """
        ...

    async def sources_of(self, vehicle_id: str, signal: Signal) -> list[str]:
        """Return the names of the sources that have a series of the signal; none when there is no such car."""
        ...

    async def series_at(self, vehicle_id: str, at: int) -> VehicleSeries | None:
        """Return the car with what each source had reported of its signals by an instant, by their clocks.

        A value has the time of its last sighting until then, and counts as not received before that. An absence
        that a value had overtaken is left out. None when there is no such car. Where only hours are stored,
        a series that changed in the hour of `at` after it is left out, too: what it was just then is not known any more.
        """
        ...

    async def horizon(self, vehicle_id: str, signal: Signal) -> Horizon | None:
        """Return since when the signal's runs are whole; None when nothing was folded into hours, or there is no such car.

        `history`, `pieces` and `sightings` may still give single runs that are older, and each of them is true.
        """
        ...

    async def hours(self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, source: str, limit: int) -> list[Hour]:
        """Return a series' newest hour that began before that of `from_at`, then up to `limit` that begin before `to_at`.

        An hour in which nothing was reported and no live value was valid is left out: what was known before stays.
        """
        ...


class Retention(Protocol):
    """Making history coarse as it grows old."""

    async def fold(self, policy: Policy, now: int, after: int = 0) -> Progress:
        """Fold a little of what is older than the policy says; returns when that is on disk. `after` comes from the last step.

        Any step may be the last for now: what is folded stays right, and the next round continues.
        """
        ...


class Vehicles(Protocol):
    """The cars."""

    async def add_vehicle(self, vehicle: Vehicle) -> None:
        """Make a car known. Raises ConflictError when one of its names is taken."""
        ...

    async def update_vehicle(self, vehicle: Vehicle) -> None:
        """Give a known car other facts and names; its data stay. Raises ConflictError, NotFoundError."""
        ...

    async def vehicle(self, vehicle_id: str) -> Vehicle | None:
        """Return one car by its id."""
        ...

    async def find_vehicle(self, reference: str, writable_by: str | None = None) -> Vehicle | None:
        """Return one car by any of its names: id, VIN or alias; where an application is named, if it may write to it."""
        ...

    async def ids_of(self, references: Sequence[str]) -> dict[str, str]:
        """Return the ids of the cars with these names, by name; other tasks run meanwhile, however many there are."""
        ...

    async def vehicles(
        self, page: Page, connected_to: str | None = None, *, user_uuid: str | None = None, not_ended_by: str | None = None
    ) -> tuple[list[Vehicle], int]:
        """Return a page of the cars, by id, and how many there are; with `connected_to`, of this application's connections.

        `not_ended_by` leaves out those with which this application ended its own connection.
        """
        ...

    async def vehicles_after(
        self,
        after: str,
        limit: int,
        connected_to: str | None = None,
        *,
        user_uuid: str | None = None,
        not_ended_by: str | None = None,
    ) -> list[Vehicle]:
        """Return the next cars behind an id ("" for the first), by id, of those that `vehicles` lists with these arguments.

        So any number of them is gone through at the same cost a part, and none comes twice or is left out, whatever comes or
        goes meanwhile.
        """
        ...

    async def visibility(self) -> int:
        """Return a number that is another one whenever a vehicle, a connection or what was ended has changed, came or went."""
        ...

    async def remove_vehicle(self, vehicle_id: str) -> Erased | None:
        """Erase a car with everything that was ever stored of it, and return how much that was; None when there is none."""
        ...

    async def rows_of(self, vehicle_id: str) -> dict[str, list[dict[str, Any]]]:
        """Return all rows that `remove_vehicle` would erase, by table, but for readings, names, connections and hashes."""
        ...

    async def wipe(self) -> bool:
        """Leave nothing of what was erased in the database's free space; return False when a reader prevents it."""
        ...


class Store(Protocol):
    """Everything that is stored, by subject."""

    @property
    def readings(self) -> Readings:
        """Signals in, latest values and changes out."""
        ...

    @property
    def history(self) -> History:
        """Signals by time of observation."""
        ...

    @property
    def retention(self) -> Retention:
        """Making history coarse."""
        ...

    @property
    def vehicles(self) -> Vehicles:
        """The vehicles and their names."""
        ...

    @property
    def access(self) -> Access:
        """Applications, tokens and connections."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Charging sessions, and what people changed about them."""
        ...

    @property
    def commands(self) -> CommandLog:
        """The commands to vehicles, with what came of them."""
        ...

    @property
    def issues(self) -> Issues:
        """What could not be understood."""
        ...

    @property
    def connect(self) -> Connect:
        """Redirects, codes and refresh tokens of applications."""
        ...

    @property
    def sign_in(self) -> SignIn:
        """Who may sign in to the page."""
        ...

    @property
    def notes(self) -> KeyValue:
        """Small texts that sources and workers keep over a restart."""
        ...

    @property
    def audit(self) -> Audit:
        """Who did what."""
        ...

    @property
    def attempts(self) -> FailedAttempts:
        """How often somebody failed to prove who they are."""
        ...

    @property
    def webhooks(self) -> Webhooks:
        """Webhooks, and the outbox of their events."""
        ...

    async def ping(self, *, writes: bool = True) -> None:
        """Return when the store answers reads and, where asked, takes writes; raises StoreError otherwise."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of the database."""
        ...
