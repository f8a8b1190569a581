"""The request of an application to a person at `/oauth/authorize`, and where the answer is sent."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from chargeport.api.consents import CHALLENGE
from chargeport.errors import MALFORMED, Problem
from chargeport.signals.definition import READS, Permission
from chargeport.store.protocols import Store
from chargeport.store.records import Application

RESPONSE_TYPES: Final = ("code", "none", "vehicle_id")
MODES: Final = ("live", "simulated")
MAX_TEXT: Final = 1024
_REQUIRED: Final = "required:"
_OFFERED: Final = tuple(
    permission for permission in Permission if permission in READS or permission is Permission.CONTROL_CHARGE
)


class RefusedError(Exception):
    """An error that is sent to the application (RFC 6749, 4.1.2.1)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class Destination(NamedTuple):
    """The application, and the registered address to which the person is redirected."""

    application: Application
    redirect_uri: str
    state: str | None

    def back(self, **parameters: str) -> str:
        """Return the redirect address with these parameters."""
        parts = urlsplit(self.redirect_uri)
        members = [*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()]
        members += [] if self.state is None else [("state", self.state)]
        return urlunsplit(parts._replace(query=urlencode(members)))


class ConnectRequest(NamedTuple):
    """A request of an application. The person can't remove the permissions in `required`."""

    response_type: str
    permissions: tuple[Permission, ...]
    required: frozenset[Permission]
    mode: str | None
    make: str | None
    user: str | None
    external_id: str | None
    is_single: bool
    challenge: str | None


async def destination(query: Mapping[str, str], store: Store) -> Destination:
    """Return where errors and answers are sent. Raises Problem if that is not known: then nobody is redirected."""
    client_id = query.get("client_id") or query.get("application_id")
    if not client_id:
        raise Problem(MALFORMED, "client_id is missing: the application has to send its id.")
    found = await store.access.application(client_id)
    if found is None or found[0].revoked_at is not None:
        raise Problem(MALFORMED, "No application has this client_id: chargeport app list shows those there are.")
    registered = await store.connect.redirects(client_id)
    redirect_uri = query.get("redirect_uri")
    if redirect_uri is None or redirect_uri not in registered:
        raise Problem(
            MALFORMED,
            "redirect_uri is not registered for this application: chargeport app create --redirect URI does that.",
        )
    state = query.get("state")
    return Destination(found[0], redirect_uri, None if state is None else state[:MAX_TEXT])


def connect_request(query: Mapping[str, str], application: Application) -> ConnectRequest:
    """Return the request. Raises RefusedError."""
    response_type = query.get("response_type", "")
    if response_type not in RESPONSE_TYPES:
        raise RefusedError("unsupported_response_type", f"response_type is one of {', '.join(RESPONSE_TYPES)}.")
    mode = query.get("mode")
    if mode is not None and mode not in MODES:
        raise RefusedError("invalid_request", f"mode is one of {', '.join(MODES)}.")
    challenge, method = query.get("code_challenge"), query.get("code_challenge_method", "plain")
    if challenge is not None and (method != "S256" or CHALLENGE.fullmatch(challenge) is None):
        raise RefusedError("invalid_request", "code_challenge needs code_challenge_method=S256.")
    permissions, required = _scope(query.get("scope"), application)
    return ConnectRequest(
        response_type=response_type,
        permissions=permissions,
        required=required,
        mode=mode,
        make=query.get("make"),
        user=query.get("user"),
        external_id=query.get("external_id"),
        is_single=query.get("single_select", "").lower() in ("true", "1"),
        challenge=challenge,
    )


def _scope(scope: str | None, application: Application) -> tuple[tuple[Permission, ...], frozenset[Permission]]:
    """Return the requested permissions, and those of them that are required. Unknown names are ignored."""
    words = sorted(READS) if not scope else scope.split()
    named = {word.removeprefix(_REQUIRED) for word in words}
    required = {word.removeprefix(_REQUIRED) for word in words if word.startswith(_REQUIRED)}
    permissions = tuple(permission for permission in _OFFERED if permission in named and permission in application.permissions)
    if not permissions:
        raise RefusedError("invalid_scope", f"The application has none of these permissions; there are {', '.join(_OFFERED)}.")
    return permissions, frozenset(permission for permission in permissions if permission in required)
