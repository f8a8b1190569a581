"""`POST /ingest/smartcar`: receive Smartcar's own webhooks. VERIFY is answered, everything else must be signed.

The signature is described at docs.smartcar.com (payload and callback verification); recorded payloads agree. It covers the raw
bytes and is checked before anything is decoded. A challenge is signed for any client, with the key that also signs events: so a
challenge that could be an event is refused.
"""

import hashlib
import hmac
import re
from contextlib import suppress
from typing import Any, Final

import msgspec

from chargeport.api.guesses import SIGNATURE, WrongCredentialError
from chargeport.api.ingest import answer, delivery
from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Response, json_answer
from chargeport.dialects.smartcar import EVENTS
from chargeport.errors import INVALID_PATH, MALFORMED, TOO_LARGE, ConflictError, Problem
from chargeport.ingest.batch import Batch
from chargeport.ingest.issues import issue_of
from chargeport.ingest.vehicle_names import new_vehicle
from chargeport.signals.violation import Rule
from chargeport.store.protocols import Store

DIALECT: Final = "smartcar"
MAX_UNSIGNED: Final = 8_192  # bytes of a body without a signature: a VERIFY has 2,000 at the most
CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,1024}")  # no brackets: an event is a JSON object
VERIFY: Final = "VERIFY"
YEARS: Final = range(1900, 2101)

_DIGEST: Final = re.compile(rb"[0-9a-f]{64}")


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    """The members that are read here; the dialect reads the rest, and reports an issue for what it can't read."""

    event_type: Any = None
    event_name: Any = None  # of the older format, in which the challenge is in `payload`
    data: Any = None
    payload: Any = None
    meta: Any = None

    @property
    def is_verify(self) -> bool:
        """Whether Smartcar verifies that this is the application's server."""
        return VERIFY in (self.event_type, str(self.event_name).upper())


async def ingest_smartcar(request: Request) -> Response:
    """Answer a VERIFY; store an event with a valid signature: answer 200 once it is on disk, or stored as an issue."""
    key = request.context.settings.smartcar.management_token
    if not key:
        raise Problem(INVALID_PATH, "Smartcar's webhooks are not taken here: set [smartcar] management_token.")
    body, is_signed = await _read(request, key)
    event = _event(body) if is_signed or len(body) <= MAX_UNSIGNED else None
    if event is not None and event.is_verify:
        return _verified(request, key, _member(event.data, "challenge") or _member(event.payload, "challenge"))
    if not is_signed:
        raise _unsigned()
    if event is None:
        raise Problem(MALFORMED, "The body is no webhook of Smartcar's: a JSON object is wanted.")
    if str(_member(event.meta, "mode")).upper() == "TEST":  # test data of Smartcar: accepted, and not stored
        return json_answer(202, {"accepted": 0, "superseded": 0, "unchanged": 0, "rejected": []}, request.request_id)
    # An event that can't be read is stored as an issue, to be replayed: if it were sent again, it would only be stored again.
    return answer(request, await _stored(request, event, body), is_accepted=True)


async def _read(request: Request, key: str) -> tuple[bytes, bool]:
    """Return the body, and whether its signature is valid. Raises Problem."""
    signature = (request.header(b"sc-signature") or b"").strip().lower()
    max_bytes = request.context.settings.ingest.max_bytes
    try:
        body = await read_body(request, max_bytes if _DIGEST.fullmatch(signature) else min(max_bytes, MAX_UNSIGNED))
    except Problem as problem:
        if problem.kind is TOO_LARGE and not _DIGEST.fullmatch(signature):
            raise _unsigned() from None
        raise
    return body, hmac.compare_digest(_signature(key, body), signature)


def _unsigned() -> WrongCredentialError:
    wrong = "SC-Signature is missing or wrong: [smartcar] management_token must be the application's."
    return WrongCredentialError(wrong, SIGNATURE, DIALECT)


def _event(body: bytes) -> _Event | None:
    try:
        return msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


async def _stored(request: Request, event: _Event, body: bytes) -> Batch:
    """Store an event; one of an unknown type is stored as an issue."""
    pipeline, vehicle = request.context.pipeline, _member(event.data, "vehicle")
    if event.event_type not in EVENTS:
        name = _member(vehicle, "id")
        delivered = delivery(request, DIALECT, body, name if isinstance(name, str) else None)
        batch = pipeline.batch()
        detail = f"events of this type are not known: {' and '.join(EVENTS)} are"
        batch.add_issues(0, issue_of(delivered, f"eventType {event.event_type}", Rule.NOT_ALLOWED, detail))
        return await pipeline.write(batch)
    if request.context.settings.smartcar.auto_register:
        await _register(request.context.store, vehicle, request.context.clock.now())
    return await pipeline.take([delivery(request, DIALECT, body)])


def _verified(request: Request, key: str, challenge: Any) -> Response:
    if not isinstance(challenge, str) or CHALLENGE.fullmatch(challenge) is None:
        raise Problem(MALFORMED, "data.challenge: a text of 1 to 1024 letters, digits and . _ ~ + / = - is wanted.")
    return json_answer(200, {"challenge": _signature(key, challenge.encode()).decode()}, request.request_id)


def _signature(key: str, message: bytes) -> bytes:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest().encode()


def _member(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, dict) else None


async def _register(store: Store, part: Any, now: int) -> None:
    """Register a car under Smartcar's id, unless that is a name of a car already."""
    name = _member(part, "id")
    car = new_vehicle(name, now) if isinstance(name, str) else None
    if car is None or car.vin is not None or await store.vehicles.find_vehicle(name) is not None:
        return  # Smartcar's ids are UUIDs; anything else becomes an issue
    with suppress(ConflictError):  # registered meanwhile
        await store.vehicles.add_vehicle(msgspec.structs.replace(car, **_facts(part)))


def _facts(part: dict[str, Any]) -> dict[str, Any]:
    """Return the valid facts that Smartcar reports of a car."""
    texts = {name: part[name] for name in ("make", "model") if isinstance(part.get(name), str) and part[name].strip()}
    year = part.get("year")
    return texts | ({"year": year} if type(year) is int and year in YEARS else {})
