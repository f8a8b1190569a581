"""The envelope: the one place that knows the form in which Smartcar's v3 API wraps a signal and a vehicle.

Texts are put together from parts rendered beforehand: a read is answered some ten thousand times a second.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from chargeport.signals import wire
from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Cadence, Permission, Signal, Value
from chargeport.signals.effective import Effective, Unavailability
from chargeport.signals.places import without_places
from chargeport.signals.state import State, stale_at
from chargeport.wire.encoding import encode
from chargeport.wire.provenance import Provenance, shown
from chargeport.wire.status import STATUS_MISSING_PERMISSION, STATUSES, WORDINGS, Wording, status


class Vehicle(Protocol):
    """What the wire says of a car."""

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
    """Return a text of few different ones (a make, a source) as JSON."""
    return encode(text).decode()


def _head(signal: Signal) -> str:
    return (
        f'{{"id":"{signal.code}","type":"signal","attributes":{{"code":"{signal.code}","name":"{signal.name}",'
        f'"group":"{signal.group}","status":'
    )


class Form(NamedTuple):
    """How a signal is written whose value holds: what stands before the value, its writer, and what stands behind it."""

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
def wholly_seen(permissions: frozenset[Permission]) -> frozenset[int]:
    """Return the keys of the signals of which a reader with these permissions may see everything."""
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
    """Return the element of a list that has signals of several vehicles: it names its own."""
    return f'{element[:-1]},"relationships":{{"vehicle":{{"data":{{"id":"{vehicle_id}","type":"vehicle"}}}}}}}}'


def signals_path(vehicle: Vehicle, base: str) -> str:
    """Return the URL of the vehicle's signals."""
    return f"{base}/v3/vehicles/{vehicle.id}/signals"


def plain(  # noqa: PLR0917  (as `is_undisputed`)
    form: Form, value: Value | None, observed_at: int, received_at: int, live_for_ms: int, named: str, path: str
) -> str:
    """Return a signal whose value holds, was reported and may be seen wholly as a resource.

    `named` are the members that name its source, `path` is that of the vehicle's signals.
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
    """One reader's view of a car: which permissions, under which base URL."""

    __slots__ = ("_base", "_named", "_path", "_permissions", "_vehicle", "_whole")

    def __init__(self, vehicle: Vehicle, permissions: frozenset[Permission], base: str, provenance: Provenance) -> None:
        self._vehicle = vehicle
        self._named = provenance.named
        self._permissions = permissions
        self._whole = wholly_seen(permissions)
        self._base = base
        self._path = signals_path(vehicle, base)

    def single(self, found: Effective) -> str:
        """Return the document of one signal."""
        return single(self.element(found), self._vehicle, self._base)

    def elements(self, found: Iterable[Effective]) -> list[str]:
        """Return signals as resources."""
        return [
            self._plain(each.state)
            if each.unavailability is None and each.state.source is not None and each.state.signal.key in self._whole
            else self._special(each, None)
            for each in found
        ]

    def element(self, found: Effective, fault: Wording | None = None) -> str:
        """Return one signal as a resource; with a fault, the error stands in place of what is known."""
        return self.elements((found,))[0] if fault is None else self._special(found, fault)

    def _special(self, found: Effective, fault: Wording | None) -> str:
        """Return a signal as a resource that is not plain."""
        state, against = found.state, found.unavailability
        signal = state.signal
        if signal.permission not in self._permissions:
            content = f'{STATUS_MISSING_PERMISSION}}},"meta":{{}}'  # the time of receipt is not visible either
        elif fault is not None:
            content = self._with_error(state, status(fault), fault, state.received_at or 0)
        else:
            content = self._true(state) if against is None else self._untrue(state, against)
        path = f"{self._path}/{signal.code}"
        return f'{_HEADS[signal.key]}{content},"links":{{"self":"{path}","values":"{path}/values"}}}}'

    def _plain(self, state: State) -> str:
        """Return a signal whose value holds, was reported and may be seen wholly as a resource: what most answers are."""
        return plain(
            FORMS[state.signal.key], state.value, state.observed_at or 0, state.received_at or 0, state.live_for_ms,
            self._named(state.source, state.rule), self._path,
        )  # fmt: skip

    def _true(self, state: State) -> str:
        """Return status, body and meta of a value that holds."""
        received_at = iso(state.received_at or 0)
        if state.source is None:
            return f'{{"value":"SUCCESS"}},"body":{self._body(state)}}},"meta":{{"ingestedAt":"{received_at}"}}'
        return f'{{"value":"SUCCESS"}},"body":{self._body(state)}{self._meta(state, received_at, received_at)}'

    def _untrue(self, state: State, against: Unavailability) -> str:
        """Return status and meta of a value that does not hold, with the last body where that is worth something."""
        return self._with_error(state, STATUSES[against.reason], WORDINGS[against.reason], against.since)

    def _with_error(self, state: State, text: str, wording: Wording, since: int) -> str:
        if state.value is None or not wording.keeps_body:
            return _bodiless(text, since, shown(state.absence_source, state.rule))
        meta = self._meta(state, iso(state.received_at or 0), iso(since))
        return f'{text},"body":{self._body(state)}{meta}'

    def _meta(self, state: State, received_at: str, ingested_at: str) -> str:
        until = stale_at(state)
        stale = "" if until is None else f',"staleAt":"{iso(until)}"'
        return (
            f'}},"meta":{{"retrievedAt":"{received_at}","oemUpdatedAt":"{iso(state.observed_at or 0)}",'
            f'"ingestedAt":"{ingested_at}",{self._named(state.source, state.rule)}{stale}}}'
        )

    def _body(self, state: State) -> str:
        assert state.value is not None  # noqa: S101  (there is a body only where there is a value)
        return body(state.signal, state.value, self._permissions)


def body(signal: Signal, value: Value, permissions: frozenset[Permission]) -> str:
    """Return the signal's body, as a reader with these permissions may see it."""
    before, after = _FRAMES[signal.key]
    return f"{before}{place_free(signal, wire.text(signal, value), permissions)}{after}"


def place_free(signal: Signal, text: str, permissions: frozenset[Permission]) -> str:
    """Return the value's text; without its places for a reader who may not see them."""
    if signal.has_places and Permission.READ_CHARGE_LOCATIONS not in permissions:
        return without_places(text)
    return text


def _bodiless(status: str, ingested_at: int, source: str | None) -> str:
    """Return status and meta of a signal without a body."""
    named = f',"source":{quoted(source)}' if source else ""
    return f'{status}}},"meta":{{"ingestedAt":"{iso(ingested_at)}"{named}}}'
