"""The items of `POST /ingest/readings` and of files: each a signal or a bundle of signals, each checked for itself.

A bad item or a bad signal in a bundle is rejected with its index, the rule and the member; what stands beside it is taken.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from chargeport.dialects.statuses import reason_of
from chargeport.ingest.batch import Batch
from chargeport.ingest.times import AheadTimes, observed_at, stamp_of
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind, Signal
from chargeport.signals.reading import Absence, AbsenceReason, Reading, reason_below_zero
from chargeport.signals.violation import Rule, Violation

MAX_REFERENCE: Final = 128
END_OF_TIME: Final = 1 << 53  # milliseconds
MAX_SOURCE: Final = 128
MAX_BUNDLE: Final = 100  # four times what there is: each unknown one is answered, and an answer must not outgrow its request

# For each reason Smartcar's type and code; `reason_of` reads them back as the same.
STATUSES: Final[dict[AbsenceReason, tuple[str, str]]] = {
    AbsenceReason.NOT_CAPABLE: ("COMPATIBILITY", "VEHICLE_NOT_CAPABLE"),
    AbsenceReason.NOT_PERMITTED: ("PERMISSION", "UNKNOWN"),
    AbsenceReason.NOT_CHARGING: ("VEHICLE_STATE", "NOT_CHARGING"),
    AbsenceReason.UNREACHABLE: ("VEHICLE_STATE", "UNREACHABLE"),
    AbsenceReason.UNREADABLE: ("UPSTREAM", "INVALID_DATA"),
    AbsenceReason.SOURCE_FAILED: ("SERVER", "INTERNAL"),
}


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


class KeptItem(Item, frozen=True, forbid_unknown_fields=True, rename={"received_at": "receivedAt"}):
    """An item of a file, which may say when (`receivedAt`) and from which source it was received.

    A client of the API can't say either: there it is now, and the client. Whoever imports may write to the database file.
    """

    vehicle: str = ""
    received_at: int | float | str | None = None
    source: str | None = None


class ItemChecker:
    """Checks items one after the other; adds their entries and rejections to a batch."""

    def __init__(
        self,
        batch: Batch,
        source: str,
        now: int,
        max_future_s: float,
        *,
        ahead: AheadTimes | None = None,
        compared: Callable[[int], int] | None = None,
    ) -> None:
        """Prepare the check. `ahead` are the times of items before these that lay ahead; without it each item is for itself.

        `compared` is asked what time it is when an item lies in the future: it may be our clock that is behind.
        """
        self._compared = compared
        self.batch = batch
        self.ahead = ahead or AheadTimes()
        self.source = source
        self.now = now
        self.max_future_s = max_future_s

    def check(self, index: int, item: Item) -> None:
        """Check an item of the API: it is received now, from `source`."""
        self._check(index, item, None, self.source)

    def check_kept(self, index: int, item: KeptItem, vehicle: str | None = None, source: str | None = None) -> None:
        """Check an item of a file; `vehicle` and `source`, where given, count before what it says itself."""
        try:
            received_at, named = self._receipt(item, source)
        except Violation as found:
            self.batch.reject(index, found, item.signal)
            return
        ours = item if vehicle is None else msgspec.structs.replace(item, vehicle=vehicle)
        self._check(index, ours, received_at, named)

    def _receipt(self, item: KeptItem, source: str | None) -> tuple[int, str]:
        """Return when and from which source an item of a file was received. Raises Violation.

        It has to say when it was observed: if that were now, a file that is imported again would add something.
        """
        if item.observed_at is None:
            raise Violation(Rule.MISSING, "a kept item says when it was observed", "observedAt")
        received_at = observed_at(item.received_at, self.now, self.max_future_s, "receivedAt")
        named = source or item.source
        if named is not None and (not 0 < len(named) <= MAX_SOURCE or not named.isprintable()):
            raise Violation(Rule.BAD_FORMAT, f"a source has 1 to {MAX_SOURCE} printable characters", "source")
        return received_at, named or self.source

    def _stamp(self, given: Any) -> int:
        """Return when an item was observed, as it is written. Raises Violation."""
        try:
            return stamp_of(given, self.now, self.max_future_s)
        except Violation as found:
            if found.rule is not Rule.IN_THE_FUTURE or self._compared is None:
                raise
        self.now = self._compared(stamp_of(given, END_OF_TIME, 0))
        return stamp_of(given, self.now, self.max_future_s)

    def _check(self, index: int, item: Item, received_at: int | None, source: str) -> None:
        batch, vehicle = self.batch, item.vehicle
        try:
            stamp = self._stamp(item.observed_at)
            parts = _parts(item)
        except Violation as found:
            batch.reject(index, found, item.signal)
            return
        now = self.now
        at = self.ahead.counted_at((batch.client_id, source, vehicle), stamp, now)
        if received_at is None:
            received_at = now
        for code, body in parts.items():
            signal = BY_CODE.get(code)
            try:
                if signal is None:
                    batch.reject(index, _unknown(code, item), code)
                elif body is None:
                    batch.add(index, Absence(vehicle, signal, _reason(item), at, received_at, source))
                else:
                    batch.add(index, Reading(vehicle, signal, bodies.parse(signal, body), at, received_at, source))
            except Violation as found:
                if item.signals is not None:
                    found.path = f"signals.{code[:60]}" + found.path.removeprefix("body")
                batch.reject(index, found, code)
                if signal is not None and (reason := _below_zero(signal, body, found)) is not None:
                    batch.taken_back.append(Absence(vehicle, signal, reason, at, received_at, source))


def _below_zero(signal: Signal, body: msgspec.Raw | None, found: Violation) -> AbsenceReason | None:
    """Return why there is no value any more where a body was rejected for a live number below 0."""
    if body is None or signal.kind is not Kind.QUANTITY or found.rule is not Rule.OUT_OF_BOUNDS:
        return None
    return reason_below_zero(signal, msgspec.json.decode(body, type=bodies.QuantityBody).value)


def _unknown(code: str, item: Item) -> Violation:
    where = "signal" if item.signals is None else f"signals.{code[:60]}"
    return Violation(Rule.UNKNOWN_SIGNAL, f"{code[:60]!r} is no signal of this server: see /docs", where)


def _parts(item: Item) -> Mapping[str, msgspec.Raw | None]:
    """Return what an item says, by code: a body, or None where it has a status.

    Raises Violation unless it names a vehicle, and is one signal (with a body or a status) or a bundle.
    """
    if not 0 < len(item.vehicle) <= MAX_REFERENCE:
        raise Violation(Rule.OUT_OF_BOUNDS, f"a vehicle is named by 1 to {MAX_REFERENCE} characters", "vehicle")
    body = item.body
    if item.signals is not None:
        if item.signal is not None or body is not None or item.status is not None:
            raise Violation(Rule.NOT_ALLOWED, "an item has either signal and body, or signals", "signals")
        if not item.signals:
            raise Violation(Rule.MISSING, "the bundle is empty", "signals")
        if len(item.signals) > MAX_BUNDLE:
            detail = f"a bundle has at most {MAX_BUNDLE} signals, not {len(item.signals)}"
            raise Violation(Rule.OUT_OF_BOUNDS, detail, "signals")
        return item.signals
    if item.signal is None:
        raise Violation(Rule.MISSING, "an item has signal and body, or signals", "signal")
    if (body is None) == (item.status is None):
        raise Violation(Rule.MISSING, "a signal has either a body or a status", "body")
    return {item.signal: body}


def _reason(item: Item) -> AbsenceReason:
    """Return what the item's status means."""
    status = item.status
    if status is None or status.value != "ERROR" or status.error is None:
        raise Violation(Rule.NOT_ALLOWED, "a status says ERROR and has an error; a value is sent as a body", "status.value")
    error = status.error
    try:
        return reason_of(error.type, error.code)
    except ValueError as unknown:
        raise Violation(Rule.NOT_ALLOWED, str(unknown), "status.error.type") from None
