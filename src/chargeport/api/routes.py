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

_IF_NONE_MATCH: Final = Parameter("if-none-match", "The ETag of an earlier answer: 304 if it still holds.", '"3f0c"', "header")
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
    signal_filters.SOURCE, "What this source alone reported, whether it counts or not.", "garage",
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
    Parameter("response_type", "What the person is sent back with.", "code", values=authorize_request.RESPONSE_TYPES),
    Parameter("client_id", "The application; application_id is taken, too.", "client_0a1b"),
    Parameter(
        "redirect_uri", "Where the person is sent back to: registered with app create --redirect.", "http://127.0.0.1/back"
    ),
    Parameter("scope", "Permissions, separated by spaces; required:read_vin can't be taken away.", "read_charge read_vin"),
    Parameter("state", "Comes back as it was sent.", "1234"),
    Parameter("mode", "Only vehicles of this mode.", "live", values=authorize_request.MODES),
    Parameter("make", "Only vehicles of this make.", "TESLA"),
    Parameter("single_select", "Whether one vehicle alone can be chosen.", "true"),
    Parameter("user", "The user whom the vehicles are connected to, by id.", "7d0f5c1e-2a67-4f0b-9f61-0c5d3b1e8a01"),
    Parameter("external_id", "The user in your own words.", "owner-1"),
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
        detail="The page to which an application sends a person, and which sends them back with a code, or with the user's id.",
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
        detail="Every signal that has a value or a known error, sorted by code, on one page unless a page is asked for.",
        answer="SignalList", errors=(MALFORMED, MISSING_PARAMETER, VEHICLE_NOT_FOUND),
        parameters=(
            *_FILTERS, *pages(paging.MAX_SIZE), _AT, _SOURCE, *_CONDITIONAL,
        ),
    ),
    Route(
        method="GET", path="/signals", name="listFleetSignals", tag="Signals", v3=True,
        handler=signals.list_fleet_signals, summary="Read the signals of all vehicles", answer="FleetSignals",
        detail="What counts now of each vehicle that the application may see, by vehicle id and code, in pages of vehicles:"
        " follow `links.next` until it is null. A vehicle without any of the signals is passed over; a page may be short.",
        parameters=(
            *_FILTERS,
            Parameter(
                paging.SIZE,
                f"Vehicles on a page, {signals.DEFAULT_SIZE} unless said otherwise, {signals.MAX_SIZE} at most.",
                "100", minimum=1, maximum=paging.MAX_NUMBER,
            ),
            Parameter(
                cursors.NAME, "Where the page before ended, as links.next has it.", cursors.of_vehicle(VEHICLE_ID),
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
        detail="A signal that has no value to show as true is answered with status ERROR and the reason, and the last body.",
        answer="SignalDocument", parameters=(_AT, _SOURCE, *_CONDITIONAL),
        errors=(MALFORMED, VEHICLE_NOT_FOUND, PERMISSION, SIGNAL_NOT_FOUND),
    ),
    Route(
        method="GET", path=f"{fast_path.ONE}/values", name="listValues", tag="Signals", handler=signals.read_values, v3=True,
        summary="Read the history of a signal",
        detail="Its changes by time of observation, newest last; an absence has a status instead of a body. With a resolution"
        " what it was like in stretches of that length, aligned to 1970 in UTC: numbers weighted by the time for which they"
        " held and were not stale, of flags and texts the fraction of that time, of documents the last one. Stretches in which"
        " nothing held are left out; of one that a bound cuts only the part that was asked for counts.",
        answer="ValueList", errors=(MALFORMED, VEHICLE_NOT_FOUND, PERMISSION, SIGNAL_NOT_FOUND),
        parameters=(
            Parameter(
                history.FROM, "Observed from then on: ISO 8601, or milliseconds since 1970.", "2026-05-01T00:00:00Z",
                pattern=instants.INSTANT_PATTERN,
            ),
            Parameter(history.TO, "Observed before this time.", "2026-05-02T00:00:00Z", pattern=instants.INSTANT_PATTERN),
            Parameter(
                history.RESOLUTION, "raw, or an ISO 8601 duration from PT1M to P31D.", "PT15M",
                pattern=f"^raw$|{instants.DURATION_PATTERN}",
            ),
            Parameter(
                paging.SIZE,
                f"Entries on a page, {history.DEFAULT_SIZE} unless said otherwise, {history.MAX_SIZE} at most.",
                "100", minimum=1, maximum=paging.MAX_NUMBER,
            ),
            Parameter(
                cursors.NAME, "Where the page before ended, as links.next has it.", cursors.of_bucket(1_777_629_600_000),
                pattern=cursors.PATTERN,
            ),
            _SOURCE, *_CONDITIONAL,
        ),
    ),
    Route(
        method="GET", path="/vehicles/{vehicle_id}/coverage", name="getCoverage", tag="Signals", v3=True,
        handler=vehicles.read_coverage, summary="Read what each signal can tell", answer="Coverage", parameters=(USER,),
        detail=f"For all {len(CATALOGUE)} signals: age and source of the value, or the reason why there is none."
        " Beside it what each source says, and why it does not count.",
        errors=(VEHICLE_NOT_FOUND,),
    ),
    Route(
        method="GET", path="/connections", name="listConnections", tag="Connections", v3=True,
        handler=connections.list_connections, summary="List the application's connections", answer="ConnectionList",
        detail="An application that sees every vehicle has a connection with each, as a user of its own. Filters may also be"
        " written as filter[user_id], filter[user.id], filter[vehicle_id], filter[vehicle.id] and filter[mode]; others are"
        " passed over.",
        parameters=(
            Parameter("filter[userId]", "Only this user's.", "7d0f5c1e-2a67-4f0b-9f61-0c5d3b1e8a01"),
            Parameter("filter[user.externalId]", "Only those of the user whom you call so.", "owner-1"),
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
        handler=connections.delete_connection, summary="End a connection", status=204,
        errors=(ACCESS_DENIED, CONNECTION_NOT_FOUND),
    ),
    Route(
        method="GET", path="/compatible-vehicles", name="listCompatibleVehicles", tag="Vehicles", v3=True, open=True,
        handler=compatibility.list_compatible_vehicles, summary="List which signals which cars have",
        answer="CompatibleVehicles",
        detail="Which signals the built-in dialects can give, by make and model. Examples: through a station, or a program of"
        " your own, any car can be read. Model years are left out, for they are not known.",
        parameters=(
            Parameter(compatibility.MAKE, "Only this make, in any case.", "TESLA"),
            Parameter(compatibility.REGION, "Only this region.", "EUROPE", values=makes.REGIONS),
            Parameter(compatibility.POWERTRAIN, "Only this powertrain.", "BEV", values=makes.POWERTRAINS),
        ),
        errors=(MALFORMED,),
    ),
    Route(
        method="DELETE", path="/users/{user_id}", name="deleteUser", tag="Connections", v3=True,
        handler=connections.delete_user, summary="End all connections of a user", status=204,
        errors=(ACCESS_DENIED, USER_NOT_FOUND),
    ),
    *WEBHOOK_ROUTES,
    *OPERATOR_ROUTES,
    Route(
        method="GET", path="/stream", name="streamSignals", tag="Signals", handler=stream.stream_signals, limit=STREAMS,
        summary="Follow changes as they are stored", kind=EVENT_STREAM,
        detail="Server-sent events, for as long as the client listens. `id` is the change's position, sealed; `event` is"
        " `signal`; `data` is one line of JSON: the vehicle's id, and the signal as in the envelope, as it was reported. A late"
        " reading comes when it is stored, with its own times. A live value whose time runs out while the stream listens is"
        " sent as `ended`, with status ERROR, once and without an `id`; if it is confirmed unchanged later, as `signal` without"
        " an `id`. What the application may not see is left out. A stream that the server ends says why in a last event, `end`."
        " A comment is sent every 15 seconds where there is nothing to tell, with an `id` alone.",
        parameters=(
            Parameter("vehicle", "Only these vehicles, by id: repeated or separated by commas.", VEHICLE_ID),
            Parameter(
                "signal", "Only these codes: repeated or separated by commas.", "charge-wattage,charge-ischarging",
                pattern=some_of(BY_CODE),
            ),
            Parameter(
                stream.VEHICLES,
                "Whether to say, too, when a vehicle comes or goes: as `vehicles`, without an `id`. Those named that are not"
                " known are then left out.",
                "true",
                values=("true", "false"),
            ),
            Parameter("lastEventId", "As the header, for clients that can't set one.", "0"),
            Parameter(
                "last-event-id", "Resume behind the event with this id, without loss; 0: all there is. Else from now on.",
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
        detail="An array, one object, or one object a line; gzip is taken. Answered once everything accepted is on disk.",
        errors=(MALFORMED, PERMISSION, NOTHING_ACCEPTED),
    ),
    Route(
        method="POST", path="/ingest/smartcar", name="ingestSmartcar", tag="Ingest", handler=smartcar.ingest_smartcar,
        open=True, summary="Take in Smartcar's webhooks", answer="SmartcarAnswer", body="SmartcarEvent", or_accepted=True,
        detail="Set as callback at Smartcar: VERIFY is answered, VEHICLE_STATE and VEHICLE_ERROR are taken where SC-Signature"
        " is right, answered once they are on disk. Events in test mode are answered (202) and not stored.",
        errors=(MALFORMED, UNAUTHORIZED, INVALID_PATH),
    ),
    Route(
        method="POST", path="/ingest/{dialect}", name="ingestDialect", tag="Ingest", handler=ingest.ingest_dialect,
        limit=INGEST,
        summary="Send what a system says in its own words", answer="IngestResult", body="Payload",
        detail="A payload as the system itself writes it, in one of our dialects or one of your own. What is not understood is"
        " kept, and listed in `rejected`.",
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
        detail='`access_token` is null where nobody is signed in; `permissions` is what it may do here.'
        ' `{"share": …}` of a share link gives one that reads its car.',
        errors=(MALFORMED, UNAUTHORIZED, ACCESS_DENIED, RATE_LIMITED),
    ),
    Route(
        method="GET", path="/healthz", name="getHealth", tag="Operation", handler=monitoring.healthz, open=True,
        summary="Is the process alive?", answer="Health",
    ),
    Route(
        method="GET", path="/readyz", name="getReadiness", tag="Operation", open=True,
        summary="Can it read and write its store?", answer="Health", errors=(UNAVAILABLE,),
    ),
    Route(
        method="GET", path="/metrics", name="getMetrics", tag="Operation", open=True,
        summary="Counters for Prometheus", kind="text/plain",
    ),
    Route(
        method="GET", path="/openapi.json", name="getOpenApi", tag="Documentation", open=True,
        summary="This API, described", answer="OpenApiDocument",
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
    Route(
        method="GET", path="/page/{module}", name="getPageModule", tag="Documentation", open=True,
        summary="A module of the page", kind="text/javascript", parameters=(_IF_NONE_MATCH,), errors=(INVALID_PATH,),
    ),
)  # fmt: skip
