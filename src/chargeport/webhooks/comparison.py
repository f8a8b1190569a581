"""What an event has to say: the state of a vehicle beside what a webhook was sent of it last. Pure functions."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Self

import msgspec

from chargeport.signals.effective import Effective
from chargeport.signals.reading import AbsenceReason
from chargeport.store.records import Change
from chargeport.store.webhooks import Webhook
from chargeport.webhooks import payload

Known = Mapping[str, Effective | None]
"""What is effective of a vehicle, by the codes of signals."""

# What is sent to owners as an error of the vehicle. That it is not charging, or lacks a thing, is a state like any other.
ERRORS: Final = frozenset(
    {
        AbsenceReason.NOT_PERMITTED,
        AbsenceReason.UNREACHABLE,
        AbsenceReason.UNREADABLE,
        AbsenceReason.SOURCE_FAILED,
    }
)

# What ends when the same value is reported once more.
PASSING: Final = frozenset({AbsenceReason.UNREACHABLE, AbsenceReason.NOT_CHARGING})


class Sent(msgspec.Struct, frozen=True):
    """What an event said: for each code which change and which reason, and the codes of each error.

    `position` is the change of the feed up to which all was sent, `observed_at` when the newest value was observed.
    """

    signals: dict[str, str] = {}
    errors: dict[str, list[str]] = {}
    position: int = 0
    observed_at: int = 0

    @classmethod
    def of(cls, known: Known, position: int, observed_at: int) -> Self:
        """Return what an event says that carries all of this."""
        marks = {code: _mark(found) for code, found in known.items() if found is not None}
        return cls(marks, _errors(known), position, observed_at)


recalled = msgspec.json.Decoder(Sent).decode
"""Returns what was sent, from the text that is kept of it."""


class Burst(NamedTuple):
    """Changes of a vehicle that are one event: up to which position of the feed, and when the newest was observed."""

    position: int
    observed_at: int


def bursts_of(changes: Iterable[Change], window_ms: int) -> dict[str, list[Burst]]:
    """Return the bursts of each vehicle: what was received within a window that its first change opens.

    A change that was observed before others of the vehicle leaves the instant as it is: it is sent with them.
    """
    found: dict[str, list[Burst]] = {}
    opened: dict[str, int] = {}
    for change in changes:
        bursts = found.setdefault(change.vehicle_id, [])
        burst = Burst(change.position, max([change.observed_at, *(each.observed_at for each in bursts[-1:])]))
        if bursts and 0 <= change.received_at - opened[change.vehicle_id] <= window_ms:
            bursts[-1] = burst
        else:
            opened[change.vehicle_id] = change.received_at
            bursts.append(burst)
    return found


def is_passing(known: Known) -> bool:
    """Return whether something is not shown that comes back without a change."""
    return any(each and each.unavailability and each.unavailability.reason in PASSING for each in known.values())


def triggers(webhook: Webhook, before: Sent | None, after: Sent) -> list[str]:
    """Return what triggers an event: the codes whose state is another one, or that it is the first event."""
    if before is None:
        return [payload.FIRST_DELIVERY]
    return [code for code in webhook.fields.triggers if after.signals.get(code) != before.signals.get(code)]


def new_errors(before: Sent | None, after: Sent, docs: str) -> list[dict[str, object]]:
    """Return the errors that came and those that are over since; `docs` is the URL of the page that explains them."""
    known = {} if before is None else before.errors
    found = []
    for reason in (each for each in AbsenceReason if each in ERRORS):
        was, now = set(known.get(reason, ())), set(after.errors.get(reason, ()))
        for codes, is_over in ((now - was, False), (was - now, True)):
            if codes and (before is not None or not is_over):
                found.append(payload.vehicle_error(reason, sorted(codes), docs, is_over=is_over))
    return found


def _mark(found: Effective) -> str:
    """Return what tells one state from another: which change brought it, from which source, and why it may not be shown."""
    reason = "" if found.unavailability is None else found.unavailability.reason
    return f"{found.state.position}:{reason}"


def _errors(known: Known) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for code, found in known.items():
        if found is not None and found.unavailability is not None and found.unavailability.reason in ERRORS:
            errors.setdefault(found.unavailability.reason, []).append(code)
    return errors
