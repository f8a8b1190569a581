"""The table of all routes, from which the router, the OpenAPI document and the docs are generated.

Paths of Smartcar's API (`v3`) answer with and without the prefix `/v3`. A path may end in a slash.
"""

from typing import Final

from chargeport.api import (
    authorize,
    authorize_request,
    compatibility,
    connections,
    cursors,
    fast_path,
    history,
    ingest,
    instants,
    monitoring,
    paging,
    session,
    signal_filters,
    signals,
    smartcar,
    stream,
    tokens,
    vehicles,
)
from chargeport.api.control_routes import CONTROL_ROUTES
from chargeport.api.operator_routes import OPERATOR_ROUTES
from chargeport.api.rate_limits import INGEST, STREAMS
from chargeport.api.route import USER, VEHICLE_ID, Parameter, Route, pages, some_of
from chargeport.api.webhook_routes import WEBHOOK_ROUTES
from chargeport.dialects import makes
from chargeport.errors import (
    ACCESS_DENIED,
    CONNECTION_NOT_FOUND,
    INVALID_PATH,
    MALFORMED,
    MISSING_PARAMETER,
    NOTHING_ACCEPTED,
    PERMISSION,
    RATE_LIMITED,
    SIGNAL_NOT_FOUND,
    TOO_LARGE,
    TOO_SLOW,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA,
    USER_NOT_FOUND,
    VEHICLE_NOT_FOUND,
)
from chargeport.signals.catalogue import BY_CODE, CATALOGUE

EVENT_STREAM: Final = "text/event-stream"

_IF_NONE_MATCH: Final = Parameter("if-none-match", "The ETag of an earlier answer: 304 if still valid.", '"3f0c"', "header")
_CONDITIONAL: Final = (USER, _IF_NONE_MATCH)
_PAGE: Final = Parameter(
    session.MARK.decode(), "Any value: forms and scripts of other sites can't send this header.", "1", "header", required=True
)
_AT: Final = Parameter(
    instants.AT,
    "The answer as it was at this time: ISO 8601, or milliseconds since 1970.",
    "2026-05-01T10:00:00Z",
    pattern=instants.INSTANT_PATTERN,
)
_SOURCE: Final = Parameter(
    signal_filters.SOURCE, "Only the values of this source, whether they are effective or not.", "garage",
    pattern=f"^[\\s\\S]{{1,{signal_filters.MAX_SOURCE}}}$",
)  # fmt: skip

