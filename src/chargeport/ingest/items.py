"""The items of `POST /ingest/readings` and of files: each is a signal or a bundle of signals, and is checked on its own.

A bad item, or a bad signal of a bundle, is rejected with its index, the rule and the member. The others are accepted.
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
MAX_BUNDLE: Final = 100  # four times the signals; a response names each unknown one, and must not exceed its request

# Smartcar's type and code of each reason; the inverse of `reason_of`.
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
    """A status in place of a body: why there is no value."""

    value: str
    error: StatusError | None = None


_NO_BODY: Final = (msgspec.Raw(), msgspec.Raw(b"null"))


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"observed_at": "observedAt", "raw_body": "body"}):
    """One item: `signal` with `body` (or with `status`), or `signals` with a body for each code.

    msgspec decodes a member raw only if its type is Raw without None, hence `raw_body` and the property `body`.
    """

    vehicle: str
    signal: str | None = None
    raw_body: msgspec.Raw = msgspec.Raw()
    status: Status | None = None
    observed_at: int | float | str | None = None
    signals: dict[str, msgspec.Raw] | None = None

    @property
    def body(self) -> msgspec.Raw | None:
        """The body; None where it is absent or null."""
        return None if self.raw_body in _NO_BODY else self.raw_body


class FileItem(Item, frozen=True, forbid_unknown_fields=True, rename={"received_at": "receivedAt"}):
    """An item of a file, with the time of its receipt (`receivedAt`) and its source.

    A client of the API can't set them: they are the present and the client. Who imports a file may write to the database.
    """

    vehicle: str = ""
    received_at: int | float | str | None = None
    source: str | None = None


class ItemChecker:
    """Check items; add their entries and rejections to a batch."""

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
        """Prepare the check. `ahead` holds the times of earlier items that were ahead of the server's clock.

        `compared` is called for an item from the future and returns the present: the server's clock may be behind.
        """
        self._compared = compared
        self.batch = batch
        self.ahead = ahead or AheadTimes()
        self.source = source
        self.now = now
        self.max_future_s = max_future_s

    def check(self, index: int, item: Item) -> None:
        """Check an item of the API, received now from `source`."""
        self._check(index, item, None, self.source)

    def check_file_item(self, index: int, item: FileItem, vehicle: str | None = None, source: str | None = None) -> None:
        """Check an item of a file; `vehicle` and `source`, where given, replace those of the item."""
        try:
            received_at, source_name = self._receipt(item, source)
        except Violation as violation:
            self.batch.reject(index, violation, item.signal)
            return
        item = item if vehicle is None else msgspec.structs.replace(item, vehicle=vehicle)
        self._check(index, item, received_at, source_name)

    def _receipt(self, item: FileItem, source: str | None) -> tuple[int, str]:
        """Return when and from which source an item of a file was received. Raises Violation.

        `observedAt` is required: with the present as its default, importing a file twice would add readings.
        """
        if item.observed_at is None:
            raise Violation(Rule.MISSING, "a stored item has the time at which it was observed", "observedAt")
        received_at = observed_at(item.received_at, self.now, self.max_future_s, "receivedAt")
        name = source or item.source
        if name is not None and (not 0 < len(name) <= MAX_SOURCE or not name.isprintable()):
            raise Violation(Rule.BAD_FORMAT, f"a source has 1 to {MAX_SOURCE} printable characters", "source")
        return received_at, name or self.source

    def _stamp(self, given: Any) -> int:
        """Return when an item was observed, also if that is ahead of the server's clock. Raises Violation."""
        try:
            return stamp_of(given, self.now, self.max_future_s)
        except Violation as violation:
            if violation.rule is not Rule.IN_THE_FUTURE or self._compared is None:
                raise
        self.now = self._compared(stamp_of(given, END_OF_TIME, 0))
        return stamp_of(given, self.now, self.max_future_s)

    def _check(self, index: int, item: Item, received_at: int | None, source: str) -> None:
        batch, vehicle = self.batch, item.vehicle
        try:
            stamp = self._stamp(item.observed_at)
            by_code = _bodies(item)
        except Violation as violation:
            batch.reject(index, violation, item.signal)
            return
        now = self.now
        at = self.ahead.counted_at((batch.client_id, source, vehicle), stamp, now)
        if received_at is None:
            received_at = now
        for code, body in by_code.items():
            signal = BY_CODE.get(code)
            try:
                if signal is None:
                    batch.reject(index, _unknown(code, item), code)
                elif body is None:
                    batch.add(index, Absence(vehicle, signal, _reason(item), at, received_at, source))
                else:
                    batch.add(index, Reading(vehicle, signal, bodies.parse(signal, body), at, received_at, source))
            except Violation as violation:
                if item.signals is not None:
                    violation.path = f"signals.{code[:60]}" + violation.path.removeprefix("body")
                batch.reject(index, violation, code)
                if signal is not None and (reason := _below_zero(signal, body, violation)) is not None:
                    batch.withdrawals.append(Absence(vehicle, signal, reason, at, received_at, source))


def _below_zero(signal: Signal, body: msgspec.Raw | None, violation: Violation) -> AbsenceReason | None:
    """Return the reason of the absence that follows from a rejected live number below 0; None for any other rejection."""
    if body is None or signal.kind is not Kind.QUANTITY or violation.rule is not Rule.OUT_OF_BOUNDS:
        return None
    return reason_below_zero(signal, msgspec.json.decode(body, type=bodies.QuantityBody).value)


def _unknown(code: str, item: Item) -> Violation:
    where = "signal" if item.signals is None else f"signals.{code[:60]}"
    return Violation(Rule.UNKNOWN_SIGNAL, f"{code[:60]!r} is no signal of this server: see /docs", where)


def _bodies(item: Item) -> Mapping[str, msgspec.Raw | None]:
    """Return the bodies of an item by code, None for a status.

    Raises Violation unless the item names a vehicle, and is one signal (with a body or a status) or a bundle.
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
    """Return the reason of the item's status. Raises Violation."""
    status = item.status
    if status is None or status.value != "ERROR" or status.error is None:
        raise Violation(Rule.NOT_ALLOWED, "a status is ERROR and has an error; a value is sent as a body", "status.value")
    error = status.error
    try:
        return reason_of(error.type, error.code)
    except ValueError as unknown:
        raise Violation(Rule.NOT_ALLOWED, str(unknown), "status.error.type") from None
