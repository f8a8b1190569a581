"""Issues: what can't be understood or stored, with the message."""

from typing import Final

import msgspec

from chargeport.signals.reading import Issue
from chargeport.signals.violation import Rule, Violation
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.records import Outcome

MAX_SUBJECT: Final = 200
MAX_DETAIL: Final = 400
MAX_NAME: Final = 80  # of an unknown vehicle
MAX_SHOWN: Final = 16_384  # characters of a message that can't be encoded
MAX_AT: Final = 1 << 53  # milliseconds; the largest integer that every JSON parser represents exactly
VEHICLE: Final = "vehicle"  # the subject of issues about unknown vehicles


def issue_of(part: RawMessage | Delivery, subject: str, rule: Rule, detail: str) -> Issue:
    """Return an issue with its message or delivery."""
    vehicle = None if part.vehicle is None else str(part.vehicle)[:MAX_NAME]
    return Issue(part.source, subject[:MAX_SUBJECT], detail[:MAX_DETAIL], message_text(part), part.received_at, vehicle, rule)


def unreadable_issue(part: RawMessage | Delivery, error: Exception) -> Issue:
    """Return the issue of a message or delivery that raised an error when it was read."""
    subject = (part.topic if isinstance(part, Delivery) else "") or "payload"
    what = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
    return issue_of(part, subject, Rule.BAD_FORMAT, f"can't be read: {what}")


def unknown_vehicle_issue(message: RawMessage, only_for: str | None) -> Issue:
    """Return the issue of a message about an unknown vehicle.

    An application that is limited to its connections (`only_for`) must not learn which other vehicles exist.
    """
    if only_for is not None:
        return refused_issue(message, Outcome.NOT_PERMITTED)
    name = message.vehicle[:MAX_NAME]
    detail = (
        f"no vehicle is called {name!r}: give it this alias ({message.source}:{name} where other sources use the name too), or"
        " let [ingest] auto_register make cars known by their VIN"
    )
    return issue_of(message, VEHICLE, Rule.UNKNOWN_VEHICLE, detail)


def refused_issue(message: RawMessage, outcome: Outcome) -> Issue:
    """Return the issue of a message that the store refused."""
    violation = refusal(outcome)
    detail = violation.detail if violation.rule is Rule.NOT_PERMITTED else "the vehicle was removed"
    return issue_of(message, VEHICLE, violation.rule, detail)


def refusal(outcome: Outcome) -> Violation:
    """Return why the store refused an entry."""
    if outcome is Outcome.NOT_PERMITTED:
        return Violation(Rule.NOT_PERMITTED, "the application has no writing connection to this vehicle", VEHICLE)
    return Violation(Rule.UNKNOWN_VEHICLE, "no vehicle has this id, VIN or alias: add it first", VEHICLE)


def message_text(part: RawMessage | Delivery) -> str:
    """Return a message or delivery as JSON text that `source replay` reads; its `repr` where it can't be encoded."""
    try:
        return msgspec.json.encode(part, enc_hook=repr).decode()
    except Exception:  # noqa: BLE001  (a third-party source may pass any object)
        return repr(part)[:MAX_SHOWN]


def storable(issue: Issue) -> Issue:
    """Return the issue with texts and numbers that can be stored: a lone surrogate becomes a question mark."""
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
