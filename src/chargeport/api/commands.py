"""`/vehicles/{id}/commands/…` and `/vehicles/{id}/charge-schedules/…`: commands to a car, and their outcomes.

The bodies have Smartcar's form and contain the outcome. 202 means only that the other side has accepted the command.
"""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chargeport.api import paging
from chargeport.api.request import Request
from chargeport.api.request_body import Attributes, attributes
from chargeport.api.response import Response, json_answer
from chargeport.api.vehicles import permissions
from chargeport.errors import PERMISSION, VEHICLE_NOT_FOUND, NotFoundError, Problem
from chargeport.runtime.commands import SET_LIMIT
from chargeport.signals.definition import Permission
from chargeport.sources.base import CommandError, Done
from chargeport.store.audit import Act
from chargeport.store.command_log import StoredCommand
from chargeport.taxonomy import SMARTCAR_KINDS
from chargeport.wire.envelope import iso

MAX_BYTES: Final = 16_384
ACCEPTED: Final = 202
SCHEDULE_CREATE: Final = "charge-schedule-create"
SCHEDULE_DELETE: Final = "charge-schedule-delete"
_MAY_LIST: Final = (Permission.CONTROL_CHARGE, Permission.READ_CHARGE)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_Weekday = Annotated[str, Meta(pattern=f"^({'|'.join([*_DAYS, *(day.upper() for day in _DAYS)])})$")]
_LocalTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Limit(Attributes, frozen=True):
    """A charge limit."""

    percent: Annotated[float, Meta(ge=50, le=100, multiple_of=1)]  # 80.0 is whole in JSON, too


class Location(Attributes, frozen=True):
    """The place to which a schedule applies."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class Window(Attributes, frozen=True):
    """Start and end, by the car's clock; past midnight if the end is earlier."""

    start_time: _LocalTime
    stop_time: _LocalTime


class Daily(Window, frozen=True):
    """A daily schedule."""

    location: Location


class Weekly(Attributes, frozen=True):
    """A schedule by weekday, such as `{"monday": {"startTime", "stopTime"}}`."""

    location: Location
    days: Annotated[dict[_Weekday, Window], Meta(min_length=1)]


class Workweek(Attributes, frozen=True):
    """A schedule of Monday to Friday, and one of the weekend."""

    location: Location
    weekdays: Window | None = None
    weekends: Window | None = None

    def __post_init__(self) -> None:
        """Refuse a schedule without a window. Raises ValueError."""
        if self.weekdays is None and self.weekends is None:
            raise ValueError("name weekdays, weekends or both")


async def start_charge(request: Request) -> Response:
    """Start charging."""
    return await _command(request, "charge-start", {})


async def stop_charge(request: Request) -> Response:
    """Stop charging."""
    return await _command(request, "charge-stop", {})


async def set_limit(request: Request) -> Response:
    """Set the charge limit."""
    await _allowed(request)
    limit = await attributes(request, Limit, MAX_BYTES)
    return await _command(request, SET_LIMIT, {"percent": round(limit.percent)})


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
    parameters = {"scheduleId": request.path("schedule_id")}
    return _schedule_answer(request, {"action": "delete", **parameters}, await _executed(request, SCHEDULE_DELETE, parameters))


async def list_commands(request: Request) -> Response:
    """Return a page of an application's commands to a vehicle, newest first; with `manage`, those of all applications."""
    grant, allowed = await request.grant(), await permissions(request)
    if allowed.isdisjoint(_MAY_LIST):
        raise Problem(PERMISSION, f"This needs the permission {' or '.join(_MAY_LIST)}, which was not given.")
    vehicle = await request.context.reads.vehicle(request.path("vehicle_id"))
    page = paging.requested_page(request.query)
    client_id = None if Permission.MANAGE in grant.permissions else grant.client_id
    found, total = await request.context.store.commands.commands(page, vehicle.id, client_id, grant.user_uuid)
    data = [_logged(command, is_under_way=request.context.commands.is_under_way(command.id)) for command in found]
    path = f"{request.base}/v3/vehicles/{vehicle.id}/commands"
    return json_answer(200, paging.listed(path, data, page, total, request.query), request.request_id)


