"""The store's interface: one object with a small protocol for each need.

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
    """Store signals, and read the latest values."""

    def on_written(self, listener: WriteListener) -> None:
        """Register a function to call with the entries and outcomes of each `write` of this process, once they are on disk."""
        ...

    @property
    def freshness(self) -> Freshness:
        """For how long the returned states are valid. In memory only."""
        ...

    def set_freshness(self, freshness: Freshness) -> None:
        """Set for how long states are valid from now on. Stored data does not change."""
        ...

    @property
    def ranks(self) -> Ranks:
        """The precedence of sources for readers. In memory only."""
        ...

    def set_ranks(self, ranks: Ranks) -> None:
        """Set the precedence of sources for readers from now on. Stored data does not change."""
        ...

    async def sources(self) -> list[str]:
        """Return the names of all sources that ever reported, including that of derived values, by name."""
        ...

    async def write(self, entries: Sequence[Entry], only_for: str | None = None) -> list[Outcome]:
        """Store entries and return the outcome of each, in their order; return when they are on disk.

        Each is stored in the series of its vehicle, signal and source; series do not affect each other. All of one call is
        stored, or none of it. Any order of arrival and any repetition lead to the same state: latest is the newest by
        `observed_at`; of two values observed at the same instant the greater one counts. With `only_for`
        (a client id), vehicles to which this application has no writing connection are refused.
        """
        ...

    async def signal(self, vehicle_id: str, signal: Signal) -> VehicleSeries | None:
        """Return the car with the series of one signal and, unless that always lasts, those of charging and of the cable.

        None if there is no such car. A source that never reported the signal has no state.
        """
        ...

    async def signals(self, vehicle_id: str) -> VehicleSeries | None:
        """Return the car with all its series; None if there is no such car."""
        ...

    async def signals_of(self, vehicle_ids: Sequence[str]) -> dict[str, VehicleSeries]:
        """Return these cars as `signals` does, by id; those that do not exist are left out.

        For a page of cars: a database behind a socket gets one request.
        """
        ...

    async def cars_observed_since(self, since_at: int, after: int, limit: int) -> tuple[list[str], int | None]:
        """Return the ids of cars with a live value observed since then, and where the next part begins; None: there is none.

        Reads `limit` cars after the place `after`; the first part begins after 0.
        """
        ...

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the stored changes after a position, oldest first. Streams and webhooks resume from this feed."""
        ...

    async def position(self) -> int:
        """Return the position of the feed: whatever is stored later gets a greater one. 0 in a new store."""
        ...

    async def forget(
        self, source: str, vehicle_id: str | None = None, from_at: int | None = None, to_at: int | None = None
    ) -> Forgotten:
        """Erase what a source reported, of one car or of all, observed from `from_at` on and before `to_at`; return the counts.

        With its hours (those across a bound as a whole), its reported sessions, its issues, and what was derived in the time
        in which it reported. Latest values become the newest remaining ones. Other sources' series do not change: they are
        the result of their readings alone. `Sessions.erased_since` returns it to the derivation. Done car by car:
        after a StoreError call it again. `Vehicles.wipe` removes what remains in the database's free space.
        """
        ...

    def sightings(self, selection: Selection) -> AsyncGenerator[Stretch, None]:
        """Return what was reported, in a snapshot, by vehicle id, signal code, source and time.

        Of a series, the valid entry at an instant comes first. Derived values are left out: they follow from others. Writing
        all of it into an empty store leads to the same latest values and the same changes.
        """
        ...


class History(Protocol):
    """The reports of each source, by time of observation. The history of a source without a series of a signal is empty.

    At one instant the greater value counts; the lesser is not part of history.
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

        `after` continues after a run that was returned before: runs that existed then are not repeated or left out, whatever
        was stored in the meantime.
        """
        ...

    async def pieces(
        self, vehicle_id: str, series: Sequence[tuple[Signal, str]], from_at: int, to_at: int, *, limit: int, every: bool
    ) -> list[list[Run]]:
        """Return the runs of series of a car, given by signal and source, as they are stored at one instant.

        Of each series first the run valid just before `from_at`, then up to `limit` that begin in [from_at, to_at). A run
        that lasts is stored in several consecutive pieces. `every`: with all their sightings.
        """
        ...

    async def sources_of(self, vehicle_id: str, signal: Signal) -> list[str]:
        """Return the names of the sources that have a series of the signal; none if there is no such car."""
        ...

    async def series_at(self, vehicle_id: str, at: int) -> VehicleSeries | None:
        """Return the car with what each source had reported of its signals by an instant, by their clocks.

        A value has the time of its last sighting until then, and counts as not received before that. An absence
        that was followed by a value is left out. None if there is no such car. Where only hours are stored,
        a series that changed in the hour of `at` after it is left out, too: its value then is no longer known.
        """
        ...

    async def horizon(self, vehicle_id: str, signal: Signal) -> Horizon | None:
        """Return since when the signal's runs are complete; None if nothing was folded into hours, or there is no such car.

        `history`, `pieces` and `sightings` may still return single runs that are older, and each of them is correct.
        """
        ...

    async def hours(self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, source: str, limit: int) -> list[Hour]:
        """Return a series' newest hour that began before that of `from_at`, then up to `limit` that begin before `to_at`.

        An hour in which nothing was reported and no live value was valid is left out: the earlier value continues.
        """
        ...


