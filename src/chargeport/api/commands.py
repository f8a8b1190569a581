"""`/vehicles/{id}/commands/…` and `/vehicles/{id}/charge-schedules/…`: what a car is to do, and what came of it.

Smartcar's forms. The outcome stands in the body: 202 says that the other side has promised it, no more.
"""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Response, json_answer
from chargeport.api.vehicles import permissions
from chargeport.errors import MALFORMED, PERMISSION, Problem
from chargeport.runtime.commands import SET_LIMIT
from chargeport.signals.definition import Permission
from chargeport.sources.base import CommandError, Done
from chargeport.store.audit import Act
from chargeport.taxonomy import SMARTCAR_KINDS
from chargeport.wire.envelope import iso

MAX_BYTES: Final = 16_384
ACCEPTED: Final = 202
_LocalTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class _Attributes(msgspec.Struct, frozen=True, rename="camel"):
    """The `data.attributes` of a body."""


class Limit(_Attributes, frozen=True):
    """A charge limit."""

    percent: Annotated[int, Meta(ge=50, le=100)]


class Location(_Attributes, frozen=True):
    """Where a schedule holds."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class Window(_Attributes, frozen=True):
    """From when to when, by the car's clock; past midnight where the end is earlier."""

    start_time: _LocalTime
    stop_time: _LocalTime


class Daily(Window, frozen=True):
    """A schedule of every day."""

    location: Location


class Weekly(_Attributes, frozen=True):
    """A schedule by weekday, such as `{"monday": {"startTime", "stopTime"}}`."""

    location: Location
    days: dict[str, Window]


class Workweek(_Attributes, frozen=True):
    """A schedule of Monday to Friday, and one of the weekend."""

    location: Location
    weekdays: Window | None = None
    weekends: Window | None = None


async def start_charge(request: Request) -> Response:
    """Start charging."""
    return await _command(request, "charge-start", {})


async def stop_charge(request: Request) -> Response:
    """Stop charging."""
    return await _command(request, "charge-stop", {})


async def set_limit(request: Request) -> Response:
    """Set the charge limit."""
    await _allowed(request)
    return await _command(request, SET_LIMIT, msgspec.to_builtins(await _attributes(request, Limit)))


async def create_daily(request: Request) -> Response:
    """Charge in a window of every day."""
    return await _schedule(request, "daily", Daily)


async def create_weekly(request: Request) -> Response:
    """Charge in windows by weekday."""
    return await _schedule(request, "weekly", Weekly)


async def create_workweek(request: Request) -> Response:
    """Charge in a window of the working days, and one of the weekend."""
    return await _schedule(request, "workweek", Workweek)


async def delete_schedule(request: Request) -> Response:
    """Remove a schedule."""
    schedule_id = request.path("schedule_id")
    done, times = await _executed(request, "charge-schedule-delete", {"scheduleId": schedule_id})
    return _schedule_answer(request, {"action": "delete", "scheduleId": schedule_id}, done, times)


async def _schedule(request: Request, kind: str, form: type[_Attributes]) -> Response:
    await _allowed(request)
    given = msgspec.to_builtins(await _attributes(request, form))
    schedule_id = str(uuid.uuid4())
    parameters = {**given, "scheduleType": kind, "scheduleId": schedule_id}
    done, times = await _executed(request, "charge-schedule-create", parameters)
    attributes = {"action": "create", "scheduleType": kind, "scheduleId": schedule_id, "parameters": given}
    return _schedule_answer(request, attributes, done, times)


def _schedule_answer(request: Request, attributes: dict[str, Any], done: Done, times: dict[str, Any]) -> Response:
    vehicle = f"{request.base}/v3/vehicles/{request.path('vehicle_id')}"
    data = {
        "id": f"exec_{uuid.uuid4().hex}",
        "type": "charge-schedule-execution",
        "attributes": {**attributes, "status": {"value": done.value}},
        "meta": times,
        "links": {"schedule": f"{vehicle}/charge-schedules/{attributes['scheduleId']}"},
    }
    return json_answer(_status(done), {"data": data}, request.request_id)


async def _command(request: Request, kind: str, parameters: Mapping[str, Any]) -> Response:
    done, times = await _executed(request, kind, parameters)
    attributes = {"commandType": kind, "status": {"value": done.value}, "executionMode": "sync", "parameters": parameters}
    data = {"id": f"exec_{uuid.uuid4().hex}", "type": "command-execution", "attributes": attributes, "meta": times}
    return json_answer(_status(done), {"data": data}, request.request_id)


def _status(done: Done) -> int:
    return 200 if done is Done.OBEYED else ACCEPTED


async def _executed(request: Request, kind: str, parameters: Mapping[str, Any]) -> tuple[Done, dict[str, Any]]:
    """What came of a command, and when. Raises Problem."""
    await _allowed(request)
    context = request.context
    vehicle = await context.reads.vehicle(request.path("vehicle_id"))
    began_at, client_id = context.clock.now(), (await request.grant()).client_id
    await context.store.audit.add(Act.COMMAND_SENT, vehicle.id, kind)
    try:
        done = await context.commands.execute(client_id, vehicle, kind, parameters)
    except CommandError as error:
        raise Problem(SMARTCAR_KINDS[error.type, error.code], str(error)) from None
    ended_at = context.clock.now()
    times = {"executedAt": iso(began_at), "completedAt": iso(ended_at), "durationInSeconds": (ended_at - began_at) / 1000}
    return done, times


async def _allowed(request: Request) -> None:
    if Permission.CONTROL_CHARGE not in await permissions(request):
        raise Problem(PERMISSION, f"This needs the permission {Permission.CONTROL_CHARGE}, which was not given.")


async def _attributes(request: Request, form: type[_Attributes]) -> Any:
    """The `data.attributes` of the body. Raises Problem (400, 413)."""
    body = await read_body(request, MAX_BYTES)
    try:
        found = msgspec.json.decode(body or b"{}", type=dict[str, dict[str, Any]])
        return msgspec.convert(found.get("data", {}).get("attributes"), form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(MALFORMED, f'The body is not {{"data": {{"attributes": …}}}} as wanted here: {error}.') from None
