"""Decode the payloads of calls: a member that can't be read costs itself, and the call only if it is required."""

import re
from typing import Any, Final, TypeVar

import msgspec

from chargeport.sources.ocpp.frames import MISSING, MISTYPED, Refused

T = TypeVar("T")
_MAX_LEFT_OUT: Final = 8
_PATH: Final = re.compile(r" - at `\$\.([\w.]+)`$")
_NO_TEXT: Final = "Expected `str | null`"


def read(payload: bytes, type_: type[T]) -> tuple[T, str | None]:
    """Decode a payload; numbers may be texts, and texts numbers. Raises Refused, which names the field.

    The second result is a sentence about the first optional member that can't be read and was left out; None without one.
    """
    try:
        return msgspec.json.decode(payload, type=type_, strict=False), None
    except msgspec.ValidationError as error:
        refused = Refused(MISSING if "missing required field" in str(error) else MISTYPED, str(error))
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Refused(MISTYPED, str(error)) from None
    try:
        return _read_mended(payload, type_, refused)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise refused from None


def _read_mended(payload: bytes, type_: type[T], refused: Refused) -> tuple[T, str | None]:
    """Decode a payload without the members that can't be read. Raises Refused, MsgspecError, RecursionError, ValueError."""
    content, sentence, left_out = msgspec.json.decode(payload), refused.sentence, list[str]()
    for _ in range(_MAX_LEFT_OUT):
        if not _is_mended(content, sentence, left_out):
            break
        try:
            found = msgspec.json.decode(msgspec.json.encode(content), type=type_, strict=False)
        except msgspec.ValidationError as error:
            sentence = str(error)
        else:
            return found, left_out[0] if left_out else None
    raise refused


def _is_mended(content: Any, sentence: str, left_out: list[str]) -> bool:
    """Change the member that an error names: a number to a text, anything else to nothing; return False for none."""
    path = _PATH.search(sentence)
    if path is None:
        return False
    *parents, name = path[1].split(".")
    for parent in parents:
        content = content.get(parent) if isinstance(content, dict) else None
    if not isinstance(content, dict) or name not in content:
        return False
    value = content[name]
    if sentence.startswith(_NO_TEXT) and isinstance(value, int | float) and not isinstance(value, bool):
        content[name] = str(value)
    else:
        del content[name]
        left_out.append(sentence)
    return True
