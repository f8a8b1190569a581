"""Connections: which users' vehicles the application may read."""

from typing import Any, Final

from chargeport.api import paging
from chargeport.api.envelope import iso
from chargeport.api.request import Request
from chargeport.api.response import Response, answer, json_answer
from chargeport.errors import CONNECTION_NOT_FOUND, MALFORMED, Problem
from chargeport.store.records import Connection

MODES: Final = ("live", "simulated")
_FILTERS: Final = {"filter[userId]": "user_id", "filter[vehicleId]": "vehicle_id"}


async def list_connections(request: Request) -> Response:
    """A page of the application's connections, newest first."""
    grant = await request.grant()
    page = paging.asked(request.query)
    given = dict(request.query)
    paging.only_filters(request.query, *_FILTERS, "filter[vehicle.mode]")
    mode = given.get("filter[vehicle.mode]")
    if mode is not None and mode not in MODES:
        raise Problem(MALFORMED, f"filter[vehicle.mode] is live or simulated, not {mode[:40]!r}.")
    wanted = {name: given[parameter] for parameter, name in _FILTERS.items() if parameter in given}
    if request.user_id is not None:
        wanted.setdefault("user_id", request.user_id)
    found, total = await request.context.store.access.connections(page, grant.client_id, **wanted, mode=mode)
    body = {
        "data": [resource(connection, request.base) for connection in found],
        "meta": paging.meta(page, total) | {"orderBy": "createdAt", "orderDirection": "DESC"},
        "links": paging.links(f"{request.base}/v3/connections", page, total, request.query),
    }
    return json_answer(200, body, request.request_id)


async def read_connection(request: Request) -> Response:
    """One connection."""
    connection = await _owned(request)
    return json_answer(200, {"data": resource(connection, request.base)}, request.request_id)


async def delete_connection(request: Request) -> Response:
    """End a connection: the application no longer reads this user's vehicle."""
    connection = await _owned(request)
    await request.context.store.access.remove_connection(connection.id)
    return answer(204, b"", request.request_id)


async def _owned(request: Request) -> Connection:
    """The connection of the path, if it is the caller's. Raises Problem (404)."""
    grant = await request.grant()
    connection = await request.context.store.access.connection_by_id(request.path("connection_id"))
    if connection is None or connection.client_id != grant.client_id:
        raise Problem(CONNECTION_NOT_FOUND, "The application has no connection with this id.")
    return connection


def resource(connection: Connection, base: str) -> dict[str, Any]:
    """The connection as a resource."""
    vehicle = connection.vehicle
    at = iso(connection.created_at)
    return {
        "id": connection.id,
        "type": "connection",
        "attributes": {
            "permissions": sorted(connection.permissions),
            "vehicle": {
                "make": vehicle.make,
                "model": vehicle.model,
                "year": vehicle.year,
                "mode": vehicle.mode,
                "powertrainType": vehicle.powertrain,
            },
            "user": {"id": connection.user_id},
        },
        "relationships": {
            "vehicle": {
                "data": {"id": vehicle.id, "type": "vehicle"},
                "links": {"related": f"{base}/v3/vehicles/{vehicle.id}"},
            },
            "user": {"data": {"id": connection.user_id, "type": "user"}},
        },
        "meta": {"createdAt": at, "updatedAt": at},
        "links": {"self": f"{base}/v3/connections/{connection.id}"},
    }
