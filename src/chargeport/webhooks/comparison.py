"""Compare the state of a vehicle with the state that was last sent to a webhook. Pure functions."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Self

import msgspec

from chargeport.signals.effective import Effective
from chargeport.signals.reading import AbsenceReason
from chargeport.store.records import Change
from chargeport.store.webhooks import Webhook
from chargeport.webhooks import payload

Known = Mapping[str, Effective | None]
"""The effective states of a vehicle, by the codes of signals."""

# Sent as VEHICLE_ERROR. The other reasons are states of a vehicle that works.
ERRORS: Final = frozenset(
    {
        AbsenceReason.NOT_PERMITTED,
        AbsenceReason.UNREACHABLE,
        AbsenceReason.UNREADABLE,
        AbsenceReason.SOURCE_FAILED,
    }
)

# Reasons that end when the same value is reported again.
TEMPORARY: Final = frozenset({AbsenceReason.UNREACHABLE, AbsenceReason.NOT_CHARGING})


class Sent(msgspec.Struct, frozen=True):
    """The state that was sent with an event: change and reason of each code, and the codes of each error.

    `position` is that of the last change that was sent, `observed_at` the instant of the newest value.
    """

    signals: dict[str, str] = {}
    errors: dict[str, list[str]] = {}
    position: int = 0
    observed_at: int = 0

    @classmethod
    def of(cls, known: Known, position: int, observed_at: int) -> Self:
        """Return the state that an event with these states sends."""
        marks = {code: _mark(found) for code, found in known.items() if found is not None}
        return cls(marks, _errors(known), position, observed_at)


decode_sent = msgspec.json.Decoder(Sent).decode
"""Decodes the stored JSON text."""


class Burst(NamedTuple):
    """Changes of a vehicle that are one event: the position of the last, and the instant of the newest."""

    position: int
    observed_at: int


def bursts_of(changes: Iterable[Change], window_ms: int) -> dict[str, list[Burst]]:
    """Return the bursts of each vehicle: the changes received within `window_ms` of the first of them.

    A late change, observed before another of the burst, does not alter the burst's instant.
    """
    found: dict[str, list[Burst]] = {}
    opened: dict[str, int] = {}
    for change in changes:
        bursts = found.setdefault(change.vehicle_id, [])
        burst = Burst(change.position, max([change.observed_at, *(burst.observed_at for burst in bursts[-1:])]))
        if bursts and 0 <= change.received_at - opened[change.vehicle_id] <= window_ms:
            bursts[-1] = burst
        else:
            opened[change.vehicle_id] = change.received_at
            bursts.append(burst)
    return found


def has_temporary(known: Known) -> bool:
    """Return whether a value is unavailable that may become available again without a change in the feed."""
    return any(found and found.unavailability and found.unavailability.reason in TEMPORARY for found in known.values())


def triggers(webhook: Webhook, before: Sent | None, after: Sent) -> list[str]:
    """Return the triggers of an event: the codes whose state differs, or FIRST_DELIVERY."""
    if before is None:
        return [payload.FIRST_DELIVERY]
    return [code for code in webhook.fields.triggers if after.signals.get(code) != before.signals.get(code)]


def new_errors(before: Sent | None, after: Sent, docs: str) -> list[dict[str, object]]:
    """Return the errors that began and those that ended; `docs` is the URL of the page that explains them."""
    errors_before = {} if before is None else before.errors
    entries = []
    for reason in filter(ERRORS.__contains__, AbsenceReason):
        was, now = set(errors_before.get(reason, ())), set(after.errors.get(reason, ()))
        for codes, is_over in ((now - was, False), (was - now, True)):
            if codes and (before is not None or not is_over):
                entries.append(payload.vehicle_error(reason, sorted(codes), docs, is_over=is_over))
    return entries


def _mark(found: Effective) -> str:
    """Return the identity of a state: the position of its change, and why it is unavailable."""
    reason = "" if found.unavailability is None else found.unavailability.reason
    return f"{found.state.position}:{reason}"


def _errors(known: Known) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for code, found in known.items():
        if found is not None and found.unavailability is not None and found.unavailability.reason in ERRORS:
            errors.setdefault(found.unavailability.reason, []).append(code)
    return errors
