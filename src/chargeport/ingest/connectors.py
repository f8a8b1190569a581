"""The connectors of a source at which one car may be plugged in, such as two loadpoints of evcc for one car.

An idle connector reports nothing about a car that is plugged in at another one.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from chargeport.dialects.field_values import flag

BEFORE_PLUG_MS: Final = 60_000
"""How long before the plug-in the fields of its connector count: after a start all arrive at once, in any order."""
MAX_CONNECTORS: Final = 16
MAX_FIELDS: Final = 500


class _Field(NamedTuple):
    at: int
    value: Any
    is_withheld: bool


class Connectors:
    """The last fields of each connector of a car, and the connector at which the car is: where it was plugged in last."""

    def __init__(self) -> None:
        self._fields: dict[str, dict[str, _Field]] = {}
        self._plugged: dict[str, bool] = {}
        self._used: str | None = None

    def count(self, connector: str, fields: Mapping[str, Any], plug: str, received_at: int) -> Mapping[str, Any]:
        """Return the fields that count for the car; none where the car is at another connector.

        `plug` is the field that reports whether a car is plugged in. When the car comes to this connector, the fields that the
        connector reported shortly before, or while it did not count, are added.
        """
        if connector not in self._fields and len(self._fields) >= MAX_CONNECTORS:
            return fields
        known = self._fields.setdefault(connector, {})
        was_plugged = self._plugged.get(connector, False)
        if plug in fields:
            self._plugged[connector] = _is_true(fields[plug])
        used = self._used_after(connector, was_plugged)
        counts = used in (None, connector)
        if len(known) + len(fields) <= MAX_FIELDS:
            known.update({name: _Field(received_at, value, not counts) for name, value in fields.items()})
        has_moved, self._used = used != self._used, used
        if not counts and not has_moved:
            return {}
        if used is None or not has_moved or len(self._fields) == 1:
            return fields
        return self._reported_fields(used, received_at)

    def _used_after(self, connector: str, was_plugged: bool) -> str | None:
        """Return the connector at which the car is, after a report of `connector`."""
        is_plugged = self._plugged.get(connector, False)
        if is_plugged and not was_plugged:
            return connector
        if self._used is not None and self._plugged.get(self._used, False):
            return self._used
        return next((name for name, plugged in self._plugged.items() if plugged), None)

    def _reported_fields(self, connector: str, received_at: int) -> dict[str, Any]:
        known = self._fields[connector]
        fields = {
            name: field.value for name, field in known.items() if field.is_withheld or received_at - field.at <= BEFORE_PLUG_MS
        }
        known.update({name: field._replace(is_withheld=False) for name, field in known.items()})
        return fields


def _is_true(value: Any) -> bool:
    try:
        return flag(value)
    except (TypeError, ValueError):
        return False
