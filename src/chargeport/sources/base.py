"""What every source has in common: what it hands over, how it fails, and the protocol it runs by.

A source knows no signal. It hands over what it received, unchanged; a dialect gives it meaning. A transport hands
over a `Delivery`, bytes and an address; a source that knows fields already (the simulator) hands over a `RawMessage`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from chargeport.attempts import FailedAttempts, LocalAttempts
from chargeport.clock import Clock


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a transport received, byte for byte, with where it came from.

    `topic` is its address there (an MQTT topic, a Kafka topic, an OCPP action; "" where there is none). `vehicle` and
    `observed_at` are given where the transport itself knows them. `retained`: a broker kept it, so its age is unknown.
    `headers` are the transport's own, with names in small letters. Instants are milliseconds since the epoch.
    """

    source: str
    dialect: str
    payload: bytes
    received_at: int
    topic: str = ""
    vehicle: str | None = None
    observed_at: int | None = None
    retained: bool = False
    headers: Mapping[str, str] = {}


REFUSED: Final = "chargeport-refused"
"""The header of a delivery that is not to be read but kept as an issue; its value says why."""


class RawMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a source said of one car, in its own words.

    `vehicle` is the name the source knows the car by (an id, a VIN, an alias); `fields` maps the source's own field names to
    its own values, where {"value": …, "unit": …} is a value with its unit; `observed_at` is the car's clock (None: unknown, so
    ours holds), `received_at` ours. `retained`: said at an unknown time before `received_at`.
    """

    source: str
    dialect: str
    vehicle: str
    fields: Mapping[str, Any]
    received_at: int
    observed_at: int | None = None
    retained: bool = False


Emit = Callable[[Sequence[RawMessage | Delivery]], Awaitable[None]]
"""Passes on what was received; returns when what it means is on disk, so a source may then acknowledge.

Raises StoreError when it could not be stored: then it must not be acknowledged."""


class Cause(StrEnum):
    """Why a source does not work, as far as somebody can do something about it."""

    CONFIGURATION = "configuration"  # a setting is wrong or missing: mend it and start again
    AUTHENTICATION = "authentication"  # the other side does not take who we say we are
    QUOTA = "quota"  # the other side has had enough requests for now
    UNREACHABLE = "unreachable"  # nobody answers there
    PROTOCOL = "protocol changed"  # the answers there have an unknown form


class SourceError(Exception):
    """A source can't go on. `cause` tells what kind of thing to do, the text is one sentence that names it.

    `retry_after_s`: the other side asked to be left alone for so long.
    """

    def __init__(self, cause: Cause, sentence: str, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.cause = cause
        self.retry_after_s = retry_after_s


class Source(Protocol):
    """Something that receives messages about cars until it is cancelled."""

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        ...

    async def run(self, emit: Emit) -> None:
        """Receive and pass on until cancelled; acknowledge upstream only after `emit` has returned. Raises SourceError.

        It reconnects by being run again: whoever runs it waits in between, longer each time.
        """
        ...


@runtime_checkable
class Mounted(Protocol):
    """A source that others connect to, by a websocket on the server's own port."""

    @property
    def path(self) -> str:
        """Where the web server mounts it; `{name}` stands for one part."""
        ...

    async def connect(self, websocket: Any, *, over_tls: bool | None, certified: Sequence[str]) -> None:
        """Serve a connection until it ends.

        `over_tls`: whether nobody could read it on its way here, None if unknown; `certified`: the names in its certificate.
        """
        ...


@runtime_checkable
class MountedElsewhere(Protocol):
    """A mounted source that also answers connections to paths that nothing is mounted at, such as a mistyped one."""

    async def connect_elsewhere(self, websocket: Any, *, over_tls: bool | None, certified: Sequence[str]) -> None:
        """Serve such a connection, as `Mounted.connect`, or refuse it."""
        ...


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a car or its station is to do. `kind` is Smartcar's word for it, such as charge-start.

    `names` are all that the car goes by: its id, VIN and aliases. `parameters` are as they were sent; `seconds_left` is how
    long charging takes until the limit that is to be set, where that can be told.
    """

    kind: str
    names: frozenset[str]
    parameters: Mapping[str, Any] = {}
    seconds_left: float | None = None


class CommandError(Exception):
    """A command was not obeyed: a type and code of Smartcar's errors, and one sentence."""

    def __init__(self, type_: str, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.type = type_
        self.code = code


class Done(StrEnum):
    """What came of a command that was taken."""

    OBEYED = "SUCCESS"  # it is so now
    TAKEN = "PENDING"  # the other side has promised it; whether it happens, the signals tell


@runtime_checkable
class Commandable(Protocol):
    """A source that can have a car, or the station it is at, do something."""

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        ...

    async def command(self, command: Command) -> Done | None:
        """Carry out a command; return None where this source can't do it to this car. Raises CommandError where it fails."""
        ...


class Memory(Protocol):
    """What a source has to remember over a restart: small texts by key, on disk when `put` returns."""

    async def get(self, key: str) -> str | None:
        """Return what was put last; None when nothing was."""
        ...

    async def put(self, key: str, value: str | None) -> None:
        """Store a value, or delete it with None."""
        ...


class StationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a station is that connects to a source: connected, or refused with the way out. Instants are by our clock.

    `clock_offset_ms` is how far the station's clock is ahead of ours, where that is known.
    """

    name: str
    is_connected: bool = False
    version: str | None = None
    since_at: int | None = None
    clock_offset_ms: int | None = None
    refusals: int = 0
    refused_at: int | None = None
    refused_because: str | None = None


class StatusReporter(Protocol):
    """Where a running source says how it is, for `source list`."""

    def connected(self) -> None:
        """Report that the connection is up; what follows is received."""
        ...

    def lag(self, behind: int) -> None:
        """Report how many messages wait on the other side."""
        ...

    def station(self, status: StationStatus) -> None:
        """Report the status of a station that connects to the source."""
        ...


Charging = Callable[[str], Awaitable[bool]]
"""Whether a car, by any of its names, charges at this moment, as far as is known."""


Refused = Callable[[str, str], None]


class SourceContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a source is given beside its own settings.

    `topics` are the addresses that its dialect has, as MQTT writes filters. `vehicle` is the car that all of it is about, if
    the settings name one.
    """

    name: str
    dialect: str
    clock: Clock
    memory: Memory
    status: StatusReporter
    charging: Charging
    topics: tuple[str, ...] = ()
    vehicle: str | None = None
    refused: Refused = lambda _credential, _address: None
    """To be called with each credential that was wrong, in words without it, and the address that it came from."""
    attempts: FailedAttempts = msgspec.field(default_factory=LocalAttempts)
    """Counts them, under keys that begin with the source's name."""


class SourceType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of source that settings can name: `type = "mqtt"`. What the entry-point group `chargeport.sources` holds.

    `settings` is the table that it takes beside name, type, dialect, topics and vehicle; `build` makes a source of it and may
    raise SourceError. `dialect` is the one that is used unless the settings name another.
    """

    name: str
    summary: str
    settings: type[msgspec.Struct]
    build: Callable[[Any, SourceContext], Source]
    dialect: str | None = None
