"""The links of the OpenAPI document, from a table of the operations whose answers contain the ids that others need."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from chargeport.api.route import Route

_FIRST: Final = "$response.body#/data/0"
_MADE: Final = "$response.body#/data"
_CHOSEN: Final = frozenset({"action", "code", "dialect", "module"})
"""Parameters of paths that are not ids of created resources: their values are in the document, or are files."""


class Giver(NamedTuple):
    """An operation whose answer has, at `where`, the value of the parameter `name` of other operations' paths.

    `among` is a prefix of their paths.
    """

    operation: str
    name: str
    where: str
    among: str = "/"


class Follower(NamedTuple):
    """An operation whose body, and possibly path, contains values of another operation's answer."""

    operation: str
    after: str
    body: Mapping[str, Any]
    path: Mapping[str, str]


_GIVERS: Final = (
    Giver("listVehicles", "vehicle_id", f"{_FIRST}/id", "/vehicles"),
    Giver("listFleet", "vehicle_id", f"{_FIRST}/id", "/vehicles"),
    Giver("listConnections", "connection_id", f"{_FIRST}/id", "/connections"),
    Giver("listConnections", "user_id", f"{_FIRST}/attributes/user/id"),
    Giver("listAllConnections", "connection_id", f"{_FIRST}/id", "/admin"),
    Giver("createApplication", "client_id", f"{_MADE}/client_id"),
    Giver("listApplications", "client_id", f"{_FIRST}/client_id"),
    Giver("createWebhook", "webhook_id", f"{_MADE}/id"),
    Giver("listWebhooks", "webhook_id", f"{_FIRST}/id", "/webhooks"),
    Giver("listAllWebhooks", "webhook_id", f"{_FIRST}/id", "/admin"),
    Giver("listDeliveries", "delivery_id", f"{_FIRST}/id", "/webhooks"),
    Giver("listAllDeliveries", "delivery_id", f"{_FIRST}/id", "/admin"),
    Giver("createSubscription", "subscription_id", f"{_MADE}/id"),
    Giver("listSubscriptions", "subscription_id", f"{_FIRST}/id"),
    Giver("createDailySchedule", "schedule_id", f"{_MADE}/attributes/scheduleId"),
    Giver("createWeeklySchedule", "schedule_id", f"{_MADE}/attributes/scheduleId"),
    Giver("createWorkweekSchedule", "schedule_id", f"{_MADE}/attributes/scheduleId"),
    Giver("getSimulator", "vehicle_id", "$response.body#/vehicles/0/id", "/simulator"),
    Giver("addFault", "fault_id", "$response.body#/id"),
    Giver("listFaults", "fault_id", f"{_FIRST}/id"),
)
_FOLLOWERS: Final = (
    Follower(
        "changeRecords", "listRecords", {"type": "remove", "record": f"{_FIRST}/id"}, {"vehicle_id": f"{_FIRST}/vehicle_id"}
    ),
    Follower(
        "changeRecords", "changeRecords", {"type": "undo", "number": f"{_MADE}/number"},
        {"vehicle_id": "$request.path.vehicle_id"},
    ),
)  # fmt: skip


def links_of(route: Route, routes: Iterable[Route], suffix: str) -> dict[str, Any]:
    """Return the links of a route's successful answer, by name, to operations with the same prefix."""
    by_name = {route.name: route for route in routes}
    found = {}
    for giver in _GIVERS:
        if giver.operation == route.name:
            for target in by_name.values():
                parameters = _parameters(giver, route, target)
                if parameters is not None:
                    found[f"{target.name}By{giver.name.title().replace('_', '')}"] = _link(target, suffix, parameters)
    for follower in _FOLLOWERS:
        if follower.after == route.name:
            link = _link(by_name[follower.operation], suffix, follower.path)
            found[f"{follower.operation}To{follower.body['type'].title()}"] = link | {"requestBody": follower.body}
    return found


def _link(target: Route, suffix: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    return {"operationId": target.name + (suffix if target.v3 else ""), "parameters": parameters}


def _parameters(giver: Giver, source: Route, target: Route) -> dict[str, str] | None:
    """Return the parameters of a target's path after a source; None if it does not use the given id, or needs others."""
    needed, known = (set(re.findall(r"{(\w+)}", operation.path)) - _CHOSEN for operation in (target, source))
    if giver.name not in needed or not target.path.startswith(giver.among) or not needed <= known | {giver.name}:
        return None
    return {name: giver.where if name == giver.name else f"$request.path.{name}" for name in sorted(needed)}
