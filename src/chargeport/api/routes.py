"""Every route, written once: the router, the OpenAPI document and the docs are made from this table.

Paths of Smartcar's API (`v3`) answer with and without the prefix `/v3`. A path may end in a slash.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from chargeport.api import connections, health, ingest, lane, paging, signals, tokens, vehicles
from chargeport.api.answer import Answer
from chargeport.api.call import Call
from chargeport.errors import (
    CONNECTION_NOT_FOUND,
    MALFORMED,
    NOTHING_ACCEPTED,
    PERMISSION,
    SIGNAL_NOT_FOUND,
    TOO_LARGE,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA,
    VEHICLE_NOT_FOUND,
    ErrorKind,
)

Handler = Callable[[Call], Awaitable[Answer]]


class Parameter(msgspec.Struct, frozen=True):
    """A parameter in the query or a header. `example` is a value that works."""

    name: str
    summary: str
    example: str
    where: str = "query"
    minimum: int | None = None
    maximum: int | None = None
    values: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the server answers.

    `answer` names the schema of the 200 in `api.schemas`; `body` that of the request. `kind` is the answer's media type.
    """

    method: str
    path: str
    name: str
    tag: str
    handler: Handler | None = None
    summary: str
    detail: str = ""
    v3: bool = False
    open: bool = False
    answer: str | None = None
    body: str | None = None
    status: int = 200
    kind: str = "application/json"
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[ErrorKind, ...] = ()


_USER: Final = Parameter(
    "sc-user-id", "A user of the application: his connection decides what may be seen.", "owner-1", "header"
)
_IF_NONE_MATCH: Final = Parameter("if-none-match", "The ETag of an earlier answer: 304 if it still holds.", '"3f0c"', "header")
_CONDITIONAL: Final = (_USER, _IF_NONE_MATCH)
_VEHICLE: Final = (UNAUTHORIZED, VEHICLE_NOT_FOUND)


def _pages(most: int) -> tuple[Parameter, ...]:
    return (
        Parameter(paging.NUMBER, "Which page, from 1.", "1", minimum=1, maximum=paging.MAX_NUMBER),
        Parameter(paging.SIZE, "Entries on a page.", "10", minimum=1, maximum=most),
    )


ROUTES: Final = (
    Route(
        method="POST", path="/oauth2/token", name="issueToken", tag="Access", handler=tokens.issue_token, open=True,
        summary="Get a bearer token", answer="Token", body="TokenRequest",
        detail="Client credentials as JSON, as a form, or by HTTP Basic with only grant_type in the body.",
        errors=(MALFORMED, UNAUTHORIZED, TOO_LARGE, UNSUPPORTED_MEDIA),
    ),
    Route(
        method="GET", path="/vehicles", name="listVehicles", tag="Vehicles", handler=vehicles.list_vehicles, v3=True,
        summary="List the application's vehicles", answer="VehicleList", parameters=_pages(vehicles.MAX_SIZE),
        errors=(MALFORMED, UNAUTHORIZED),
    ),
    Route(
        method="GET", path="/vehicles/{vehicle_id}", name="getVehicle", tag="Vehicles", handler=vehicles.read_vehicle,
        v3=True, summary="Read one vehicle", answer="VehicleDocument", parameters=(_USER,), errors=_VEHICLE,
    ),
    Route(
        method="GET", path=lane.ALL, name="listSignals", tag="Signals", handler=signals.read_signals, v3=True,
        summary="Read all signals of a vehicle",
        detail="Every signal that has a value or a known error, sorted by code, on one page unless a page is asked for.",
        answer="SignalList", errors=(MALFORMED, *_VEHICLE),
        parameters=(
            Parameter("filter[group]", "Only these groups, separated by commas.", "Charge"),
            Parameter("filter[code]", "Only these codes, separated by commas.", "charge-wattage,charge-voltage"),
            *_pages(24), *_CONDITIONAL,
        ),
    ),
    Route(
        method="GET", path=lane.ONE, name="getSignal", tag="Signals", handler=signals.read_signal, v3=True,
        summary="Read one signal",
        detail="A signal that has no value to show as true is answered with status ERROR and the reason, and the last body.",
        answer="SignalDocument", parameters=_CONDITIONAL, errors=(*_VEHICLE, PERMISSION, SIGNAL_NOT_FOUND),
    ),
    Route(
        method="GET", path="/vehicles/{vehicle_id}/coverage", name="getCoverage", tag="Signals", v3=True,
        handler=vehicles.read_coverage, summary="Read what each signal can tell", answer="Coverage", parameters=(_USER,),
        detail="For all 24 signals: age and source of the value, or the reason why there is none.", errors=_VEHICLE,
    ),
    Route(
        method="GET", path="/connections", name="listConnections", tag="Connections", v3=True,
        handler=connections.list_connections, summary="List the application's connections", answer="ConnectionList",
        parameters=(
            Parameter("filter[userId]", "Only this user's.", "owner-1"),
            Parameter("filter[vehicleId]", "Only to this vehicle.", "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"),
            Parameter("filter[vehicle.mode]", "Only vehicles of this mode.", "live", values=connections.MODES),
            *_pages(paging.MAX_SIZE), _USER,
        ),
        errors=(MALFORMED, UNAUTHORIZED),
    ),
    Route(
        method="GET", path="/connections/{connection_id}", name="getConnection", tag="Connections", v3=True,
        handler=connections.read_connection, summary="Read one connection", answer="ConnectionDocument",
        errors=(UNAUTHORIZED, CONNECTION_NOT_FOUND),
    ),
    Route(
        method="DELETE", path="/connections/{connection_id}", name="deleteConnection", tag="Connections", v3=True,
        handler=connections.delete_connection, summary="End a connection", status=204,
        errors=(UNAUTHORIZED, CONNECTION_NOT_FOUND),
    ),
    Route(
        method="POST", path="/ingest/readings", name="ingestReadings", tag="Ingest", handler=ingest.ingest_readings,
        summary="Send readings", answer="IngestResult", body="Readings",
        detail="An array, one object, or one object a line; gzip is taken. Answered once everything accepted is on disk.",
        errors=(MALFORMED, UNAUTHORIZED, PERMISSION, TOO_LARGE, UNSUPPORTED_MEDIA, NOTHING_ACCEPTED),
    ),
    Route(
        method="GET", path="/healthz", name="getHealth", tag="Operation", handler=health.healthz, open=True,
        summary="Is the process alive?", answer="Health",
    ),
    Route(
        method="GET", path="/readyz", name="getReadiness", tag="Operation", handler=health.readyz, open=True,
        summary="Can it read and write its store?", answer="Health", errors=(UNAVAILABLE,),
    ),
    Route(
        method="GET", path="/metrics", name="getMetrics", tag="Operation", open=True,
        summary="Counters for Prometheus", kind="text/plain",
    ),
    Route(
        method="GET", path="/openapi.json", name="getOpenApi", tag="Documentation", open=True,
        summary="This API, described", answer="AnyObject",
    ),
    Route(
        method="GET", path="/docs", name="getDocs", tag="Documentation", open=True,
        summary="This API, to read", kind="text/html",
    ),
    Route(
        method="GET", path="/docs/errors", name="getErrorDocs", tag="Documentation", open=True,
        summary="Every error, and the way out", kind="text/html",
    ),
    Route(
        method="GET", path="/", name="getDashboard", tag="Documentation", open=True,
        summary="The cars on a page", kind="text/html",
    ),
)  # fmt: skip
