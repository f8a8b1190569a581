"""Where an error becomes an issue: what can't be understood or stored, with the message that it is about."""

from typing import Final

import msgspec

from chargeport.signals.reading import Issue
from chargeport.signals.violation import Rule, Violation
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.records import Outcome

MAX_SUBJECT: Final = 200
MAX_DETAIL: Final = 400
MAX_NAME: Final = 80  # of a vehicle that is not known
MAX_SHOWN: Final = 16_384  # characters of what can't be kept as it came
MAX_AT: Final = 1 << 53  # milliseconds; what is later is no instant, and not every program can count so far
VEHICLE: Final = "vehicle"  # the subject of issues about unknown vehicles


def issue_of(part: RawMessage | Delivery, subject: str, rule: Rule, detail: str) -> Issue:
    """Return the issue that keeps a message or delivery."""
    vehicle = None if part.vehicle is None else str(part.vehicle)[:MAX_NAME]
    return Issue(part.source, subject[:MAX_SUBJECT], detail[:MAX_DETAIL], kept(part), part.received_at, vehicle, rule)


def unreadable(part: RawMessage | Delivery, error: Exception) -> Issue:
    """Return the issue of a message or delivery that raised an error when it was read."""
    subject = (part.topic if isinstance(part, Delivery) else "") or "payload"
    what = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
    return issue_of(part, subject, Rule.BAD_FORMAT, f"can't be read: {what}")


def unknown_vehicle(message: RawMessage, only_for: str | None) -> Issue:
    """Return the issue of a message about a vehicle that nobody knows.

    An application that writes to connected vehicles only is not told which others there are.
    """
    if only_for is not None:
        return refused(message, Outcome.NOT_PERMITTED)
    name = message.vehicle[:MAX_NAME]
    detail = (
        f"no vehicle is called {name!r}: give it this alias ({message.source}:{name} where other sources use the name too), or"
        " let [ingest] auto_register make cars known by their VIN"
    )
    return issue_of(message, VEHICLE, Rule.UNKNOWN_VEHICLE, detail)


def refused(message: RawMessage, outcome: Outcome) -> Issue:
    """Return the issue of a message that the store did not take."""
    found = refusal(outcome)
    detail = found.detail if found.rule is Rule.NOT_PERMITTED else "the vehicle was removed"
    return issue_of(message, VEHICLE, found.rule, detail)


def refusal(outcome: Outcome) -> Violation:
    """Return why the store did not take an entry."""
    if outcome is Outcome.NOT_PERMITTED:
        return Violation(Rule.NOT_PERMITTED, "the application has no writing connection to this vehicle", VEHICLE)
    return Violation(Rule.UNKNOWN_VEHICLE, "no vehicle has this id, VIN or alias: add it first", VEHICLE)


def kept(part: RawMessage | Delivery) -> str:
    """Return a message or delivery as JSON text that `source replay` reads again; what is none, as it is shown."""
    try:
        return msgspec.json.encode(part, enc_hook=repr).decode()
    except Exception:  # noqa: BLE001  (an odd object of a source of somebody else's: at least somebody can look at it)
        return repr(part)[:MAX_SHOWN]


def storable(issue: Issue) -> Issue:
    """Return the issue in texts and numbers that can be written down: half a character becomes a question mark."""
    if not 0 <= issue.received_at <= MAX_AT:
        issue = msgspec.structs.replace(issue, received_at=0)
    try:
        "".join((issue.source, issue.subject, issue.detail, issue.raw, issue.vehicle or "")).encode()
    except UnicodeEncodeError:
        texts = {
            name: text.encode("utf-8", "replace").decode()
            for name, text in msgspec.structs.asdict(issue).items()
            if type(text) is str
        }
        return msgspec.structs.replace(issue, **texts)
    return issue
