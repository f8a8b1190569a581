"""Connections: which users' vehicles the application may read."""

from collections.abc import Sequence
from typing import Any, Final

from chargeport.api import paging
from chargeport.api.request import Request
from chargeport.api.response import Response, answer, json_answer
from chargeport.errors import CONNECTION_NOT_FOUND, USER_NOT_FOUND, Problem
from chargeport.store.records import Connection, Page, user_uuid_of
from chargeport.wire.envelope import iso

# Clients write the filters in several forms. Unknown ones are ignored, as Smartcar does.
_FILTERS: Final = {
    "filter[userId]": "user", "filter[user_id]": "user", "filter[user.id]": "user", "filter[user.externalId]": "external",
    "filter[vehicleId]": "vehicle", "filter[vehicle_id]": "vehicle", "filter[vehicle.id]": "vehicle",
    "filter[vehicle.mode]": "mode", "filter[mode]": "mode",
}  # fmt: skip


async def list_connections(request: Request) -> Response:
    """Return a page of the application's connections, newest first."""
    grant = await request.grant()
    page = paging.requested_page(request.query)
    parameters = {_FILTERS[name]: value for name, value in request.query if name in _FILTERS}
    user = parameters.get("user", parameters.get("external", request.user_id))
    user_uuid = grant.user_uuid if user is None else user_uuid_of(user)
    found, total = await request.context.store.access.connections(
        page,
        grant.client_id,
        user_uuid=user_uuid if grant.user_uuid in (None, user_uuid) else "",  # "" matches no user
        vehicle_id=parameters.get("vehicle"),
        mode=parameters["mode"].lower() if "mode" in parameters else None,
        every=None if grant.connected_only else grant.permissions,
    )
    data, path = [resource(connection, request.base) for connection in found], f"{request.base}/v3/connections"
    body = paging.listed(path, data, page, total, request.query, orderBy="createdAt", orderDirection="DESC")
    return json_answer(200, body, request.request_id)


async def read_connection(request: Request) -> Response:
    """Return one connection."""
    connection = await _owned(request)
    return json_answer(200, {"data": resource(connection, request.base)}, request.request_id)


async def delete_connection(request: Request) -> Response:
    """Delete a connection: the application no longer has access to this user's vehicle."""
    await request.client()
    connection = await _owned(request)
    await _end(request, [connection])
    return answer(204, b"", request.request_id)


async def delete_user(request: Request) -> Response:
    """Delete all connections of a user with the application."""
    grant = await request.client()
    user, access = user_uuid_of(request.path("user_id")), request.context.store.access
    ended = 0
    if not grant.connected_only and user == user_uuid_of(grant.client_id):
        ended = await access.end_connections(grant.client_id, None, request.context.clock.now())
    while (found := await access.connections(Page(size=paging.MAX_SIZE), grant.client_id, user_uuid=user))[0]:
        await _end(request, found[0])
        ended += len(found[0])
    if not ended:
        raise Problem(USER_NOT_FOUND, "The application has no connection with a user of this id.")
    return answer(204, b"", request.request_id)


async def _end(request: Request, connections: Sequence[Connection]) -> None:
    access, now = request.context.store.access, request.context.clock.now()
    grant = await request.grant()
    for connection in connections:
        await access.remove_connection(connection.id)
    if not grant.connected_only:
        await access.end_connections(grant.client_id, [connection.vehicle.id for connection in connections], now)
    request.context.access.forget(grant.client_id)


async def _owned(request: Request) -> Connection:
    """Return the connection of the path, if it is the caller's. Raises Problem (404)."""
    grant = await request.grant()
    access, connection_id = request.context.store.access, request.path("connection_id")
    connection = await access.connection_by_id(connection_id, grant.client_id, grant.user_uuid)
    if connection is not None:
        return connection
    if not grant.connected_only:  # the connection of an application with access to all vehicles has the vehicle's id
        found, _ = await access.connections(Page(), grant.client_id, vehicle_id=connection_id, every=grant.permissions)
        if found and found[0].id == connection_id:
            return found[0]
    raise Problem(CONNECTION_NOT_FOUND, "The application has no connection with this id.")


def resource(connection: Connection, base: str) -> dict[str, Any]:
    """Return the connection as a resource."""
    vehicle = connection.vehicle
    at = iso(connection.created_at)
    external = {} if connection.external_id is None else {"externalId": connection.external_id}
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
            "user": {"id": connection.user_uuid} | external,
        },
        "relationships": {
            "vehicle": {
                "data": {"id": vehicle.id, "type": "vehicle"},
                "links": {"related": f"{base}/v3/vehicles/{vehicle.id}"},
            },
            "user": {"data": {"id": connection.user_uuid, "type": "user"}},
        },
        "meta": {"createdAt": at, "updatedAt": at},
        "links": {"self": f"{base}/v3/connections/{connection.id}"},
    }
