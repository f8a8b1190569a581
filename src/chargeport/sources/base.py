"""The interfaces of sources: their output, their errors and the protocol they implement.

A source does not interpret signals. It emits what it received, unchanged; a dialect interprets it. A transport emits
a `Delivery`, bytes and an address; a source whose fields are decoded already (the simulator) emits a `RawMessage`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from chargeport.attempts import FailedAttempts, LocalAttempts
from chargeport.clock import Clock


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a transport received it, byte for byte, with its origin.

    `topic` is its address in the transport (an MQTT topic, a Kafka topic, an OCPP action; "" without one). `vehicle` and
    `observed_at` are set where the transport provides them. `retained`: a broker stored it, so its age is unknown.
    `headers` are the transport's own, with lower-case names. Instants are milliseconds since the epoch.
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
"""The header of a delivery that must not be interpreted but stored as an issue; its value is the reason."""


BEGINNING: Final = "chargeport-beginning"
"""The header of a delivery that is one of all whose names begin alike; its value is that beginning, as far as it is known."""


class RawMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A report of a source about one car, with the source's own names and values.

    `vehicle` is the source's name for the car (an id, a VIN, an alias); `fields` maps the source's own field names to
    its own values, where {"value": …, "unit": …} is a value with its unit; `observed_at` is the time by the car's clock (None:
    unknown, `received_at` applies), `received_at` the time by ours. `retained`: sent at an unknown time before `received_at`.
    """

    source: str
    dialect: str
    vehicle: str
    fields: Mapping[str, Any]
    received_at: int
    observed_at: int | None = None
    retained: bool = False


Emit = Callable[[Sequence[RawMessage | Delivery]], Awaitable[None]]
"""Pass on what was received; return when its content is on disk, so that a source may then acknowledge it.

Raises StoreError when it could not be stored: then it must not be acknowledged."""


class Cause(StrEnum):
    """Why a source does not work, by the kind of action that it requires."""

    CONFIGURATION = "configuration"  # a setting is wrong or missing: correct it and restart
    AUTHENTICATION = "authentication"  # the other side rejects our credentials
    QUOTA = "quota"  # the other side accepts no more requests for now
    UNREACHABLE = "unreachable"  # no answer from that address
    PROTOCOL = "protocol changed"  # the answers there have an unknown form


class SourceError(Exception):
    """A source can't continue. `cause` is the kind of action required, the text is one sentence that describes the error.

    `retry_after_s`: the other side requires no request for this long.
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

        It reconnects by being run again: the caller of `run` waits in between, longer each time.
        """
        ...


@runtime_checkable
class Mounted(Protocol):
    """A source that others connect to, by a websocket on the server's own port."""

    @property
    def path(self) -> str:
        """The path at which the web server mounts it; `{name}` represents one segment."""
        ...

    async def connect(self, websocket: Any, *, over_tls: bool | None, certified: Sequence[str]) -> None:
        """Serve a connection until it ends.

        `over_tls`: whether the connection is encrypted all the way, None if unknown; `certified`: the names in its certificate.
        """
        ...


@runtime_checkable
class MountedElsewhere(Protocol):
    """A mounted source that also answers connections to paths that nothing is mounted at, such as a mistyped one."""

    async def connect_elsewhere(self, websocket: Any, *, over_tls: bool | None, certified: Sequence[str]) -> None:
        """Serve such a connection, as `Mounted.connect`, or refuse it."""
        ...


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command to a car or its station. `kind` is Smartcar's name for it, such as charge-start.

    `names` are all names of the car: its id, VIN and aliases. `parameters` are as they were sent; `seconds_left` is how
    long charging takes until the limit that is to be set, where that can be computed.
    """

    kind: str
    names: frozenset[str]
    parameters: Mapping[str, Any] = {}
    seconds_left: float | None = None


class CommandError(Exception):
    """A command failed: a type and code of Smartcar's errors, and one sentence."""

    def __init__(self, type_: str, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.type = type_
        self.code = code


class Done(StrEnum):
    """The outcome of a command that was accepted."""

    OBEYED = "SUCCESS"  # it has been executed
    TAKEN = "PENDING"  # the other side has accepted it; whether it happens is visible in the signals


@runtime_checkable
class Commandable(Protocol):
    """A source that can send commands to a car, or to the station it is at."""

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        ...

    async def command(self, command: Command) -> Done | None:
        """Carry out a command; return None where this source can't do it to this car. Raises CommandError where it fails."""
        ...


class Memory(Protocol):
    """The persistent state of a source: short texts by key, on disk when `put` returns."""

    async def get(self, key: str) -> str | None:
        """Return the value that was put last; None without one."""
        ...

    async def put(self, key: str, value: str | None) -> None:
        """Store a value, or delete it with None."""
        ...


class StationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a station that connects to a source: connected, or refused with the way out. Instants are by our clock.

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
    """The interface through which a running source reports its status, for `source list`."""

    def connected(self) -> None:
        """Report that the connection is up and messages are received."""
        ...

    def lag(self, behind: int) -> None:
        """Report how many messages wait on the other side."""
        ...

    def station(self, status: StationStatus) -> None:
        """Report the status of a station that connects to the source."""
        ...


Charging = Callable[[str], Awaitable[bool]]
"""Return whether a car, by any of its names, charges at this moment, as far as is known."""


Refused = Callable[[str, str], None]


class SourceContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a source receives in addition to its own settings.

    `topics` are the addresses that its dialect has, in the syntax of MQTT filters. `vehicle` is the car that all messages are
    about, if the settings name one.
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
    """To be called with a description of each wrong credential, without the credential, and the address that it came from."""
    attempts: FailedAttempts = msgspec.field(default_factory=LocalAttempts)
    """Counts failed attempts, under keys that begin with the source's name."""


class SourceType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of source that settings can name: `type = "mqtt"`. The objects in the entry-point group `chargeport.sources`.

    `settings` is the table that it takes in addition to name, type, dialect, topics and vehicle; `build` makes a source of it
    and may raise SourceError. `dialect` is the one that is used unless the settings name another.
    """

    name: str
    summary: str
    settings: type[msgspec.Struct]
    build: Callable[[Any, SourceContext], Source]
    dialect: str | None = None
