"""Connections: which users' vehicles the application may read."""

from typing import Any, Final

from chargeport.api import paging
from chargeport.api.answer import Answer, answer, json_answer
from chargeport.api.call import Call
from chargeport.api.envelope import iso
from chargeport.errors import CONNECTION_NOT_FOUND, MALFORMED, Problem
from chargeport.store.records import Connection

MODES: Final = ("live", "simulated")
_FILTERS: Final = {"filter[userId]": "user_id", "filter[vehicleId]": "vehicle_id"}


async def list_connections(call: Call) -> Answer:
    """A page of the application's connections, newest first."""
    grant = await call.grant()
    page = paging.asked(call.query)
    given = dict(call.query)
    paging.only_filters(call.query, *_FILTERS, "filter[vehicle.mode]")
    mode = given.get("filter[vehicle.mode]")
    if mode is not None and mode not in MODES:
        raise Problem(MALFORMED, f"filter[vehicle.mode] is live or simulated, not {mode[:40]!r}.")
    wanted = {name: given[parameter] for parameter, name in _FILTERS.items() if parameter in given}
    if call.user_id is not None:
        wanted.setdefault("user_id", call.user_id)
    found, total = await call.deps.store.connections(page, grant.client_id, **wanted, mode=mode)
    body = {
        "data": [resource(connection, call.base) for connection in found],
        "meta": paging.meta(page, total) | {"orderBy": "createdAt", "orderDirection": "DESC"},
        "links": paging.links(f"{call.base}/v3/connections", page, total, call.query),
    }
    return json_answer(200, body, call.request_id)


async def read_connection(call: Call) -> Answer:
    """One connection."""
    connection = await _owned(call)
    return json_answer(200, {"data": resource(connection, call.base)}, call.request_id)


async def delete_connection(call: Call) -> Answer:
    """End a connection: the application no longer reads this user's vehicle."""
    connection = await _owned(call)
    await call.deps.store.remove_connection(connection.id)
    return answer(204, b"", call.request_id)


async def _owned(call: Call) -> Connection:
    """The connection of the path, if it is the caller's. Raises Problem (404)."""
    grant = await call.grant()
    connection = await call.deps.store.connection_by_id(call.path("connection_id"))
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
