"""The frame around every OCPP-J message: [2, id, action, payload], [3, id, payload] or [4, id, code, description, details].

Payloads stay as the bytes they came as: what is handed on is what the station said.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from ocpp.exceptions import (  # type: ignore[import-untyped]
    FormationViolationError,
    FormatViolationError,
    InternalError,
    NotImplementedError,  # noqa: A004  (OCPP's name for it)
    NotSupportedError,
    OccurenceConstraintViolationError,
    OCPPError,
    PropertyConstraintViolationError,
    TypeConstraintViolationError,
)
from ocpp.messages import MessageType  # type: ignore[import-untyped]

Payload = Mapping[str, object]

NO_ID: Final = "-1"  # what OCPP 2.0.1 answers to when it could not read whom
_MAX_ID: Final = 36
_CALL_PARTS: Final = 4
_RESULT_PARTS: Final = 3


class Call(NamedTuple):
    """What the other side wants of us; `payload` is a JSON object, untouched."""

    id: str
    action: str
    payload: bytes


class Reply(NamedTuple):
    """What the other side says to a call of ours; `payload` is None when it could not do it."""

    id: str
    payload: Payload | None


class Refused(Exception):  # noqa: N818  (it is an answer, not a fault of ours)
    """A call that gets a CALLERROR: the kind of error, why in one sentence, and to which call (None: it gets no answer)."""

    def __init__(self, kind: type[OCPPError], sentence: str, call_id: str | None = NO_ID) -> None:
        super().__init__(sentence)
        self.code = str(kind.code)
        self.sentence = sentence
        self.call_id = call_id


class FrameworkError(OCPPError):  # type: ignore[misc]
    """OCPP 2.0.1's own code for a frame that is none; the package has no class for it."""

    code = "RpcFrameworkError"


UNREADABLE: Final = {"1.6": FormationViolationError, "2.0.1": FrameworkError}
MISPLACED: Final = {"1.6": FormationViolationError, "2.0.1": FormatViolationError}
MISSING: Final = OccurenceConstraintViolationError
MISTYPED: Final = TypeConstraintViolationError
IMPOSSIBLE: Final = PropertyConstraintViolationError
UNKNOWN: Final = NotImplementedError
NOT_FOR_US: Final = NotSupportedError
FAILED: Final = InternalError


def parse(text: str, version: str) -> Call | Reply:
    """The message in a frame. Raises Refused."""
    try:
        parts = msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise Refused(UNREADABLE[version], "The frame is not a JSON array.") from None
    kind = _value(parts, 0)
    call_id = _value(parts, 1)
    if kind in (MessageType.CallResult, MessageType.CallError):
        return _reply(kind, call_id, parts)
    if kind != MessageType.Call:  # both versions: to be ignored
        raise Refused(UNREADABLE[version], f"No message has the type {str(kind)[:40]}.", None)
    if not isinstance(call_id, str) or not 0 < len(call_id) <= _MAX_ID:
        raise Refused(UNREADABLE[version], f"The message id is no text of 1 to {_MAX_ID} characters.")
    action = _value(parts, 2)
    if len(parts) != _CALL_PARTS or not isinstance(action, str) or not bytes(parts[3]).lstrip().startswith(b"{"):
        raise Refused(MISPLACED[version], "A call has four parts: 2, id, action and payload.", call_id)
    return Call(call_id, action, bytes(parts[3]))


def _reply(kind: object, call_id: object, parts: list[msgspec.Raw]) -> Reply:
    """An answer to us, which gets none in turn. Raises Refused."""
    payload = _value(parts, 2) if len(parts) >= _RESULT_PARTS else None
    if not isinstance(call_id, str):
        raise Refused(MISTYPED, "An answer names no call.", None)
    if kind == MessageType.CallError:
        return Reply(call_id, None)
    if not isinstance(payload, dict):
        raise Refused(MISTYPED, "The payload of an answer is no object.", None)
    return Reply(call_id, payload)


def _value(parts: list[msgspec.Raw], index: int) -> object:
    """A part of the frame; None where it is not there or can't be read."""
    try:
        return msgspec.json.decode(parts[index]) if index < len(parts) else None
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def call(call_id: str, action: str, payload: Payload) -> str:
    """The frame of a call of ours."""
    return msgspec.json.encode([MessageType.Call, call_id, action, payload]).decode()


def result(call_id: str, payload: Payload) -> str:
    """The frame of our answer to a call."""
    return msgspec.json.encode([MessageType.CallResult, call_id, payload]).decode()


def failure(error: Refused) -> str:
    """The frame that tells a station why its call was refused."""
    return msgspec.json.encode([MessageType.CallError, error.call_id, error.code, error.sentence[:255], {}]).decode()
