"""The frame around every OCPP-J message: [2, id, action, payload], [3, id, payload] or [4, id, code, description, details].

OCPP 2.1 adds [5, id, code, description, details], an error about a reply, and [6, id, action, payload], which gets no reply.
Payloads keep their original bytes.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from ocpp import exceptions  # type: ignore[import-untyped]
from ocpp.exceptions import (  # type: ignore[import-untyped]
    FormationViolationError,
    FormatViolationError,
    InternalError,
    NotSupportedError,
    OccurenceConstraintViolationError,
    OCPPError,
    PropertyConstraintViolationError,
    TypeConstraintViolationError,
)
from ocpp.messages import MessageType  # type: ignore[import-untyped]

Payload = Mapping[str, object]

NO_ID: Final = "-1"  # the id in a reply of OCPP 2.0.1 where the id can't be read
_MAX_ID: Final = 36
_CALL_PARTS: Final = 4
_RESULT_PARTS: Final = 3
_RESULT_ERROR: Final = 5  # of OCPP 2.1; missing in the package
_SEND: Final = 6
_MAX_SHOWN_ID: Final = 255
_PADDING: Final = "\ufeff\x00 \t\r\n"  # which stations put around frames
_HEAD: Final = re.compile(r'\s*\[\s*(?P<kind>\d)\s*,\s*(?P<id>"(?:[^"\\]|\\.){1,255}"|-?\d{1,18}(?=\s*[,\]]))')
"""The beginning of a frame, which can often be read where the frame as a whole can't."""


class Call(NamedTuple):
    """A call of the other side; `payload` is a JSON object, untouched. `is_sent`: it gets no reply."""

    id: str
    action: str
    payload: bytes
    is_sent: bool = False


class Reply(NamedTuple):
    """The other side's reply to a call of ours; `payload` is None where the call failed, or where the reply can't be read."""

    id: str
    payload: Payload | None


class Refused(Exception):  # noqa: N818  (it is an answer, not a fault of ours)
    """A frame that is refused: the kind of error, the reason in one sentence, and the call that gets a CALLERROR (None: none).

    `reply_id` is the call of ours to which the frame was to reply.
    """

    def __init__(
        self, kind: type[OCPPError], sentence: str, call_id: str | int | None = NO_ID, reply_id: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = str(kind.code)
        self.sentence = sentence
        self.call_id = call_id
        self.reply_id = reply_id


class FrameworkError(OCPPError):  # type: ignore[misc]
    """OCPP 2.0.1's own code for an invalid frame; the package has no class for it."""

    code = "RpcFrameworkError"


UNREADABLE: Final = {"1.6": FormationViolationError, "2.0.1": FrameworkError, "2.1": FrameworkError}
MISPLACED: Final = {"1.6": FormationViolationError, "2.0.1": FormatViolationError, "2.1": FormatViolationError}
MISSING: Final = OccurenceConstraintViolationError
MISTYPED: Final = TypeConstraintViolationError
IMPOSSIBLE: Final = PropertyConstraintViolationError
UNKNOWN: Final = exceptions.NotImplementedError
NOT_FOR_US: Final = NotSupportedError
FAILED: Final = InternalError


def parse(text: str, version: str) -> Call | Reply:
    """Read the message in a frame. Raises Refused."""
    text = text.strip(_PADDING)
    parts = _parts(text)
    if parts is None:
        raise _broken(text, version)
    kind = _value(parts, 0)
    call_id = _value(parts, 1)
    if kind in (MessageType.CallResult, MessageType.CallError, _RESULT_ERROR):
        return _reply(kind, call_id, parts)
    if kind not in (MessageType.Call, _SEND):  # all versions: to be ignored
        raise Refused(UNREADABLE[version], f"No message has the type {str(kind)[:40]}.", None)
    answered = _answered(call_id) if kind == MessageType.Call else None
    if not isinstance(call_id, str) or not 0 < len(call_id) <= _MAX_ID:
        raise Refused(UNREADABLE[version], f"The message id is no text of 1 to {_MAX_ID} characters.", answered)
    action = _value(parts, 2)
    if len(parts) != _CALL_PARTS or not isinstance(action, str) or not bytes(parts[3]).lstrip().startswith(b"{"):
        raise Refused(MISPLACED[version], "A call has four parts: 2, id, action and payload.", answered)
    return Call(call_id, action, bytes(parts[3]), kind == _SEND)


def _parts(text: str) -> list[msgspec.Raw] | None:
    """Return the parts of a frame; None where it is no JSON array. Control characters are accepted in texts, and NaN as one."""
    try:
        return msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, ValueError):
        pass
    try:
        parts = json.loads(text, strict=False, parse_constant=str)
        return [msgspec.Raw(msgspec.json.encode(part)) for part in parts] if isinstance(parts, list) else None
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def _broken(text: str, version: str) -> Refused:
    """Refuse a frame that is not JSON: return the call or the reply, as far as its beginning can be read."""
    sentence = "The frame is not a JSON array."
    head = _HEAD.match(text)
    if head is None:
        return Refused(UNREADABLE[version], sentence)
    try:
        kind, found = int(head["kind"]), msgspec.json.decode(head["id"])
    except msgspec.DecodeError:
        return Refused(UNREADABLE[version], sentence)
    if kind == MessageType.Call:
        return Refused(UNREADABLE[version], sentence, _answered(found))
    return Refused(UNREADABLE[version], sentence, None, str(found))


def _answered(call_id: object) -> str | int:
    """Return the id as a CALLERROR repeats it."""
    is_id = isinstance(call_id, int | str) and not isinstance(call_id, bool) and call_id != ""
    return call_id if is_id and len(str(call_id)) <= _MAX_SHOWN_ID else NO_ID  # type: ignore[return-value]


def _reply(kind: object, call_id: object, parts: list[msgspec.Raw]) -> Reply:
    """Read a reply to us, which gets none in turn. Raises Refused."""
    payload = _value(parts, 2) if len(parts) >= _RESULT_PARTS else None
    if not isinstance(call_id, str):
        raise Refused(MISTYPED, "A reply names no call.", None)
    if kind != MessageType.CallResult:
        return Reply(call_id, None)
    if not isinstance(payload, dict):
        raise Refused(MISTYPED, "The payload of a reply is no object.", None, call_id)
    return Reply(call_id, payload)


def _value(parts: list[msgspec.Raw], index: int) -> object:
    """Return a part of the frame; None where it is missing or can't be read."""
    try:
        return msgspec.json.decode(parts[index]) if index < len(parts) else None
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def call(call_id: str, action: str, payload: Payload) -> str:
    """Return the frame of a call of ours."""
    return msgspec.json.encode([MessageType.Call, call_id, action, payload]).decode()


def result(call_id: str, payload: Payload) -> str:
    """Return the frame of our answer to a call."""
    return msgspec.json.encode([MessageType.CallResult, call_id, payload]).decode()


def failure(error: Refused) -> str:
    """Return the frame of the error by which a station's call is refused."""
    return msgspec.json.encode([MessageType.CallError, error.call_id, error.code, error.sentence[:255], {}]).decode()
