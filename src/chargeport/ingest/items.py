"""The items of `POST /ingest/readings`: each a signal or a bundle of signals, each checked for itself.

A bad item or a bad signal in a bundle is rejected with its index, the rule and the member; what stands beside it is taken.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from chargeport.dialects.statuses import reason_of
from chargeport.ingest.times import observed_at
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.signals.violation import Rule, Violation

MAX_REFERENCE: Final = 128
MAX_BUNDLE: Final = 100  # four times what there is: each unknown one is answered, and an answer must not outgrow its request

# What Smartcar's own status objects mean; a code that is not here is told by its type alone.


class StatusError(msgspec.Struct, frozen=True):
    """The error of a status object, as Smartcar writes it."""

    type: str
    code: str | None = None


class Status(msgspec.Struct, frozen=True):
    """Why there is no value."""

    value: str
    error: StatusError | None = None


_NO_BODY: Final = (msgspec.Raw(), msgspec.Raw(b"null"))


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"observed_at": "observedAt", "raw_body": "body"}):
    """One item: `signal` with `body` (or with `status`), or `signals` with a body for each code.

    msgspec keeps a value raw only in a member that is Raw and nothing else; `body` says None where it is absent or null.
    """

    vehicle: str
    signal: str | None = None
    raw_body: msgspec.Raw = msgspec.Raw()
    status: Status | None = None
    observed_at: int | float | str | None = None
    signals: dict[str, msgspec.Raw] | None = None

    @property
    def body(self) -> msgspec.Raw | None:
        """The body, where there is one."""
        return None if self.raw_body in _NO_BODY else self.raw_body


class Rejection(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item, or one signal of a bundle, that was not taken."""

    index: int
    code: str
    detail: str
    path: str
    signal: str | None = None


class Intake:
    """Checks items one after the other; gathers entries, whose they are, and rejections."""

    def __init__(self, source: str, now: int, max_future_s: float) -> None:
        self.entries: list[Entry] = []
        self.indices: list[int] = []
        self.rejections: list[Rejection] = []
        self._source = source
        self._now = now
        self._max_future_s = max_future_s

    def take(self, index: int, item: Item) -> None:
        """Check an item; add its entries or its rejections."""
        try:
            at = observed_at(item.observed_at, self._now, self._max_future_s)
            _check_reference(item.vehicle)
            _check_form(item)
        except Violation as found:
            self.reject(index, found, item.signal)
            return
        for code, body, path in _parts(item):
            try:
                self.entries.append(self._entry(item, code, body, path, at))
                self.indices.append(index)
            except Violation as found:
                self.reject(index, found, code)

    def reject(self, index: int, found: Violation, signal: str | None = None) -> None:
        """Note that an item, or one signal of it, was not taken."""
        self.rejections.append(Rejection(index, found.rule.value, found.detail, found.path, signal))

    def _entry(self, item: Item, code: str, body: msgspec.Raw | None, path: str, at: int) -> Entry:
        signal = BY_CODE.get(code)
        if signal is None:
            raise Violation(
                Rule.UNKNOWN_SIGNAL, f"{code[:60]!r} is no signal of this server: see /docs", _code_path(item, path)
            )
        if body is None:
            return Absence(item.vehicle, signal, _reason(item), at, self._now, self._source)
        return Reading(item.vehicle, signal, self._value(signal, body, path), at, self._now, self._source)

    def _value(self, signal: Signal, body: msgspec.Raw, path: str) -> Any:
        return bodies.parse(signal, body, path)


def _check_reference(vehicle: str) -> None:
    if not 0 < len(vehicle) <= MAX_REFERENCE:
        raise Violation(Rule.OUT_OF_BOUNDS, f"a vehicle is named by 1 to {MAX_REFERENCE} characters", "vehicle")


def _check_form(item: Item) -> None:
    """An item is either one signal (with a body or a status) or a bundle."""
    if item.signals is not None:
        if item.signal is not None or item.body is not None or item.status is not None:
            raise Violation(Rule.NOT_ALLOWED, "an item has either signal and body, or signals", "signals")
        if not item.signals:
            raise Violation(Rule.MISSING, "the bundle is empty", "signals")
        if len(item.signals) > MAX_BUNDLE:
            detail = f"a bundle has at most {MAX_BUNDLE} signals, not {len(item.signals)}"
            raise Violation(Rule.OUT_OF_BOUNDS, detail, "signals")
    elif item.signal is None:
        raise Violation(Rule.MISSING, "an item has signal and body, or signals", "signal")
    elif (item.body is None) == (item.status is None):
        raise Violation(Rule.MISSING, "a signal has either a body or a status", "body")


def _parts(item: Item) -> Iterator[tuple[str, msgspec.Raw | None, str]]:
    """Each signal of the item: its code, its body, and the body's path."""
    if item.signals is None:
        yield item.signal or "", item.body, "body"
    else:
        for code, body in item.signals.items():
            yield code, body, f"signals.{code[:60]}"


def _code_path(item: Item, path: str) -> str:
    return "signal" if item.signals is None else path


def _reason(item: Item) -> AbsenceReason:
    """What the item's status means."""
    status = item.status
    if status is None or status.value != "ERROR" or status.error is None:
        raise Violation(Rule.NOT_ALLOWED, "a status says ERROR and has an error; a value is sent as a body", "status.value")
    error = status.error
    try:
        return reason_of(error.type, error.code)
    except ValueError as unknown:
        raise Violation(Rule.NOT_ALLOWED, str(unknown), "status.error.type") from None
