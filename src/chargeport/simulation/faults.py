"""Faults on demand: errors and delays of answers, and faults of webhooks, by car, signal, rate and number of times.

A fault is active until it is removed, or has happened `times` times. The choice by `rate` depends only on the fault's number:
the same requests have the same faults in every run.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chargeport.errors import MALFORMED, ChargeportError, ErrorKind, Problem, instead_of
from chargeport.signals.catalogue import BY_CODE
from chargeport.taxonomy import SMARTCAR_KINDS
from chargeport.wire.status import ErrorStatus

RETRY_AFTER_S: Final = 60
MAX_FAULTS: Final = 1_000
MAX_LATENCY_S: Final = 60
"""This is longer than most timeouts of HTTP clients."""
_KEEPS_BODY: Final = frozenset({"VEHICLE_STATE", "UPSTREAM", "SERVER"})
"""Types of errors with which the last body is sent, with its old times."""

BELONGS: Final = {"code": "type", "detail": "type", "retryAfterSeconds": "type", "delaySeconds": "webhook"}
"""Members that need another member."""
OF_ANSWERS: Final = ("type", "latencySeconds", "signal")
OF_EVENTS: Final = ("webhook", "delaySeconds")
"""Members of faults of answers, and of webhooks: a fault has one or the other."""

_Count = Annotated[int, Meta(ge=1)]
_Skipped = Annotated[int, Meta(ge=0)]
_Seconds = Annotated[int, Meta(ge=0, le=86_400)]
_Latency = Annotated[float, Meta(gt=0, le=MAX_LATENCY_S)]
_Text = Annotated[str, Meta(min_length=1, max_length=500)]
# `checked` refuses other names, and suggests similar ones.
_Type = Annotated[str, Meta(extra_json_schema={"enum": list(dict.fromkeys(type_ for type_, _ in SMARTCAR_KINDS))})]
_Code = Annotated[str, Meta(extra_json_schema={"enum": list(dict.fromkeys(code for _, code in SMARTCAR_KINDS if code))})]
_Signal = Annotated[str, Meta(extra_json_schema={"enum": list(BY_CODE)})]


class Fault(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A fault: an error of `type` and `code`, a late answer, or both; or a fault of a webhook's event."""

    type: Annotated[_Type | None, Meta(description="The error's type, such as VEHICLE_STATE.")] = None
    code: Annotated[_Code | UnsetType | None, Meta(description="Its code; by default the usual one of the type.")] = UNSET
    webhook: Annotated[
        Literal["DROP", "REPEAT", "DELAY", "REORDER"] | None, Meta(description="Instead, the fault of a webhook's event.")
    ] = None
    latency_seconds: Annotated[
        _Latency | None, Meta(description="Delay of the answer, by the real clock; with an error or alone.")
    ] = None
    vehicle: Annotated[str | None, Meta(description="Only for this vehicle, by id.")] = None
    signal: Annotated[
        _Signal | None, Meta(description="Only for this signal: its own read fails, and in lists it has the error.")
    ] = None
    rate: Annotated[float, Meta(gt=0, le=1, description="Share of the affected requests or events.")] = 1.0
    times: Annotated[_Count | None, Meta(description="Number of times; else until it is removed.")] = None
    after: Annotated[_Skipped, Meta(description="Number of requests or events to skip first.")] = 0
    retry_after_seconds: Annotated[_Seconds | None, Meta(description="Retry-After of the answer.")] = None
    delay_seconds: Annotated[float, Meta(ge=0, le=86_400, description="Delay of an event.")] = 60.0
    detail: Annotated[_Text | None, Meta(description="The detail of the error.")] = None

    @property
    def kind(self) -> ErrorKind | None:
        """The kind of the error; None where there is none."""
        if self.type is None:
            return None
        if not isinstance(self.code, UnsetType):
            return SMARTCAR_KINDS[self.type, self.code]
        return next(kind for (type_, _), kind in SMARTCAR_KINDS.items() if type_ == self.type)


class _Active:
    """A fault with its counts."""

    def __init__(self, fault: Fault, number: int) -> None:
        self.fault = fault
        self.left = fault.times
        self.skips = fault.after
        self.hits = 0
        self._rng = Random(number)  # noqa: S311  (a simulation, not a secret)

    def hits_now(self) -> bool:
        """Count a request or event; return whether the fault happens to it."""
        if self.skips > 0:
            self.skips -= 1
            return False
        if self.left == 0 or self._rng.random() >= self.fault.rate:
            return False
        self.left = None if self.left is None else self.left - 1
        self.hits += 1
        return True


