"""The records in the store's interface: cars and their states, changes, applications, connections, and parts of lists.

Instants are milliseconds since the epoch.
"""

import re
import uuid
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from chargeport.signals.catalogue import VIN
from chargeport.signals.definition import Permission, Signal, Value
from chargeport.signals.reading import AbsenceReason, Entry, Issue
from chargeport.signals.state import State


class Outcome(StrEnum):
    """The outcome of one entry. All but the last two are on disk."""

    ACCEPTED = "accepted"  # it is the latest now
    SUPERSEDED = "superseded"  # stored in history; a newer one is the latest
    UNCHANGED = "unchanged"  # confirms the known value
    UNKNOWN_VEHICLE = "unknown_vehicle"
    NOT_PERMITTED = "not_permitted"


WriteListener = Callable[[Sequence[Entry], Sequence[Outcome]], None]
"""Called with entries that were written and the outcome of each."""

_VIN: Final = re.compile(r"[A-HJ-NPR-Z0-9]{17}")  # ISO 3779: no I, O, Q


def is_vin(name: str) -> bool:
    """Return whether a name has the form of a vehicle identification number, in upper case."""
    return _VIN.fullmatch(name) is not None


class Vehicle(msgspec.Struct, frozen=True, kw_only=True):
    """A car. `id` is its name for clients; `vin` and `aliases` are its names for sources. Unknown members are None."""

    id: str
    make: str | None = None
    model: str | None = None
    year: int | None = None
    vin: str | None = None
    powertrain: str | None = None
    mode: str = "live"
    aliases: tuple[str, ...] = ()
    created_at: int = 0


class VehicleSeries(msgspec.Struct, frozen=True):
    """A car and the reports of its sources: by signal key, one state for each source, in no particular order."""

    vehicle: Vehicle
    series: dict[int, tuple[State, ...]]

    @property
    def known(self) -> dict[int, tuple[State, ...]]:
        """The series, and for each signal a further one from the car's own facts: these are valid at any time."""
        vin, at = self.vehicle.vin, self.vehicle.created_at
        if vin is None:
            return self.series
        return {**self.series, VIN.key: (*self.series.get(VIN.key, ()), State(VIN, vin, at, at, at))}

    def known_of(self, signal: Signal) -> dict[int, tuple[State, ...]]:
        """Return the states that decide on a signal: nearly always the series alone."""
        return self.known if signal is VIN else self.series


class Named(NamedTuple):
    """Signal and source of a series, whether it is a flag, and for how long a live value of it is valid.

    The number of a series is composed of the keys of the signal and of the source.
    """

    signal: Signal
    source: str
    source_key: int
    is_flag: bool
    live_for_ms: int


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
    rule: str | None = None


class Run(msgspec.Struct, frozen=True):
    """A value that a source reported, or the reason for none, from when to when without anything else from it between.

    `received_at` and `rule` are of its first sighting. `sightings` are all of them, if requested.
    """

    observed_at: int
    last_seen_at: int
    received_at: int
    source: str
    position: int
    value: Value | None = None
    absence: AbsenceReason | None = None
    sightings: Sequence[int] = ()
    rule: str | None = None


class RunStart(NamedTuple):
    """The position of a run in the history of a series: its first instant and its position in the feed."""

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
    previous_token: str | None = None  # the previous management token, valid until `previous_until`
    previous_until: int = 0

    def signing_keys(self, now: int) -> tuple[str, ...]:
        """Return the valid management tokens, the older one first."""
        is_valid = self.previous_token is not None and now < self.previous_until
        return (self.previous_token, self.management_token) if is_valid else (self.management_token,)  # type: ignore[return-value]


class Grant(msgspec.Struct, frozen=True):
    """What a bearer token gives access to, until when.

    `has_ended`: the application sees every vehicle but those to which it ended its connection. A token from a
    person's consent is valid for the connections of `user_uuid` only.
    """

    client_id: str
    permissions: frozenset[Permission]
    connected_only: bool
    expires_at: int
    has_ended: bool = False
    user_uuid: str | None = None
    person: str | None = None  # the user of the page who uses it

    @property
    def sees_all(self) -> bool:
        """Whether the application may see every vehicle, so that no connection need be looked up."""
        return not self.connected_only and not self.has_ended


_USERS: Final = uuid.UUID("5c1f8a5e-6f0e-4c4b-9a43-0f6d7f0c2b11")  # the namespace of users' UUIDs; never changed