_FILTERS: Final = (
    Parameter(
        signal_filters.GROUP, "Only these groups, separated by commas.", "Charge", pattern=some_of(signal_filters.GROUP_NAMES)
    ),
    Parameter(
        signal_filters.CODE, "Only these codes, separated by commas.", "charge-wattage,charge-voltage", pattern=some_of(BY_CODE)
    ),
)  # fmt: skip
_AUTHORIZE: Final = (
    Parameter("response_type", "The content of the redirect.", "code", values=authorize_request.RESPONSE_TYPES),
    Parameter("client_id", "The application's id; application_id is also accepted.", "client_0a1b"),
    Parameter(
        "redirect_uri", "Where the person is redirected to: registered with app create --redirect.", "http://127.0.0.1/back"
    ),
    Parameter("scope", "Permissions, separated by spaces; the person can't remove required:read_vin.", "read_charge read_vin"),
    Parameter("state", "Returned unchanged.", "1234"),
    Parameter("mode", "Only vehicles of this mode.", "live", values=authorize_request.MODES),
    Parameter("make", "Only vehicles of this make.", "TESLA"),
    Parameter("single_select", "Whether only one vehicle can be chosen.", "true"),
    Parameter("user", "The user to whom the vehicles are connected, by id.", "7d0f5c1e-2a67-4f0b-9f61-0c5d3b1e8a01"),
    Parameter("external_id", "The application's own name for the user.", "owner-1"),
    Parameter("code_challenge", "PKCE: SHA-256 of the verifier, base64url.", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    Parameter("code_challenge_method", "S256.", "S256", values=("S256",)),
)


ROUTES: Final = (
    Route(
        method="POST", path="/oauth2/token", name="issueToken", tag="Access", handler=tokens.issue_token, open=True,
        summary="Get a bearer token", answer="Token", body="TokenRequest",
        detail="Client credentials as JSON, as a form, or by HTTP Basic with only grant_type in the body.",
        errors=(MALFORMED, UNAUTHORIZED),
    ),
    Route(
        method="POST", path="/oauth/token", name="issueTokenByCode", tag="Access", handler=tokens.issue_token, open=True,
        summary="Get a bearer token, as Smartcar's SDKs do", answer="Token", body="TokenRequest",
        detail="The same as /oauth2/token.",
        errors=(MALFORMED, UNAUTHORIZED),
    ),
    Route(
        method="GET", path="/oauth/authorize", name="showConnect", tag="Access", handler=authorize.show, open=True,
        summary="Let a person choose vehicles for an application", kind="text/html",
        detail="The page to which an application redirects a person, and which redirects back with a code or the user's id.",
        parameters=_AUTHORIZE, redirects=True, errors=(MALFORMED,),
    ),
    Route(
        method="POST", path="/oauth/authorize", name="answerConnect", tag="Access", handler=authorize.decide, open=True,
        summary="Send the form of the page", kind="text/html",
        parameters=_AUTHORIZE, redirects=True,
        errors=(MALFORMED, UNAUTHORIZED, ACCESS_DENIED, TOO_SLOW, TOO_LARGE, UNSUPPORTED_MEDIA),
    ),
    Route(
        method="GET", path="/vehicles", name="listVehicles", tag="Vehicles", handler=vehicles.list_vehicles, v3=True,
        summary="List the application's vehicles", answer="VehicleList", parameters=pages(vehicles.MAX_SIZE),
        errors=(MALFORMED,),
    ),
    Route(
        method="GET", path="/vehicles/{vehicle_id}", name="getVehicle", tag="Vehicles", handler=vehicles.read_vehicle,
        v3=True, summary="Read one vehicle", answer="VehicleDocument", parameters=(USER,), errors=(VEHICLE_NOT_FOUND,),
    ),
    Route(
        method="GET", path=fast_path.ALL, name="listSignals", tag="Signals", handler=signals.read_signals, v3=True,
        has_own_faults=True,
        summary="Read all signals of a vehicle",
        detail="Every signal that has a value or a known error, sorted by code, on one page unless a page is requested.",
        answer="SignalList", errors=(MALFORMED, MISSING_PARAMETER, VEHICLE_NOT_FOUND),
        parameters=(
            *_FILTERS, *pages(paging.MAX_SIZE), _AT, _SOURCE, *_CONDITIONAL,
        ),
    ),
    Route(
        method="GET", path="/signals", name="listFleetSignals", tag="Signals", v3=True,
        handler=signals.list_fleet_signals, summary="Read the signals of all vehicles", answer="FleetSignals",
        detail="The effective values of each vehicle that the application may see, by vehicle and code, in pages of vehicles:"
        " follow `links.next` until it is null. A vehicle without any of the signals is left out; a page may be short.",
        parameters=(
            *_FILTERS,
            Parameter(
                paging.SIZE,
                f"Vehicles on a page, by default {signals.DEFAULT_SIZE}, at most {signals.MAX_SIZE}.",
                "100", minimum=1, maximum=paging.MAX_NUMBER,
            ),
            Parameter(
                cursors.NAME, "Where the previous page ended, as in links.next.", cursors.of_vehicle(VEHICLE_ID),
                pattern=cursors.PATTERN,
            ),
            _SOURCE, USER,
        ),
        errors=(MALFORMED, MISSING_PARAMETER),
    ),
    Route(
        method="GET", path=fast_path.ONE, name="getSignal", tag="Signals", handler=signals.read_signal, v3=True,
        has_own_faults=True,
        summary="Read one signal",
        detail="A signal without a valid value is answered with status ERROR and the reason, and the last body.",
        answer="SignalDocument", parameters=(_AT, _SOURCE, *_CONDITIONAL),
        errors=(MALFORMED, VEHICLE_NOT_FOUND, PERMISSION, SIGNAL_NOT_FOUND),
    ),
    Route(
        method="GET", path=f"{fast_path.ONE}/values", name="listValues", tag="Signals", handler=signals.read_values, v3=True,
        summary="Read the history of a signal",
        detail="Its changes by time of observation, newest last; an absence has a status instead of a body. With a resolution,"
        " aggregates over intervals of that length, aligned to 1970 in UTC: numbers weighted by the time for which they were"
        " valid and not stale, of flags and texts the share of that time, of documents the last one. Intervals without a valid"
        " value are left out; of an interval that is partly outside of the range, only the part inside counts.",
        answer="ValueList", errors=(MALFORMED, VEHICLE_NOT_FOUND, PERMISSION, SIGNAL_NOT_FOUND),
        parameters=(
            Parameter(
                history.FROM, "Observed at this time or later: ISO 8601, or milliseconds since 1970.", "2026-05-01T00:00:00Z",
                pattern=instants.INSTANT_PATTERN,
            ),
            Parameter(history.TO, "Observed before this time.", "2026-05-02T00:00:00Z", pattern=instants.INSTANT_PATTERN),
            Parameter(
                history.RESOLUTION, "raw, or an ISO 8601 duration from PT1M to P31D.", "PT15M",
                pattern=f"^raw$|{instants.DURATION_PATTERN}",
            ),
            Parameter(
                paging.SIZE,
                f"Entries on a page, by default {history.DEFAULT_SIZE}, at most {history.MAX_SIZE}.",
                "100", minimum=1, maximum=paging.MAX_NUMBER,
            ),
            Parameter(
                cursors.NAME, "Where the previous page ended, as in links.next.", cursors.of_bucket(1_777_629_600_000),
                pattern=cursors.PATTERN,
            ),
            _SOURCE, *_CONDITIONAL,
        ),
    ),
    Route(
        method="GET", path="/vehicles/{vehicle_id}/coverage", name="getCoverage", tag="Signals", v3=True,
        handler=vehicles.read_coverage, summary="Read the state of each signal", answer="Coverage", parameters=(USER,),
        detail=f"For all {len(CATALOGUE)} signals: age and source of the value, or the reason why there is none."
        " Also the value of each source, and why it is not effective.",
        errors=(VEHICLE_NOT_FOUND,),
    ),
    Route(
        method="GET", path="/connections", name="listConnections", tag="Connections", v3=True,
        handler=connections.list_connections, summary="List the application's connections", answer="ConnectionList",
        detail="An application that sees every vehicle has a connection with each, as a user of its own. Filters may also be"
        " written as filter[user_id], filter[user.id], filter[vehicle_id], filter[vehicle.id] and filter[mode]; others are"
        " ignored.",
        parameters=(
            Parameter("filter[userId]", "Only this user's.", "7d0f5c1e-2a67-4f0b-9f61-0c5d3b1e8a01"),
            Parameter("filter[user.externalId]", "Only those of the user with this name in the application.", "owner-1"),
            Parameter("filter[vehicleId]", "Only to this vehicle.", VEHICLE_ID),
            Parameter("filter[vehicle.mode]", "Only vehicles of this mode: live or simulated.", "live"),
            *pages(paging.MAX_SIZE), USER,
        ),
        errors=(MALFORMED,),
    ),
    Route(
        method="GET", path="/connections/{connection_id}", name="getConnection", tag="Connections", v3=True,
        handler=connections.read_connection, summary="Read one connection", answer="ConnectionDocument",
        errors=(CONNECTION_NOT_FOUND,),
    ),
    Route(
        method="DELETE", path="/connections/{connection_id}", name="deleteConnection", tag="Connections", v3=True,
        handler=connections.delete_connection, summary="Delete a connection", status=204,
        errors=(ACCESS_DENIED, CONNECTION_NOT_FOUND),
    ),
    Route(
        method="GET", path="/compatible-vehicles", name="listCompatibleVehicles", tag="Vehicles", v3=True, open=True,
        handler=compatibility.list_compatible_vehicles, summary="List the signals of car models",
        answer="CompatibleVehicles",
        detail="The signals of the built-in dialects, by make and model. These are examples: with a station, or a program"
        " of your own, any car can be read. Model years are left out, because they are unknown.",
        parameters=(
            Parameter(compatibility.MAKE, "Only this make, in any case.", "TESLA"),
            Parameter(compatibility.REGION, "Only this region.", "EUROPE", values=makes.REGIONS),
            Parameter(compatibility.POWERTRAIN, "Only this powertrain.", "BEV", values=makes.POWERTRAINS),
        ),
        errors=(MALFORMED,),
    ),
    Route(
        method="DELETE", path="/users/{user_id}", name="deleteUser", tag="Connections", v3=True,
        handler=connections.delete_user, summary="Delete all connections of a user", status=204,
        errors=(ACCESS_DENIED, USER_NOT_FOUND),
    ),
    *WEBHOOK_ROUTES,
    *OPERATOR_ROUTES,
    Route(
        method="GET", path="/stream", name="streamSignals", tag="Signals", handler=stream.stream_signals, limit=STREAMS,
        summary="Follow changes as they are stored", kind=EVENT_STREAM,
        detail="Server-sent events, while the client is connected. `id` is the change's position, sealed; `event` is"
        " `signal`; `data` is one line of JSON: the vehicle's id, and the signal as in the envelope, as it was reported. A late"
        " reading is sent when it is stored, with its own times. A live value that expires while the stream is open is"
        " sent as `ended`, with status ERROR, once and without an `id`; if it is confirmed unchanged later, as `signal` without"
        " an `id`. Signals that the application may not see are left out. If the server ends the stream, the last event, `end`,"
        " has the reason. Without events, a comment with only an `id` is sent every 15 seconds.",
        parameters=(
            Parameter("vehicle", "Only these vehicles, by id: repeated or separated by commas.", VEHICLE_ID),
            Parameter(
                "signal", "Only these codes: repeated or separated by commas.", "charge-wattage,charge-ischarging",
                pattern=some_of(BY_CODE),
            ),
            Parameter(
                stream.VEHICLES,
                "Whether to send an event when a vehicle is added or removed: `vehicles`, without an `id`. Unknown ones of"
                " the named vehicles are then left out.",
                "true",
                values=("true", "false"),
            ),
            Parameter("lastEventId", "The same as the header, for clients that can't set one.", "0"),
            Parameter(
                "last-event-id", "Resume after the event with this id, without loss; 0: from the beginning; else from now.",
                "0", "header",
            ),
            USER,
        ),
        errors=(MALFORMED, VEHICLE_NOT_FOUND, PERMISSION),
    ),
    Route(
        method="POST", path="/ingest/readings", name="ingestReadings", tag="Ingest", handler=ingest.ingest_readings,
        limit=INGEST,
        summary="Send readings", answer="IngestResult", body="Readings",
        detail="An array, one object, or one object a line; gzip is accepted. Answered once all accepted items are on disk.",
        errors=(MALFORMED, PERMISSION, NOTHING_ACCEPTED),
    ),
    Route(
        method="POST", path="/ingest/smartcar", name="ingestSmartcar", tag="Ingest", handler=smartcar.ingest_smartcar,
        open=True, summary="Receive Smartcar's webhooks", answer="SmartcarAnswer", body="SmartcarEvent", or_accepted=True,
        detail="Set as callback at Smartcar: VERIFY is answered, VEHICLE_STATE and VEHICLE_ERROR are accepted if SC-Signature"
        " is valid, and answered once they are on disk. Events in test mode are answered (202) and not stored.",
        errors=(MALFORMED, UNAUTHORIZED, INVALID_PATH),
    ),
    Route(
        method="POST", path="/ingest/{dialect}", name="ingestDialect", tag="Ingest", handler=ingest.ingest_dialect,
        limit=INGEST,
        summary="Send a payload in another system's format", answer="IngestResult", body="Payload",
        detail="A payload in the system's own format, in a built-in dialect or one of your own. Parts that could not be"
        " understood are stored as issues, and listed in `rejected`.",
        parameters=(Parameter(ingest.VEHICLE, "The car, if the payload names none: id, VIN or alias.", VEHICLE_ID),),
        errors=(MALFORMED, PERMISSION, INVALID_PATH, NOTHING_ACCEPTED),
    ),
    *CONTROL_ROUTES,
    Route(
        method="POST", path="/session", name="signIn", tag="Page", handler=session.sign_in, open=True, answer="SignedIn",
        body="Credentials", summary="Sign a person in to the page", parameters=(_PAGE,),
        detail='`{"link": …}` of a one-time link, or `{"name": …, "password": …}`; sets a cookie. Needs the header'
        " X-Chargeport-Page and the page's own origin. For browsers: programs use POST /oauth2/token.",
        errors=(MALFORMED, UNAUTHORIZED, ACCESS_DENIED, RATE_LIMITED),
    ),
    Route(
        method="DELETE", path="/session", name="signOut", tag="Page", handler=session.sign_out, open=True, status=204,
        summary="Sign out of the page", parameters=(_PAGE,), errors=(ACCESS_DENIED,),
    ),
    Route(
        method="POST", path="/session/token", name="issuePageToken", tag="Page", handler=session.page_token, open=True,
        answer="PageToken", body="TokenWish", parameters=(_PAGE,),
        summary="Get the page a token for its session, or for a share link",
        detail='`access_token` is null if nobody is signed in; `permissions` are those of the token.'
        ' `{"share": …}` of a share link returns one that reads its car.',
        errors=(MALFORMED, UNAUTHORIZED, ACCESS_DENIED, RATE_LIMITED),
    ),
    Route(
        method="GET", path="/healthz", name="getHealth", tag="Operation", handler=monitoring.healthz, open=True,
        summary="Check that the process runs", answer="Health",
    ),
    Route(
        method="GET", path="/readyz", name="getReadiness", tag="Operation", open=True,
        summary="Check that the store can be read and written", answer="Health", errors=(UNAVAILABLE,),
    ),
    Route(
        method="GET", path="/metrics", name="getMetrics", tag="Operation", open=True,
        summary="Counters for Prometheus", kind="text/plain",
    ),
    Route(
        method="GET", path="/openapi.json", name="getOpenApi", tag="Documentation", open=True,
        summary="The API's description (OpenAPI)", answer="OpenApiDocument",
    ),
    Route(
        method="GET", path="/docs", name="getDocs", tag="Documentation", open=True,
        summary="The API's description, as a page", kind="text/html",
    ),
    Route(
        method="GET", path="/docs/errors", name="getErrorDocs", tag="Documentation", open=True,
        summary="All errors, with their remedies", kind="text/html",
    ),
    Route(
        method="GET", path="/", name="getDashboard", tag="Documentation", open=True,
        summary="The page with the cars", kind="text/html",
    ),
    Route(
        method="GET", path="/page/{module}", name="getPageModule", tag="Documentation", open=True,
        summary="A module of the page", kind="text/javascript", parameters=(_IF_NONE_MATCH,), errors=(INVALID_PATH,),
    ),
)  # fmt: skip
