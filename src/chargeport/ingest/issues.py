"""The issues that the way in makes itself: unknown cars, dialects that fail in a way of their own, texts that are none."""

from typing import Final

import msgspec

from chargeport.ingest.engine import kept
from chargeport.signals.reading import Entry, Issue
from chargeport.signals.violation import Rule
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.records import Outcome

NO_VEHICLE: Final = "vehicle"  # the subject of issues about cars that nobody knows
MAX_SHOWN: Final = 16_384  # characters of what can't be kept as it came
MAX_AT: Final = 1 << 53  # milliseconds; what is later is no instant, and not every program can count so far


class Heard(msgspec.Struct, frozen=True):
    """An entry, the message that it was made of, and which one that was among those handed on."""

    entry: Entry
    message: RawMessage
    place: int


def poisoned(part: RawMessage | Delivery, error: Exception) -> Issue:
    """The issue that keeps a message or delivery, with what happened when it was read."""
    subject = (part.topic if isinstance(part, Delivery) else "") or "payload"
    what = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
    vehicle = None if part.vehicle is None else str(part.vehicle)[:80]
    return Issue(
        part.source, subject[:200], f"can't be read: {what}"[:400], _kept(part), part.received_at, vehicle, Rule.BAD_FORMAT
    )


def storable(issue: Issue) -> Issue:
    """The issue, in texts and numbers that can be written down: half a character becomes a question mark."""
    if not 0 <= issue.received_at <= MAX_AT:
        issue = msgspec.structs.replace(issue, received_at=0)
    try:
        "".join((issue.source, issue.subject, issue.detail, issue.raw, issue.vehicle or "")).encode()
    except UnicodeEncodeError:
        texts = {name: _whole(text) for name, text in msgspec.structs.asdict(issue).items() if type(text) is str}
        return msgspec.structs.replace(issue, **texts)
    return issue


def unknown_vehicle(message: RawMessage, only_for: str | None) -> Issue:
    """No car has the name. Whoever writes to connected vehicles only is not told which others there are."""
    name = message.vehicle[:80]
    if only_for is not None:
        return _no_vehicle(message, "the application has no writing connection to this vehicle", Rule.NOT_PERMITTED)
    detail = (
        f"no vehicle is called {name!r}: give it this alias ({message.source}:{name} where other sources use the name too), or"
        " let [ingest] auto_register make cars known by their VIN"
    )
    return _no_vehicle(message, detail, Rule.UNKNOWN_VEHICLE)


def refused(heard: Heard, outcome: Outcome) -> Issue:
    """What the store did not take: a car removed in this moment, or one that is not for this application."""
    if outcome is Outcome.NOT_PERMITTED:
        return _no_vehicle(heard.message, "the application has no writing connection to this vehicle", Rule.NOT_PERMITTED)
    return _no_vehicle(heard.message, "the vehicle was removed", Rule.UNKNOWN_VEHICLE)


def _kept(part: RawMessage | Delivery) -> str:
    try:
        return kept(part)
    except Exception:  # noqa: BLE001  (not even that: at least somebody can look at it)
        return repr(part)[:MAX_SHOWN]


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _no_vehicle(message: RawMessage, detail: str, rule: Rule) -> Issue:
    return Issue(message.source, NO_VEHICLE, detail, kept(message), message.received_at, message.vehicle[:80], rule)
