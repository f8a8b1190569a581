"""`POST /ingest/smartcar`: Smartcar's own webhooks in. VERIFY is answered, everything else must be signed.

What is signed and how: docs.smartcar.com, payload and callback verification; recorded payloads agree. A challenge is signed for
anybody who asks, with the key that events are signed with: so none is signed that could be an event itself.
"""

import hashlib
import hmac
import re
from contextlib import suppress
from typing import Any, Final

import msgspec

from chargeport.api import ingest_dialect as pushes
from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Response, json_answer
from chargeport.errors import INVALID_PATH, MALFORMED, UNAUTHORIZED, ConflictError, Problem
from chargeport.ingest.vehicle_names import new_vehicle
from chargeport.store.protocols import Store

DIALECT: Final = "smartcar"
SIGNATURE: Final = b"sc-signature"
CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,1024}")  # no brackets: an event is a JSON object
VERIFY: Final = "VERIFY"
EVENTS: Final = ("VEHICLE_STATE", "VEHICLE_ERROR")
YEARS: Final = range(1900, 2101)


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    """What is looked at here; the dialect reads the rest, and whatever it can't read is an issue and no lost delivery."""

    event_type: Any = None
    event_name: Any = None  # of the older form, in which the challenge stands in `payload`
    data: Any = None
    payload: Any = None
    meta: Any = None


async def ingest_smartcar(request: Request) -> Response:
    """Response a VERIFY; take in a VEHICLE_STATE or VEHICLE_ERROR whose signature is right, 200 once it is on disk."""
    key = request.context.settings.smartcar.management_token
    if not key:
        raise Problem(INVALID_PATH, "Smartcar's webhooks are not taken here: set [smartcar] management_token.")
    body = await read_body(request, request.context.settings.ingest.max_bytes)
    event = _read(body)
    if VERIFY in (event.event_type, str(event.event_name).upper()):
        return _verified(request, key, _member(event.data, "challenge") or _member(event.payload, "challenge"))
    if not hmac.compare_digest(_signature(key, body), (request.header(SIGNATURE) or b"").strip().lower()):
        raise Problem(UNAUTHORIZED, "SC-Signature is missing or wrong: [smartcar] management_token must be the application's.")
    if event.event_type not in EVENTS:
        raise Problem(MALFORMED, f"eventType: {str(event.event_type)[:40]!r} is not known: VERIFY, {' or '.join(EVENTS)}.")
    if str(_member(event.meta, "mode")).upper() == "TEST":  # made up by Smartcar: understood, and not stored
        return json_answer(202, {"accepted": 0, "superseded": 0, "unchanged": 0, "rejected": []}, request.request_id)
    if request.context.settings.smartcar.auto_register:
        await _register(request.context.store, _member(event.data, "vehicle"), request.context.clock.now())
    taken = await request.context.intake.take([pushes.delivery(request, DIALECT, body)])
    # What could not be stored is kept as an issue, to be replayed: sent again it would only be kept again.
    return pushes.answer(request, taken, kept_is_enough=True)


def _read(body: bytes) -> _Event:
    try:
        return msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(MALFORMED, f"The body is no webhook of Smartcar's: {error}.") from None


def _verified(request: Request, key: str, challenge: Any) -> Response:
    if not isinstance(challenge, str) or CHALLENGE.fullmatch(challenge) is None:
        raise Problem(MALFORMED, "data.challenge: a text of 1 to 1024 letters, digits and . _ ~ + / = - is wanted.")
    return json_answer(200, {"challenge": _signature(key, challenge.encode()).decode()}, request.request_id)


def _signature(key: str, message: bytes) -> bytes:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest().encode()


def _member(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, dict) else None


async def _register(store: Store, said: Any, now: int) -> None:
    """Make a car known under Smartcar's id; one that some car has as a name already is known."""
    name = _member(said, "id")
    car = new_vehicle(name, now) if isinstance(name, str) else None
    if car is None or car.vin is not None or await store.vehicles.find_vehicle(name) is not None:
        return  # Smartcar's ids are UUIDs; anything else becomes an issue that names it
    with suppress(ConflictError):  # somebody else was quicker
        await store.vehicles.add_vehicle(msgspec.structs.replace(car, **_facts(said)))


def _facts(said: dict[str, Any]) -> dict[str, Any]:
    """What Smartcar says of a car, as far as it is what it should be."""
    texts = {name: said[name] for name in ("make", "model") if isinstance(said.get(name), str) and said[name].strip()}
    year = said.get("year")
    return texts | ({"year": year} if type(year) is int and year in YEARS else {})
