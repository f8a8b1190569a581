"""The types that the client returns: the members of answers that programs use. Unknown members are ignored."""

from datetime import datetime
from typing import Any

import msgspec


class Vehicle(msgspec.Struct, frozen=True, kw_only=True):
    """A vehicle that the application may see."""

    id: str
    make: str | None = None
    model: str | None = None
    year: int | None = None


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal: `body` is current if `why` is None, else the last known value, if any; `why` is the reason."""

    code: str
    body: dict[str, Any] | None = None
    why: str | None = None
    observed_at: datetime | None = None
    stale_at: datetime | None = None
    source: str | None = None
    derived_from: tuple[str, ...] = ()

    @property
    def value(self) -> Any:
        """The current value; None if there is none."""
        return None if self.why is not None or self.body is None else self.body.get("value", self.body)

    @classmethod
    def of(cls, resource: dict[str, Any]) -> "Signal":
        """Return the signal of a resource as the API writes it."""
        attributes, meta = resource["attributes"], resource.get("meta") or {}
        status = attributes["status"]
        error = status.get("error") or {}
        return cls(
            code=attributes["code"],
            body=attributes.get("body"),
            why=None if status["value"] == "SUCCESS" else error.get("detail", status["value"]),
            observed_at=instant(meta.get("oemUpdatedAt")),
            stale_at=instant(meta.get("staleAt")),
            source=meta.get("source"),
            derived_from=tuple(meta.get("derivedFrom", ())),
        )


class Point(msgspec.Struct, frozen=True):
    """A change in a signal's history: the body from `at` on, or None."""

    at: datetime
    body: dict[str, Any] | None
    source: str | None


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A span of a signal's history: minimum, maximum and mean of numbers; `last` is the value at its end."""

    start: datetime
    end: datetime
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    last: Any = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A charging session; one that has not ended has no `ended_at`."""

    id: str
    vehicle_id: str
    started_at: datetime
    ended_at: datetime | None = None
    energy_added_kwh: float | None = None
    energy_drawn_kwh: float | None = None
    start_soc_percent: float | None = None
    end_soc_percent: float | None = None
    charging_type: str | None = None
    place: dict[str, Any] | None = None
    cost: dict[str, Any] | None = None
    note: str | None = None


class Event(msgspec.Struct, frozen=True):
    """A change (`signal`), or a live value that expired (`ended`). A stream resumes after the event with `id`."""

    kind: str
    vehicle: str
    signal: Signal
    id: str | None


def instant(text: str | None) -> datetime | None:
    """Parse an instant in the form of the API."""
    return None if text is None else datetime.fromisoformat(text)
