"""The actions on a simulated car, from which the HTTP API, commands, scenarios and the test fixture are generated.

An action is a body with its effect. `ACTIONS` has them by name. An effect raises ValueError if the car can't do it.
"""

import inspect
from abc import ABCMeta, abstractmethod
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, StructMeta, UnsetType

from chargeport.dialects.simulator import SIMULATOR
from chargeport.errors import instead_of
from chargeport.sources.base import RawMessage
from chargeport.sources.simulator import Place, Reporter, Station, home_station, roadside_station
from chargeport.sources.simulator.reporter import DIALECT
from chargeport.sources.simulator.timers import timers_from_the_wire

MAX_SILENCE_S: Final = 31 * 86_400
_FIELDS: Final = {field for row in SIMULATOR.rows for field in row.fields}

Rate = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(ge=0, le=MAX_SILENCE_S)]


class _AbstractStruct(StructMeta, ABCMeta):
    """A metaclass for structs with abstract methods."""


class Action(
    msgspec.Struct, metaclass=_AbstractStruct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):  # fmt: skip
    """The body of an action, and its effect. Its docstring is the summary in lists of actions."""

    @classmethod
    def summary(cls) -> str:
        """Return the summary."""
        return inspect.getdoc(cls) or ""

    @abstractmethod
    def apply(self, reporter: Reporter) -> RawMessage | None:
        """Apply the action to a car at the present; return the message of another source, if any. Raises ValueError."""


class Plug(Action, frozen=True, kw_only=True):
    """Plug in: at home, unless another station is described."""

    kind: Annotated[Literal["AC", "DC"], Meta(description="AC or DC.")] = "AC"
    power_kw: Annotated[float | None, Meta(description="Power of a DC station, in kW.")] = None
    amps: Annotated[float | None, Meta(description="Current of the station per phase, in A; below 6 it has no power.")] = None
    phases: Annotated[int | None, Meta(description="Phases of an AC station.")] = None
    place: Annotated[Place | None, Meta(description="Place of the station, if not that of the car.")] = None

    def apply(self, reporter: Reporter) -> None:
        """Plug in."""
        profile = reporter.profile
        station: Station = roadside_station(profile) if self.kind == "DC" else home_station(profile)
        parameters: dict[str, Any] = {
            "power_w": None if self.power_kw is None else self.power_kw * 1000,
            "limit_a": self.amps,
            "phases": self.phases,
            "place": self.place,
        }
        changes = {name: value for name, value in parameters.items() if value is not None}
        reporter.car.plug(msgspec.structs.replace(station, **changes))


class Unplug(Action, frozen=True, kw_only=True):
    """Pull the cable."""

    def apply(self, reporter: Reporter) -> None:
        """Unplug."""
        reporter.car.unplug()


class SetLimit(Action, frozen=True, kw_only=True):
    """Set the charge limit that applies where the car is."""

    percent: Annotated[Percent, Meta(description="State of charge at which charging ends.")]

    def apply(self, reporter: Reporter) -> None:
        """Set the limit."""
        reporter.car.set_limit(self.percent)


class SetTimers(Action, frozen=True, kw_only=True):
    """Replace the charge timers by these, in the form of charge-chargetimers; [] removes all."""

    values: Annotated[list[dict[str, Any]], Meta(description="Entries as in the body of charge-chargetimers.")]

    def __post_init__(self) -> None:
        """Check the timers. Raises ValueError."""
        timers_from_the_wire(self.values)

    def apply(self, reporter: Reporter) -> None:
        """Set the timers."""
        reporter.car.set_timers(self.values)


class SetAmps(Action, frozen=True, kw_only=True):
    """Set the current per phase that the car draws on AC; below 6 A it stops."""

    amps: Annotated[float, Meta(ge=0, le=500, description="Amperes.")]

    def apply(self, reporter: Reporter) -> None:
        """Set the current."""
        reporter.car.set_requested_a(self.amps)


class SetSoc(Action, frozen=True, kw_only=True):
    """Set the state of charge of the battery."""

    percent: Annotated[Percent, Meta(description="State of charge.")]

    def apply(self, reporter: Reporter) -> None:
        """Set the state of charge."""
        reporter.car.set_soc(self.percent)


class Start(Action, frozen=True, kw_only=True):
    """Charge now, regardless of the timers, until it is unplugged."""

    def apply(self, reporter: Reporter) -> None:
        """Start."""
        reporter.car.start()


class Stop(Action, frozen=True, kw_only=True):
    """Stop charging, until it is started or plugged in again."""

    def apply(self, reporter: Reporter) -> None:
        """Stop."""
        reporter.car.stop()


class Drive(Action, frozen=True, kw_only=True):
    """Drive away, unplugging first."""

    km: Annotated[float, Meta(ge=0, le=2000, description="How far.")] = 20.0
    to: Annotated[Literal["home"] | Place | None, Meta(description="home, or a place; an unspecified place if not given.")] = (
        None
    )

    def apply(self, reporter: Reporter) -> None:
        """Drive."""
        reporter.car.drive(self.km, reporter.profile.home if self.to == "home" else self.to)