def user_uuid_of(name: str) -> str:
    """Return the UUID of a user for clients: the name itself where it is one, else one made from the name.

    >>> user_uuid_of("7D0F5C1E-2A67-4F0B-9F61-0C5D3B1E8A01")
    '7d0f5c1e-2a67-4f0b-9f61-0c5d3b1e8a01'
    """
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return str(uuid.uuid5(_USERS, name))


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """An application may read a user's vehicle, with these permissions. `user_id` is the user's name as a person wrote it."""

    id: str
    client_id: str
    user_id: str
    vehicle: Vehicle
    permissions: frozenset[Permission]
    created_at: int

    @property
    def user_uuid(self) -> str:
        """The user's UUID for clients."""
        return user_uuid_of(self.user_id)

    @property
    def external_id(self) -> str | None:
        """The user's name as a person wrote it; None where it is the UUID, or where the user is the application's own."""
        return None if self.user_id in (self.user_uuid, self.client_id) else self.user_id


class IssueCount(msgspec.Struct, frozen=True):
    """An issue that occurred `count` times, with its last occurrence; `client_id` is the application that sent it, if any."""

    issue: Issue
    count: int
    first_at: int
    client_id: str | None = None


class StoredSession(msgspec.Struct, frozen=True):
    """A charging session; `body` is JSON, which the store does not interpret."""

    started_at: int
    id: str
    is_open: bool
    body: str


class ReportedSession(msgspec.Struct, frozen=True):
    """A session that a source reported under this name, last at `reported_at`; `body` is JSON."""

    source: str
    name: str
    reported_at: int
    started_at: int
    body: str


class DirtyVehicle(msgspec.Struct, frozen=True):
    """A car with new entries; if they concern the requested signals, between which instants of observation."""

    vehicle_id: str
    first_at: int | None
    last_at: int | None


class StoredEdit(msgspec.Struct, frozen=True):
    """An edit of a car's sessions by a person; `body` is JSON."""

    number: int
    made_at: int
    body: str


class StoredMessage(msgspec.Struct, frozen=True):
    """A whole message that could not be read, with its number in the order of receipt, and its sender."""

    id: int
    issue: Issue
    client_id: str | None = None


class Page(msgspec.Struct, frozen=True):
    """A part of a list: `number` counts from 1."""

    number: int = 1
    size: int = 10

    @property
    def offset(self) -> int:
        """How many entries come before it."""
        return (self.number - 1) * self.size


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """A selection of sightings: of these cars and signals (None: all), observed from `start` on and before `end`.

    Of a run the first and the last one within these bounds, or `every` one.
    """

    vehicle_ids: frozenset[str] | None = None
    signals: frozenset[Signal] | None = None
    start: int | None = None
    end: int | None = None
    every: bool = False


class Sighting(msgspec.Struct, frozen=True):
    """A value, or the reason why there was none, at one instant.

    The receipt is stored for the first instant of a run and for the newest of a series; else it is None.
    """

    vehicle_id: str
    signal: Signal
    observed_at: int
    value: Value | None
    absence: AbsenceReason | None
    received_at: int | None
    source: str


class Stretch(msgspec.Struct, frozen=True):
    """Consecutive sightings, and the share of all (0 to 1) that was read when they were."""

    sightings: list[Sighting]
    share: float


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """The erased counts of a source: of vehicles, latest values, runs and hours of history, sessions, issues."""

    vehicles: int = 0
    latest: int = 0
    history: int = 0
    hours: int = 0
    sessions: int = 0
    issues: int = 0

    def plus(self, other: "Forgotten") -> "Forgotten":
        """Return the sums of both."""
        return Forgotten(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class ErasedSpan(msgspec.Struct, frozen=True):
    """Readings of a vehicle that were observed between two instants, both included, were erased."""

    number: int
    vehicle_id: str
    first_at: int
    last_at: int


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of what was erased with a car: values, runs and hours of history, connections, names, issues about it.

    `commands` are those to it, `events` those for webhooks, `audited` the entries of the audit log that named it, `notes` those
    of sources that named it.
    """

    latest: int
    history: int
    connections: int
    names: int
    issues: int
    hours: int = 0
    sessions: int = 0
    edits: int = 0
    events: int = 0
    audited: int = 0
    notes: int = 0
    commands: int = 0
