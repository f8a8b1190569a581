"""Removal of places from limits, timers and records, for readers without the permission to see them."""

from typing import Any, Final

import msgspec

_PLACE: Final = frozenset({"name", "address", "latitude", "longitude"})
_HOLDERS: Final = frozenset({"condition", "location"})


def without_places(text: str) -> str:
    """Return the document without the names, addresses and coordinates of places.

    >>> without_places('{"values":[{"type":"LOCATION","limit":72,"condition":{"name":"Home"}}]}')
    '{"values":[{"type":"LOCATION","limit":72}]}'
    """
    return msgspec.json.encode(_stripped(msgspec.json.decode(text))).decode()


def _stripped(part: Any) -> Any:
    if isinstance(part, list):
        return [_stripped(member) for member in part]
    if not isinstance(part, dict):
        return part
    kept = {}
    for name, member in part.items():
        if name in _HOLDERS:
            rest = {key: value for key, value in member.items() if key not in _PLACE}
            if rest:
                kept[name] = rest
        else:
            kept[name] = _stripped(member)
    return kept