class Faults:
    """The active faults."""

    def __init__(self) -> None:
        self._active: dict[str, _Active] = {}
        self._count = 0
        self._is_stopped = asyncio.Event()

    def add(self, body: Any) -> dict[str, Any]:
        """Add a fault; return it with its id. Raises Problem."""
        fault = checked(body)
        if len(self._active) >= MAX_FAULTS:
            raise Problem(MALFORMED, f"There are {MAX_FAULTS} faults already: DELETE /simulator/faults removes them.")
        self._count += 1
        self._active[f"{self._count}"] = _Active(fault, self._count)
        return self.state()[-1]

    def remove(self, fault_id: str) -> bool:
        """Remove a fault; return whether there was one."""
        return self._active.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Remove all faults."""
        self._active.clear()

    def state(self) -> list[dict[str, Any]]:
        """Return the faults with their counts; those that are over stay until they are removed."""
        return [self._state(fault_id, active) for fault_id, active in self._active.items()]

    def _state(self, fault_id: str, active: _Active) -> dict[str, Any]:
        kind = active.fault.kind
        code = {} if kind is None else {"code": kind.code}  # the usual one, if none was set
        counts = {"hits": active.hits, "isOver": active.left == 0}
        return {"id": fault_id, **msgspec.to_builtins(active.fault), **code, **counts}

    @asynccontextmanager
    async def met(self, vehicle_id: str | None, signal: str | None = None) -> AsyncIterator[None]:
        """Delay the answer of the block, or replace it by an error, if a fault of the vehicle (and signal) happens.

        The block itself is not delayed: its effect remains if the client gives up. Raises Problem.
        """
        latency_s, failure = self._next(vehicle_id, signal)
        if failure is None:
            try:
                yield
            except ChargeportError as error:
                failure = error
        if latency_s:
            with suppress(TimeoutError):  # by the real clock, as timeouts of clients are
                async with asyncio.timeout(latency_s):
                    await self._is_stopped.wait()
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """Send the delayed answers now."""
        self._is_stopped.set()

    def _next(self, vehicle_id: str | None, signal: str | None) -> tuple[float, ChargeportError | None]:
        """Return the delay of an answer, by the slowest fault, and the error of the first fault with one."""
        latency_s = 0.0
        for active in self._of(vehicle_id, {None, signal}):
            fault, kind = active.fault, active.fault.kind
            if fault.webhook is not None or not active.hits_now():
                continue
            latency_s = max(latency_s, fault.latency_seconds or 0)
            if kind is not None:
                retry_after_s = fault.retry_after_seconds
                if retry_after_s is None and kind.type == "RATE_LIMIT":
                    retry_after_s = RETRY_AFTER_S
                return latency_s, Problem(kind, _detail(fault, kind), retry_after_s=retry_after_s)
        return latency_s, None

    def of_element(self, vehicle_id: str, signal: str) -> ErrorStatus | None:
        """Return the error of a signal in a list; None if no fault happens."""
        for active in self._of(vehicle_id, {signal}):
            kind = active.fault.kind
            if kind is not None and active.hits_now():
                code = kind.code or ("UNKNOWN" if kind.type == "PERMISSION" else None)
                resolution = kind.resolution or "UNKNOWN_RESOLUTION_TYPE"
                return ErrorStatus(
                    kind.type, code, kind.title, _detail(active.fault, kind), resolution, keeps_body=kind.type in _KEEPS_BODY
                )
        return None

    def of_event(self, vehicle_id: str | None) -> Fault | None:
        """Return the fault of a webhook's event about a vehicle; None if none happens."""
        for active in self._of(vehicle_id, {None}):
            if active.fault.webhook is not None and active.hits_now():
                return active.fault
        return None

    def _of(self, vehicle_id: str | None, signals: set[str | None]) -> Iterable[_Active]:
        return [
            active
            for active in self._active.values()
            if active.fault.vehicle in (None, vehicle_id) and active.fault.signal in signals
        ]


def checked(body: Any) -> Fault:
    """Return the body as a fault. Raises Problem (400)."""
    try:
        fault = msgspec.convert(body, Fault)
    except msgspec.ValidationError as error:
        raise Problem(MALFORMED, f"fault: {error}.") from None
    is_of_answers = fault.type is not None or fault.latency_seconds is not None
    if is_of_answers == (fault.webhook is not None):
        raise Problem(
            MALFORMED,
            "fault: name a type (and a code) of an error, latencySeconds or both; or webhook, which takes delaySeconds.",
        )
    for member, owner in BELONGS.items():
        if body.get(member) is not None and body.get(owner) is None:
            raise Problem(MALFORMED, f"{member}: this is a member of faults with {owner}.")
    if fault.signal is not None and fault.webhook is not None:
        raise Problem(MALFORMED, "signal: an event of a webhook is about a vehicle, so a fault of webhooks is of no signal.")
    if fault.signal is not None and fault.signal not in BY_CODE:
        raise Problem(MALFORMED, f"signal: there is no {fault.signal[:40]!r}: {instead_of(fault.signal, BY_CODE)}.")
    if fault.type is not None:
        _check_kind(fault.type, fault.code)
    return fault


def _check_kind(type_: str, code: str | UnsetType | None) -> None:
    """Check that there is an error of this type and code. Raises Problem."""
    codes = [known for known_type, known in SMARTCAR_KINDS if known_type == type_]
    if not codes:
        types = dict.fromkeys(known_type for known_type, _ in SMARTCAR_KINDS)
        raise Problem(MALFORMED, f"type: {type_[:40]!r} is no type of error: {instead_of(type_, types)}.")
    if not isinstance(code, UnsetType) and code not in codes:
        similar = instead_of(code or "null", [code for code in codes if code is not None])
        raise Problem(MALFORMED, f"code: {type_} has no code {str(code)[:40]!r}: {similar}.")


def _detail(fault: Fault, kind: ErrorKind) -> str:
    return fault.detail or f"{kind.title}: the simulator was asked for this error."
