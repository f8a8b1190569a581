"""Bodies as they are written here: words in their known spelling, and without members that are not known."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from chargeport.dialects.field_values import by_folded, folded
from chargeport.ingest.record_lists import without_empty_members
from chargeport.signals.bodies import ALLOWED
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import DOCUMENT, TEXT, Signal

_RECORDS: Final = BY_CODE["charge-chargerecords"]
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    path: by_folded({word: word for word in kind.__args__}) for path, kind in ALLOWED.items()
}


def as_written(signal: Signal, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with its known words as they are written here; of records without members that mean "not known"."""
    return _in_known_words(signal, without_empty_members(body) if signal is _RECORDS else body)


def _in_known_words(signal: Signal, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with the known words of the signal, or of a document's members, as they are written here."""
    if signal.kind is DOCUMENT:
        return {name: _member(member, f".{name}") for name, member in body.items()}
    word = body.get("value")
    if signal.kind is not TEXT or not signal.known or not isinstance(word, str):
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
