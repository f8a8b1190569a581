"""The connectors of a source at which one car may be plugged in, such as two loadpoints of evcc that are a car's own.

An idle connector says nothing of a car that is plugged in at another one.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from chargeport.dialects.field_values import flag

SHORTLY_MS: Final = 60_000
"""So long before a car is plugged in its connector's fields may be told: after a start they all come at once, in any order."""
MAX_CONNECTORS: Final = 16
MAX_FIELDS: Final = 500


class _Told(NamedTuple):
    at: int
    value: Any
    is_withheld: bool


class Connectors:
    """What the connectors of one car said last, and at which of them the car is: where it was plugged in last."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, _Told]] = {}
        self._plugged: dict[str, bool] = {}
        self._used: str | None = None

    def count(self, connector: str, fields: Mapping[str, Any], plug: str, received_at: int) -> Mapping[str, Any]:
        """Return the fields that count for the car; none where the connector is idle and the car at another one.

        `plug` is the field that says whether a car is plugged in. With it comes what the connector said shortly before, or
        while it did not count.
        """
        if connector not in self._told and len(self._told) >= MAX_CONNECTORS:
            return fields
        told = self._told.setdefault(connector, {})
        was_plugged = self._plugged.get(connector, False)
        if plug in fields:
            self._plugged[connector] = _is_true(fields[plug])
        used = self._used_after(connector, was_plugged)
        counts = used in (None, connector)
        if len(told) + len(fields) <= MAX_FIELDS:
            told.update({name: _Told(received_at, value, not counts) for name, value in fields.items()})
        turned, self._used = used != self._used, used
        if not counts and not turned:
            return {}
        if used is None or not turned or len(self._told) == 1:
            return fields
        return self._all_of(used, received_at)

    def _used_after(self, connector: str, was_plugged: bool) -> str | None:
        """Return the connector at which the car is, now that one has said whether a car is plugged in there."""
        is_plugged = self._plugged.get(connector, False)
        if is_plugged and not was_plugged:
            return connector
        if self._used is not None and self._plugged.get(self._used, False):
            return self._used
        return next((name for name, plugged in self._plugged.items() if plugged), None)

    def _all_of(self, connector: str, received_at: int) -> dict[str, Any]:
        told = self._told[connector]
        found = {name: each.value for name, each in told.items() if each.is_withheld or received_at - each.at <= SHORTLY_MS}
        told.update({name: each._replace(is_withheld=False) for name, each in told.items()})
        return found


def _is_true(value: Any) -> bool:
    try:
        return flag(value)
    except (TypeError, ValueError):
        return False
