"""The envelope: the form in which Smartcar's v3 API wraps a signal and a vehicle, which only this module implements.

Texts are joined from parts that are rendered in advance, because a server answers some ten thousand reads a second.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from chargeport.signals import wire
from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Cadence, Permission, Signal, Value
from chargeport.signals.effective import Effective
from chargeport.signals.places import without_places
from chargeport.signals.state import State, stale_at
from chargeport.wire.encoding import encode
from chargeport.wire.provenance import Provenance, shown
from chargeport.wire.status import ERROR_STATUSES, ERROR_STATUSES_JSON, MISSING_PERMISSION_JSON, ErrorStatus, status_json


class Vehicle(Protocol):
    """The facts of a vehicle in its resource."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def make(self) -> str | None: ...  # noqa: D102
    @property
    def model(self) -> str | None: ...  # noqa: D102
    @property
    def year(self) -> int | None: ...  # noqa: D102
    @property
    def powertrain(self) -> str | None: ...  # noqa: D102
    @property
    def mode(self) -> str: ...  # noqa: D102


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = [f"{second:02}." for second in range(60)]
_MILLISECONDS: Final = [f"{millisecond:03}Z" for millisecond in range(1000)]


@lru_cache(16384)
def _minute(minute: int) -> str:
    return (_EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:")


@lru_cache(1024)
def iso(at: int) -> str:
    """Return an instant in ISO 8601, UTC, with milliseconds.

    >>> iso(1777629598000)
    '2026-05-01T09:59:58.000Z'
    """
    rest = at % 60_000
    return _minute(at // 60_000) + _SECONDS[rest // 1000] + _MILLISECONDS[rest % 1000]


@lru_cache(4096)
def quoted(text: str | int | None) -> str:
    """Return a text (a make, a source) as JSON; cached, as there are few different ones."""
    return encode(text).decode()


def _head(signal: Signal) -> str:
    return (
        f'{{"id":"{signal.code}","type":"signal","attributes":{{"code":"{signal.code}","name":"{signal.name}",'
        f'"group":"{signal.group}","status":'
    )


class Form(NamedTuple):
    """The form of a signal with a valid value: the text before the value, its writer, and the text after it."""

    head: str
    write: Callable[[Any], str]
    foot: str
    code: str
    is_live: bool


def _form(signal: Signal) -> Form:
    before, after = wire.frame(signal)
    head, foot = f'{_head(signal)}{{"value":"SUCCESS"}},"body":{before}', f'{after}}},"meta":{{"retrievedAt":"'
    return Form(head, wire.writer(signal), foot, signal.code, signal.cadence is Cadence.LIVE)


_HEADS: Final = {signal.key: _head(signal) for signal in BY_KEY.values()}
_FRAMES: Final = {signal.key: wire.frame(signal) for signal in BY_KEY.values()}
FORMS: Final = {signal.key: _form(signal) for signal in BY_KEY.values()}


@lru_cache(256)
def fully_visible(permissions: frozenset[Permission]) -> frozenset[int]:
    """Return the keys of the signals that may be shown without omissions with these permissions."""
    sees_places = Permission.READ_CHARGE_LOCATIONS in permissions
    readable = (signal for signal in BY_KEY.values() if signal.permission in permissions)
    return frozenset(signal.key for signal in readable if sees_places or not signal.has_places)


@lru_cache(4096)
def _attributes(make: str | None, model: str | None, year: int | None, powertrain: str | None, mode: str) -> str:
    return (
        f'{{"make":{quoted(make)},"model":{quoted(model)},"year":{quoted(year)},'
        f'"powertrainType":{quoted(powertrain)},"mode":{quoted(mode)}}}'
    )


def vehicle_resource(vehicle: Vehicle, base: str) -> str:
    """Return the vehicle as a resource. Its id is a UUID, so it needs no quoting."""
    attributes = _attributes(vehicle.make, vehicle.model, vehicle.year, vehicle.powertrain, vehicle.mode)
    return (
        f'{{"id":"{vehicle.id}","type":"vehicle","attributes":{attributes},'
        f'"links":{{"self":"{base}/v3/vehicles/{vehicle.id}"}}}}'
    )


def with_vehicle(element: str, vehicle_id: str) -> str:
    """Return a signal of a list over several vehicles, with the relation to its vehicle."""
    return f'{element[:-1]},"relationships":{{"vehicle":{{"data":{{"id":"{vehicle_id}","type":"vehicle"}}}}}}}}'


def signals_path(vehicle: Vehicle, base: str) -> str:
    """Return the URL of the vehicle's signals."""
    return f"{base}/v3/vehicles/{vehicle.id}/signals"


def plain(  # noqa: PLR0917  (as `is_undisputed`)
    form: Form, value: Value | None, observed_at: int, received_at: int, live_for_ms: int, named: str, path: str
) -> str:
    """Return as a resource a signal whose value is valid, was reported and may be shown in full.

    `named` are the members that name its source, `path` is the URL of the vehicle's signals.
    """
    head, write, foot, code, is_live = form
    received = iso(received_at)
    stale = f',"staleAt":"{iso(observed_at + live_for_ms)}"' if is_live else ""
    return (
        f'{head}{write(value)}{foot}{received}","oemUpdatedAt":"{iso(observed_at)}","ingestedAt":"{received}",'
        f'{named}{stale}}},"links":{{"self":"{path}/{code}","values":"{path}/{code}/values"}}}}'
    )


def single(element: str, vehicle: Vehicle, base: str) -> str:
    """Return the document of one signal."""
    return f'{{"data":{element},"included":{{"vehicle":{vehicle_resource(vehicle, base)}}}}}'


def listed(elements: Iterable[str], meta: str, links: str, vehicle: Vehicle, base: str) -> str:
    """Return the document of a vehicle's signals."""
    included = f'{{"vehicle":{vehicle_resource(vehicle, base)}}}'
    return f'{{"data":[{",".join(elements)}],"meta":{meta},"links":{links},"included":{included}}}'


class View:
    """A car's signals as resources, for a reader's permissions and under a base URL."""

    __slots__ = ("_base", "_fully_visible", "_path", "_permissions", "_provenance", "_vehicle")

    def __init__(self, vehicle: Vehicle, permissions: frozenset[Permission], base: str, provenance: Provenance) -> None:
        self._vehicle = vehicle
        self._provenance = provenance.members
        self._permissions = permissions
        self._fully_visible = fully_visible(permissions)
        self._base = base
        self._path = signals_path(vehicle, base)

    def single(self, found: Effective) -> str:
        """Return the document of one signal."""
        return single(self.element(found), self._vehicle, self._base)

    def elements(self, found: Iterable[Effective]) -> list[str]:
        """Return signals as resources."""
        return [
            self._plain(effective.state)
            if effective.unavailability is None
            and effective.state.source is not None
            and effective.state.signal.key in self._fully_visible
            else self._special(effective, None)
            for effective in found
        ]

    def element(self, found: Effective, fault: ErrorStatus | None = None) -> str:
        """Return one signal as a resource; with a fault, its error replaces the signal's own status."""
        return self.elements((found,))[0] if fault is None else self._special(found, fault)

    def _special(self, found: Effective, fault: ErrorStatus | None) -> str:
        """Return a resource with an error, without a source, or with omissions."""
        state, unavailability = found.state, found.unavailability
        signal = state.signal
        if signal.permission not in self._permissions:
            content = f'{MISSING_PERMISSION_JSON}}},"meta":{{}}'  # the time of receipt is not visible either
        elif fault is not None:
            content = self._with_error(state, status_json(fault), fault, state.received_at or 0)
        elif unavailability is not None:
            reason = unavailability.reason
            content = self._with_error(state, ERROR_STATUSES_JSON[reason], ERROR_STATUSES[reason], unavailability.since)
        else:
            content = self._with_value(state)
        path = f"{self._path}/{signal.code}"
        return f'{_HEADS[signal.key]}{content},"links":{{"self":"{path}","values":"{path}/values"}}}}'

    def _plain(self, state: State) -> str:
        """Return as a resource a signal whose value is valid, was reported and may be shown in full: the most frequent case."""
        return plain(
            FORMS[state.signal.key], state.value, state.observed_at or 0, state.received_at or 0, state.live_for_ms,
            self._provenance(state.source, state.rule), self._path,
        )  # fmt: skip

    def _with_value(self, state: State) -> str:
        """Return status, body and meta of a current value."""
        received_at = iso(state.received_at or 0)
        if state.source is None:
            return f'{{"value":"SUCCESS"}},"body":{self._body(state)}}},"meta":{{"ingestedAt":"{received_at}"}}'
        return f'{{"value":"SUCCESS"}},"body":{self._body(state)}{self._meta(state, received_at, received_at)}'

    def _with_error(self, state: State, text: str, status: ErrorStatus, since: int) -> str:
        """Return an error status and meta, with the last body if the status includes it. `text` is the status as JSON."""
        if state.value is None or not status.keeps_body:
            source = shown(state.absence_source, state.rule)
            member = f',"source":{quoted(source)}' if source else ""
            return f'{text}}},"meta":{{"ingestedAt":"{iso(since)}"{member}}}'
        meta = self._meta(state, iso(state.received_at or 0), iso(since))
        return f'{text},"body":{self._body(state)}{meta}'

    def _meta(self, state: State, received_at: str, ingested_at: str) -> str:
        until = stale_at(state)
        stale = "" if until is None else f',"staleAt":"{iso(until)}"'
        return (
            f'}},"meta":{{"retrievedAt":"{received_at}","oemUpdatedAt":"{iso(state.observed_at or 0)}",'
            f'"ingestedAt":"{ingested_at}",{self._provenance(state.source, state.rule)}{stale}}}'
        )

    def _body(self, state: State) -> str:
        assert state.value is not None  # noqa: S101  (there is a body only where there is a value)
        return body(state.signal, state.value, self._permissions)


def body(signal: Signal, value: Value, permissions: frozenset[Permission]) -> str:
    """Return the signal's body, as a reader with these permissions may see it."""
    before, after = _FRAMES[signal.key]
    return f"{before}{place_free(signal, wire.text(signal, value), permissions)}{after}"


def place_free(signal: Signal, text: str, permissions: frozenset[Permission]) -> str:
    """Return the value's text, without its places for a reader who may not see them."""
    if signal.has_places and Permission.READ_CHARGE_LOCATIONS not in permissions:
        return without_places(text)
    return text
