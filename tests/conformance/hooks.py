"""What Schemathesis is given: our checks, who asks, whom webhooks may call, and the note of which operations succeeded."""

import atexit
import json
import os
import re
from pathlib import Path
from typing import Any

import requests
import schemathesis
from accepted import what_does_not_fit_the_description_is_refused, what_fits_the_description_is_accepted
from fuzz_world import KEPT, READER
from schemathesis.generation.meta import TestPhase

from chargeport import demo
from chargeport.simulation.control import MAX_ADVANCE_S, MAX_SPEED

__all__ = ["what_does_not_fit_the_description_is_refused", "what_fits_the_description_is_accepted"]

NOTES = Path(os.environ["FUZZ_NOTES"])
CREDENTIALS = os.environ.get("FUZZ_CREDENTIALS")  # where tokens end meanwhile: client id and secret, with a colon between
# A month of a simulation, or a fast one, takes long, and is no other than a minute.
BRIEF = {"advanceSeconds": (60, MAX_ADVANCE_S), "speed": (1, MAX_SPEED)}
USER_HEADER = "sc-user-id"
NARROWING = ("page[", "filter[")
ENDED = {"connection_id", "user_id"}
# Nobody listens there. A receiver that was made up might be somebody's.
RECEIVER = re.compile(r"^https?://[^/?#@:\[\]\\\s]+(:[0-9]{1,4})?(?=[/?]|$)")
NOWHERE = "http://127.0.0.1:9"

statuses: dict[str, list[int]] = {}


if CREDENTIALS is not None:

    @schemathesis.auth(refresh_interval=None)
    class FreshToken:
        """Gets a token for each request: those before it may have set the clock forward, or ended all tokens."""

        def get(self, case: schemathesis.Case, _: schemathesis.AuthContext) -> str:
            client_id, _, client_secret = str(CREDENTIALS).partition(":")
            body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
            answer = requests.post(f"{case.operation.base_url.rstrip('/')}/oauth2/token", json=body, timeout=30)
            return str(answer.json()["access_token"])

        def set(self, case: schemathesis.Case, token: str, _: schemathesis.AuthContext) -> None:
            case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Have no webhook call anybody, no clock run far, and nobody end what the vehicle of the examples is read by.

    Lists that links start from are read whole: nothing follows from an empty page.
    """
    case.body = tame(case.body)
    if case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL and case.method == "GET":
        case.query = {name: each for name, each in case.query.items() if not name.startswith(NARROWING)}
        case.headers.pop(USER_HEADER, None)
    if CREDENTIALS is not None and case.headers.get(USER_HEADER) == READER:
        case.headers[USER_HEADER] = demo.USER  # whose the demo's vehicle is
    for name in ENDED & case.path_parameters.keys():
        if case.method == "DELETE" and case.path_parameters[name] in KEPT:
            case.path_parameters[name] = "kept"


def tame(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {name: _tame_member(name, each) for name, each in body.items()}


def _tame_member(name: str, member: Any) -> Any:
    if name in ("callbackUri", "errorCallbackUri") and isinstance(member, str):
        return RECEIVER.sub(NOWHERE, member)
    if name in BRIEF and isinstance(member, int | float):
        brief, longest = BRIEF[name]
        return brief if brief < member <= longest else member
    return tame(member)


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    statuses.setdefault(case.operation.label, []).append(response.status_code)


@atexit.register
def note() -> None:
    """Write down by operation which statuses it was answered with."""
    known = json.loads(NOTES.read_text()) if NOTES.exists() else {}
    for operation, found in statuses.items():
        known[operation] = sorted({*known.get(operation, ()), *found})
    NOTES.write_text(json.dumps(known))
