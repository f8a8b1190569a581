"""The vehicles that a token may see: the list, one vehicle, the state of each of its signals; and all, in portions."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

import msgspec

from chargeport.api import paging
from chargeport.api.request import Request
from chargeport.api.response import Response, answer, json_answer
from chargeport.errors import VEHICLE_NOT_FOUND, Problem
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Permission, Signal
from chargeport.signals.effective import Ranks, Why, effective
from chargeport.signals.flags import has_value
from chargeport.signals.state import State
from chargeport.store.records import Vehicle, VehicleSeries, user_uuid_of
from chargeport.wire.envelope import body as body_text
from chargeport.wire.envelope import iso, vehicle_resource
from chargeport.wire.provenance import shown
from chargeport.wire.status import ERROR_STATUSES

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 1000

PORTION: Final = 100
AT_ONCE: Final = 20  # vehicles before other tasks run: their signals take some milliseconds
Visible = tuple[Vehicle, frozenset[Permission]]
"""A vehicle, and the caller's permissions on it."""


async def list_vehicles(request: Request) -> Response:
    """Return a page of the application's vehicles, by id."""
    grant = await request.grant()
    paging.only_filters(request.query)
    page = paging.requested_page(request.query, default_size=DEFAULT_SIZE, max_size=MAX_SIZE)
    found, total = await request.context.store.vehicles.vehicles(
        page,
        connected_to=grant.client_id if grant.connected_only else None,
        user_uuid=grant.user_uuid,
        not_ended_by=grant.client_id if grant.has_ended else None,
    )
    data = ",".join(vehicle_resource(vehicle, request.base) for vehicle in found)
    links = paging.links(f"{request.base}/v3/vehicles", page, total, request.query)
    body = f'{{"data":[{data}],"meta":{paging.text(paging.meta(page, total))},"links":{paging.text(links)}}}'
    return answer(200, body.encode(), request.request_id)


async def read_vehicle(request: Request) -> Response:
    """Return one vehicle."""
    await permissions(request)
    vehicle = await request.context.reads.vehicle(request.path("vehicle_id"))
    return answer(200, f'{{"data":{vehicle_resource(vehicle, request.base)}}}'.encode(), request.request_id)


async def read_coverage(request: Request) -> Response:
    """Return for every signal its age and source, or the reason why there is no value."""
    allowed = await permissions(request)
    found = await request.context.store.readings.signals(request.path("vehicle_id"))
    if found is None:
        raise Problem(VEHICLE_NOT_FOUND, "No vehicle with this id is known to this server.")
    readings, now = request.context.store.readings, request.context.clock.now()
    return json_answer(200, coverage(found, allowed, readings.ranks, now), request.request_id)


async def permissions(request: Request) -> frozenset[Permission]:
    """Return the caller's permissions on the vehicle of the path."""
    grant = await request.grant()
    return await request.context.access.permissions(grant, request.path("vehicle_id"), request.user_id)


def coverage(found: VehicleSeries, allowed: frozenset[Permission], ranks: Ranks, now: int) -> dict[str, Any]:
    """Return the state of each signal of a car for a reader with these permissions, and the state by each source."""
    data = [_covered(signal, found, allowed, ranks, now) for signal in CATALOGUE]
    return {"data": data, "meta": {"totalCount": len(data)}}


def _covered(signal: Signal, found: VehicleSeries, allowed: frozenset[Permission], ranks: Ranks, now: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"code": signal.code, "name": signal.name, "group": signal.group}
    if signal.permission not in allowed:
        return entry | {"status": "NOT_PERMITTED", "reason": f"The permission {signal.permission} is missing."}
    counts = effective(signal, found.known_of(signal), ranks, now)
    if counts is None:
        return entry | {"status": "NOT_REPORTED", "reason": "No source has reported it for this vehicle yet."}
    against = counts.unavailability
    status = (
        {"status": "SUCCESS"}
        if against is None
        else {"status": against.reason, "reason": ERROR_STATUSES[against.reason].detail}
    )
    sources = [_series(counts.state, None, allowed, now)]
    sources += [_series(passed.state, passed.why, allowed, now) for passed in counts.passed_over]
    return entry | status | _provenance(counts.state, now) | {"sources": sources}


def _series(state: State, why: Why | None, allowed: frozenset[Permission], now: int) -> dict[str, Any]:
    """Return the state by one source, and whether it is the effective one."""
    entry: dict[str, Any] = _provenance(state, now)
    if has_value(state) and state.value is not None:
        entry["body"] = msgspec.Raw(body_text(state.signal, state.value, allowed).encode())
    elif state.absence is not None:
        entry["status"] = state.absence
    entry["isEffective"] = why is None
    return entry if why is None else entry | {"why": why, "reason": why.sentence}


def _provenance(state: State, now: int) -> dict[str, Any]:
    """Return when the last value was observed, its age in seconds and its source; a fact of the server has no source."""
    if state.source is None and state.absence_source is None:
        return {"source": None}
    source = shown(state.source or state.absence_source, state.rule)
    if state.observed_at is None:
        return {"source": source}
    age_s = max(0, now - state.observed_at) // 1000
    return {"oemUpdatedAt": iso(state.observed_at), "ageSeconds": age_s, "source": source}


async def visible_vehicles(request: Request, after: str = "", at_once: int = AT_ONCE) -> AsyncGenerator[list[Visible], None]:
    """Yield the vehicles after an id, by id, at most `at_once` at a time; with `sc-user-id` those of that user.

    Other tasks run in between. Raises Problem (401).
    """
    grant, user_id, store = await request.grant(), request.user_id, request.context.store
    of_user = None if user_id is None else user_uuid_of(user_id)
    is_own = of_user in (None, user_uuid_of(grant.client_id))
    while True:
        found = await store.vehicles.vehicles_after(
            after,
            PORTION,
            connected_to=grant.client_id if grant.connected_only or not is_own else None,
            user_uuid=grant.user_uuid if is_own else of_user,
            not_ended_by=grant.client_id if grant.has_ended else None,
        )
        for start in range(0, len(found), at_once):
            await asyncio.sleep(0)
            few = found[start : start + at_once]
            allowed = await request.context.access.permissions_on(
                await request.grant(), [vehicle.id for vehicle in few], user_id
            )
            yield [(vehicle, allowed[vehicle.id]) for vehicle in few if vehicle.id in allowed]
        if len(found) < PORTION:
            return
        after = found[-1].id
