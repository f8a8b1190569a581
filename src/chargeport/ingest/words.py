"""Bodies as they are written here: words in their known spelling, and without members that are not known."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from chargeport.dialects.field_values import by_folded, folded, is_nothing
from chargeport.signals.bodies import ALLOWED
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind, Signal

_INDEX: Final = re.compile(r"\[\d*\]")
_RECORDS: Final = BY_CODE["charge-chargerecords"]
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    path: by_folded({word: word for word in kind.__args__}) for path, kind in ALLOWED.items()
}


def as_written(signal: Signal, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with its known words as they are written here; of records without members that mean "not known"."""
    return _in_known_words(signal, _without_empty_members(body) if signal is _RECORDS else body)


def _in_known_words(signal: Signal, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with the known words of the signal, or of a document's members, as they are written here."""
    if signal.kind is Kind.DOCUMENT:
        return {name: _member(member, f".{name}") for name, member in body.items()}
    word = body.get("value")
    if signal.kind is not Kind.TEXT or not signal.known or not isinstance(word, str):
        return body
    return body | {"value": _known(signal.code).get(folded(word), word)}


def _member(member: Any, path: str) -> Any:
    if isinstance(member, Mapping):
        return {name: _member(inner, f"{path}.{name}") for name, inner in member.items()}
    if isinstance(member, list):
        return [_member(inner, path) for inner in member]
    return _WORDS.get(path, {}).get(folded(member), member) if isinstance(member, str) else member


@cache
def _known(code: str) -> Mapping[str, str]:
    """Return the known words of a signal by their folded form."""
    return by_folded({word: word for word in BY_CODE[code].known})


def without_member(body: Any, path: str) -> Any:
    """Return the body without the member at a path such as `body.values[].note`, in each item of a list."""
    _, *parts = _INDEX.sub("", path).split(".")
    return _without(body, parts)


def _without(member: Any, parts: list[str]) -> Any:
    if isinstance(member, list):
        return [_without(each, parts) for each in member]
    if not isinstance(member, Mapping) or not parts:
        return member
    first, rest = parts[0], parts[1:]
    return {name: _without(each, rest) if name == first else each for name, each in member.items() if rest or name != first}


def _without_empty_members(records: dict[str, Any]) -> dict[str, Any]:
    """Return records without members that mean "not known", such as an empty id or an empty place."""
    sessions = records.get("values")
    if not isinstance(sessions, list) or not all(isinstance(session, dict) for session in sessions):
        return records
    return records | {"values": [_without_empty(session) for session in sessions]}


def _without_empty(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members that have a value, at any depth."""
    rest: dict[str, Any] = {}
    for name, member in members.items():
        inner = _without_empty(member) if isinstance(member, dict) and not is_nothing(member) else member
        if not is_nothing(inner) and inner != {}:
            rest[name] = inner
    return rest
