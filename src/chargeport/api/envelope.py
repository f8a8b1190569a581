"""The envelope: the one place that knows the form in which Smartcar's v3 API wraps a signal and a vehicle.

Texts are put together from parts rendered beforehand: a read is answered some ten thousand times a second.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from chargeport.api.absences import STATUS_MISSING_PERMISSION, STATUSES, SUCCESS, WORDINGS
from chargeport.api.answer import encode
from chargeport.signals import wire
from chargeport.signals.catalogue import CATALOGUE, IS_CHARGING
from chargeport.signals.definition import Permission, Signal
from chargeport.signals.places import without_places
from chargeport.signals.state import Standing, State, stale_at, standing
from chargeport.store.base import Vehicle, VehicleStates

_DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTES: Final = [f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]


@lru_cache(8192)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def iso(at: int) -> str:
    """An instant in ISO 8601, UTC, with milliseconds.

    >>> iso(1777629598000)
    '2026-05-01T09:59:58.000Z'
    """
    day, rest = divmod(at, _DAY_MS)
    minute, rest = divmod(rest, 60_000)
    return f"{_date(day)}{_MINUTES[minute]}{rest // 1000:02}.{rest % 1000:03}Z"


@lru_cache(4096)
def quoted(text: str | int | None) -> str:
    """A text of few different ones (a make, a source) as JSON."""
    return encode(text).decode()


def _head(signal: Signal) -> str:
    return (
        f'{{"id":"{signal.code}","type":"signal","attributes":{{"code":"{signal.code}","name":"{signal.name}",'
        f'"group":"{signal.group}","status":'
    )


_HEADS: Final = {signal.key: _head(signal) for signal in CATALOGUE}
_FRAMES: Final = {signal.key: wire.frame(signal) for signal in CATALOGUE}


def vehicle_resource(vehicle: Vehicle, base: str) -> str:
    """The vehicle as a resource."""
    return (
        f'{{"id":{quoted(vehicle.id)},"type":"vehicle","attributes":{vehicle_attributes(vehicle)},'
        f'"links":{{"self":"{base}/v3/vehicles/{vehicle.id}"}}}}'
    )


def vehicle_attributes(vehicle: Vehicle) -> str:
    """What is known of the vehicle itself."""
    return (
        f'{{"make":{quoted(vehicle.make)},"model":{quoted(vehicle.model)},"year":{quoted(vehicle.year)},'
        f'"powertrainType":{quoted(vehicle.powertrain)},"mode":{quoted(vehicle.mode)}}}'
    )


class View:
    """One reader's view of a car: which permissions, at what time, under which base URL."""

    __slots__ = ("_base", "_charging", "_now", "_path", "_permissions", "_vehicle")

    def __init__(self, found: VehicleStates, permissions: frozenset[Permission], now: int, base: str) -> None:
        self._vehicle = found.vehicle
        self._charging = found.states.get(IS_CHARGING.key)
        self._permissions = permissions
        self._now = now
        self._base = base
        self._path = f"{base}/v3/vehicles/{found.vehicle.id}/signals"

    def single(self, state: State) -> str:
        """The document of one signal."""
        return f'{{"data":{self.element(state)},"included":{self.included()}}}'

    def included(self) -> str:
        """The vehicle beside the signals."""
        return f'{{"vehicle":{vehicle_resource(self._vehicle, self._base)}}}'

    def element(self, state: State) -> str:
        """One signal as a resource."""
        signal = state.signal
        if signal.permission in self._permissions:
            attributes, meta = self._told(state, standing(state, self._charging, self._now))
        else:
            attributes, meta = f"{STATUS_MISSING_PERMISSION}}}", f'"ingestedAt":"{iso(state.received_at or 0)}"'
        return f'{_HEADS[signal.key]}{attributes},"meta":{{{meta}}},"links":{{"self":"{self._path}/{signal.code}"}}}}'

    def _told(self, state: State, stands: Standing | None) -> tuple[str, str]:
        """What stands in `status` and `body`, and the members of `meta`."""
        if stands is None:
            status, ingested_at, keeps_body = SUCCESS, state.received_at or 0, True
        else:
            status, ingested_at = STATUSES[stands.reason], stands.since
            keeps_body = WORDINGS[stands.reason].keeps_body and state.value is not None
        if not keeps_body:
            source = f',"source":{quoted(state.absence_source)}' if state.absence_source else ""
            return f"{status}}}", f'"ingestedAt":"{iso(ingested_at)}"{source}'
        return f'{status},"body":{self._body(state)}}}', _meta(state, ingested_at)

    def _body(self, state: State) -> str:
        signal, value = state.signal, state.value
        assert value is not None  # noqa: S101  (there is a body only where there is a value)
        text = wire.text(signal, value)
        if signal.has_places and Permission.READ_CHARGE_LOCATIONS not in self._permissions:
            text = without_places(text)
        before, after = _FRAMES[signal.key]
        return f"{before}{text}{after}"


def _meta(state: State, ingested_at: int) -> str:
    """When the value was true, heard and stored; from whom; until when it is fresh."""
    received_at = iso(state.received_at or 0)
    ingested = received_at if ingested_at == state.received_at else iso(ingested_at)
    fresh_until = stale_at(state)
    stale = "" if fresh_until is None else f',"staleAt":"{iso(fresh_until)}"'
    return (
        f'"retrievedAt":"{received_at}","oemUpdatedAt":"{iso(state.observed_at or 0)}","ingestedAt":"{ingested}",'
        f'"source":{quoted(state.source)}{stale}'
    )