async def _schedule(request: Request, kind: str, form: type[Attributes]) -> Response:
    await _allowed(request)
    given = msgspec.to_builtins(await attributes(request, form, MAX_BYTES))
    named = {"scheduleType": kind, "scheduleId": str(uuid.uuid4())}
    done = await _executed(request, SCHEDULE_CREATE, {**given, **named})
    return _schedule_answer(request, {"action": "create", **named, "parameters": given}, done)


def _schedule_answer(request: Request, schedule: dict[str, Any], done: StoredCommand) -> Response:
    vehicle = f"{request.base}/v3/vehicles/{request.path('vehicle_id')}"
    data = {
        "id": done.id,
        "type": "charge-schedule-execution",
        "attributes": {**schedule, "status": {"value": done.outcome}},
        "meta": _times(done),
        "links": {"schedule": f"{vehicle}/charge-schedules/{schedule['scheduleId']}"},
    }
    return json_answer(_status(done), {"data": data}, request.request_id)


async def _command(request: Request, kind: str, parameters: Mapping[str, Any]) -> Response:
    done = await _executed(request, kind, parameters)
    return json_answer(_status(done), {"data": execution(done, parameters)}, request.request_id)


def execution(done: StoredCommand, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return an accepted command as a resource."""
    executed = {
        "commandType": done.kind, "status": {"value": done.outcome}, "executionMode": "sync", "parameters": parameters,
    }  # fmt: skip
    return {"id": done.id, "type": "command-execution", "attributes": executed, "meta": _times(done)}


def _logged(command: StoredCommand, *, is_under_way: bool) -> dict[str, Any]:
    """Return a command of the log as a resource. One that a crash interrupted has an unknown outcome."""
    status: dict[str, Any] = {"value": command.outcome or ("IN_PROGRESS" if is_under_way else "UNKNOWN")}
    if command.detail is not None:
        type_, _, code = status["value"].partition("/")
        status = {"value": "ERROR", "error": {"type": type_, "code": code, "detail": command.detail}}
    logged = {
        "commandType": command.kind, "status": status, "executionMode": "sync",
        "parameters": msgspec.Raw(command.parameters.encode()),
    }  # fmt: skip
    meta = {**_times(command), "source": command.source, "clientId": command.client_id}
    return {"id": command.id, "type": "command-execution", "attributes": logged, "meta": meta}


def _status(done: StoredCommand) -> int:
    return 200 if done.outcome == Done.OBEYED else ACCEPTED


def _times(command: StoredCommand) -> dict[str, Any]:
    times: dict[str, Any] = {"executedAt": iso(command.started_at)}
    if command.ended_at is not None:
        duration_s = (command.ended_at - command.started_at) / 1000
        times |= {"completedAt": iso(command.ended_at), "durationInSeconds": duration_s}
    return times


async def _executed(request: Request, kind: str, parameters: Mapping[str, Any]) -> StoredCommand:
    """Execute a command and return its outcome. Raises Problem."""
    await _allowed(request)
    vehicle = await request.context.reads.vehicle(request.path("vehicle_id"))
    await request.context.store.audit.add(Act.COMMAND_SENT, vehicle.id, kind)
    try:
        return await request.context.commands.execute(await request.grant(), vehicle, kind, parameters)
    except CommandError as error:
        raise Problem(SMARTCAR_KINDS[error.type, error.code], str(error)) from None
    except NotFoundError as error:  # erased meanwhile
        raise Problem(VEHICLE_NOT_FOUND, str(error)) from None


async def _allowed(request: Request) -> None:
    if Permission.CONTROL_CHARGE not in await permissions(request):
        raise Problem(PERMISSION, f"This needs the permission {Permission.CONTROL_CHARGE}, which was not given.")
