"""Lists of charge records whose sessions differ in quality: each is checked by itself, and so is each member of a session."""

import re
from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.field_values import is_nothing
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.violation import Violation

_RECORDS: Final = BY_CODE["charge-chargerecords"]
_INDEX: Final = re.compile(r"\[\d*\]")
_DISPENSABLE: Final = re.compile(r"body\.values\[\d*\]\.(?:cost|location|odometer|meterStart|meterEnd)")


def single_sessions(value: Any) -> list[Any]:
    """Return a list of sessions as lists of one session each; an empty list for anything else."""
    sessions = value.get("values") if isinstance(value, dict) else value
    if not isinstance(sessions, list):
        return []
    return [[session] if value is sessions else value | {"values": [session]} for session in sessions]


def valid_session(body: dict[str, Any]) -> tuple[dict[str, Any], list[Violation]]:
    """Return a list of one session without its invalid members, and why they are; the others a session needs.

    Raises Violation.
    """
    invalid: list[Violation] = []
    while True:
        try:
            bodies.parse(_RECORDS, body)
        except Violation as violation:
            member = _DISPENSABLE.match(violation.path)
            rest = body if member is None else without_member(body, member[0])
            if rest == body:
                raise
            invalid.append(violation)
            body = rest
        else:
            return body, invalid


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


def without_empty_members(records: dict[str, Any]) -> dict[str, Any]:
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