class Sleep(Action, frozen=True, kw_only=True):
    """Fall asleep: the car can't be reached, in any state, until it is woken or controlled."""

    def apply(self, reporter: Reporter) -> None:
        """Fall asleep."""
        reporter.car.sleep()


class Wake(Action, frozen=True, kw_only=True):
    """Wake up and report everything."""

    def apply(self, reporter: Reporter) -> None:
        """Wake."""
        reporter.car.wake()


class Silence(Action, frozen=True, kw_only=True):
    """Drop or delay all reports for a time, while the car continues as before; 0 ends a silence."""

    seconds: Annotated[Seconds, Meta(description="How long.")] = 3600.0
    keep: Annotated[bool, Meta(description="Whether the reports are delivered at the end; else they are lost.")] = False

    def apply(self, reporter: Reporter) -> None:
        """Fall silent."""
        reporter.link.silent_until_at = reporter.car.at + round(self.seconds * 1000)
        reporter.link.is_kept = self.keep


class Reports(Action, frozen=True, kw_only=True):
    """Set the shares of reports that are lost, repeated or out of order, and their delay; others are not changed."""

    drop_rate: Annotated[Rate | UnsetType, Meta(description="Share of the reports that are lost, 0 to 1.")] = UNSET
    repeat_rate: Annotated[Rate | UnsetType, Meta(description="Share that are delivered twice, 0 to 1.")] = UNSET
    reorder_rate: Annotated[Rate | UnsetType, Meta(description="Share that are delivered after newer ones, 0 to 1.")] = UNSET
    latency_seconds: Annotated[Seconds | UnsetType, Meta(description="Delay of each report.")] = UNSET

    def apply(self, reporter: Reporter) -> None:
        """Set the link."""
        link = reporter.link
        link.drop_probability = _or_default(self.drop_rate, link.drop_probability)
        link.repeat_probability = _or_default(self.repeat_rate, link.repeat_probability)
        link.late_probability = _or_default(self.reorder_rate, link.late_probability)
        link.latency_ms = round(_or_default(self.latency_seconds, link.latency_ms / 1000) * 1000)


class Break(Action, frozen=True, kw_only=True):
    """Break the charge port, or repair it."""

    present: Annotated[bool, Meta(description="Whether there is a fault.")] = True

    def apply(self, reporter: Reporter) -> None:
        """Set the fault."""
        reporter.car.fault(self.present)


class Say(Action, frozen=True, kw_only=True):
    """Have another source report something about the car, in the simulator's fields."""

    source: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="The source in `meta.source`.")]
    fields: Annotated[dict[str, Any], Meta(description='Such as {"charging": false, "power_w": 0}.')]

    def __post_init__(self) -> None:
        """Refuse fields that the simulator does not have. Raises ValueError."""
        for field in self.fields:
            if field not in _FIELDS:
                raise ValueError(f"fields: the simulator has no {field[:40]!r}: {instead_of(field, _FIELDS)}")

    def apply(self, reporter: Reporter) -> RawMessage:
        """Return the message."""
        return RawMessage(
            source=self.source, dialect=DIALECT, vehicle=reporter.profile.id, fields=self.fields,
            received_at=reporter.car.at, observed_at=reporter.car.at,
        )  # fmt: skip


def _or_default(value: float | UnsetType, default: float) -> float:
    return default if isinstance(value, UnsetType) else value


ACTIONS: Final[dict[str, type[Action]]] = {
    "plug": Plug,
    "unplug": Unplug,
    "limit": SetLimit,
    "timers": SetTimers,
    "amps": SetAmps,
    "soc": SetSoc,
    "start": Start,
    "stop": Stop,
    "drive": Drive,
    "sleep": Sleep,
    "wake": Wake,
    "report": Wake,
    "silence": Silence,
    "reports": Reports,
    "break": Break,
    "say": Say,
}
"""All actions by name."""


class Member(NamedTuple):
    """A member of an action's body: its name on the wire and in Python, the types it may have, and its default's text."""

    name: str
    field: str
    kinds: tuple[Any, ...]
    summary: str
    default: str | None


def members(action: type[msgspec.Struct]) -> list[Member]:
    """Return the members of an action's body, in their order."""
    members_ = []
    for field in msgspec.structs.fields(action):
        kinds, summary = _unwrapped(field.type)
        default = (
            None if field.required or field.default in (None, UNSET) else msgspec.json.encode(field.default).decode().strip('"')
        )
        members_.append(Member(field.encode_name, field.name, kinds, summary, default))
    return members_


def _unwrapped(kind: Any) -> tuple[tuple[Any, ...], str]:
    """Return the types of a member, without None, and its description."""
    if get_origin(kind) is Annotated:
        kinds, summary = _unwrapped(kind.__origin__)
        return kinds, next((meta.description for meta in kind.__metadata__ if meta.description), summary)
    if get_origin(kind) not in (Union, UnionType):
        return (kind,), ""
    parts = [_unwrapped(argument)[0] for argument in get_args(kind) if argument not in (NoneType, UnsetType)]
    return tuple(kind for part in parts for kind in part), ""