class Retention(Protocol):
    """Folding of history into hours as it gets older."""

    async def fold(self, policy: Policy, now: int, after: int = 0) -> Progress:
        """Fold a part of what is older than the policy states; return when that is on disk. `after` is from the last step.

        Any step may be the last for now: what is folded stays correct, and the next round continues.
        """
        ...


class Vehicles(Protocol):
    """The cars."""

    async def add_vehicle(self, vehicle: Vehicle) -> None:
        """Store a new car. Raises ConflictError if one of its names is taken."""
        ...

    async def update_vehicle(self, vehicle: Vehicle) -> None:
        """Replace the facts and names of a known car; its data stay. Raises ConflictError, NotFoundError."""
        ...

    async def vehicle(self, vehicle_id: str) -> Vehicle | None:
        """Return one car by its id."""
        ...

    async def find_vehicle(self, reference: str, writable_by: str | None = None) -> Vehicle | None:
        """Return one car by any of its names: id, VIN or alias; if an application is given, only if it may write to it."""
        ...

    async def ids_of(self, references: Sequence[str]) -> dict[str, str]:
        """Return the ids of the cars with these names, by name; other tasks run meanwhile, for any number of names."""
        ...

    async def vehicles(
        self, page: Page, connected_to: str | None = None, *, user_uuid: str | None = None, not_ended_by: str | None = None
    ) -> tuple[list[Vehicle], int]:
        """Return a page of the cars, by id, and their number; with `connected_to`, of this application's connections.

        `not_ended_by` leaves out those to which this application ended its own connection.
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
        """Return the next cars after an id ("" for the first), by id, of those that `vehicles` lists with these arguments.

        So any number of them is read at the same cost for each part, and none is repeated or left out, whatever is added or
        removed meanwhile.
        """
        ...

    async def visibility(self) -> int:
        """Return a number that changes whenever a vehicle, a connection or an ended connection is changed, added or removed."""
        ...

    async def remove_vehicle(self, vehicle_id: str) -> Erased | None:
        """Erase a car with everything that was ever stored of it, and return the counts; None if there is none."""
        ...

    async def rows_of(self, vehicle_id: str) -> dict[str, list[dict[str, Any]]]:
        """Return all rows that `remove_vehicle` would erase, by table, except readings, names, connections and hashes."""
        ...

    async def wipe(self) -> bool:
        """Remove everything that was erased from the database's free space; return False when a reader prevents it."""
        ...


class Store(Protocol):
    """Everything that is stored, by subject."""

    @property
    def readings(self) -> Readings:
        """Signals: written, and read as latest values and changes."""
        ...

    @property
    def history(self) -> History:
        """Signals by time of observation."""
        ...

    @property
    def retention(self) -> Retention:
        """Folding of history."""
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
        """Charging sessions, and their edits by people."""
        ...

    @property
    def commands(self) -> CommandLog:
        """The commands to vehicles, with their outcomes."""
        ...

    @property
    def issues(self) -> Issues:
        """Messages that could not be read."""
        ...

    @property
    def connect(self) -> Connect:
        """Redirects, codes and refresh tokens of applications."""
        ...

    @property
    def sign_in(self) -> SignIn:
        """The users of the page."""
        ...

    @property
    def notes(self) -> KeyValue:
        """Small texts that sources and workers store across restarts."""
        ...

    @property
    def audit(self) -> Audit:
        """The audit log."""
        ...

    @property
    def attempts(self) -> FailedAttempts:
        """The counts of failed authentications."""
        ...

    @property
    def webhooks(self) -> Webhooks:
        """Webhooks, and the outbox of their events."""
        ...

    async def ping(self, *, writes: bool = True) -> None:
        """Return when the store answers reads and, if requested, accepts writes; raise StoreError otherwise."""
        ...

    async def close(self) -> None:
        """Finish what is in progress and close the database."""
        ...
