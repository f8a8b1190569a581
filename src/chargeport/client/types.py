"""What the client returns: the API's answers in the few members that programs use. Unknown members are left out."""

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
    """A signal now: `body` with `why` None holds; with `why` it is the last value; without it nothing is known."""

    code: str
    body: dict[str, Any] | None = None
    why: str | None = None
    observed_at: datetime | None = None
    stale_at: datetime | None = None
    source: str | None = None
    derived_from: tuple[str, ...] = ()

    @property
    def value(self) -> Any:
        """The value that holds now; None where none does."""
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
    """A change in a signal's history: from then on it had this body, or none."""

    at: datetime
    body: dict[str, Any] | None
    source: str | None


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a signal's history: of numbers the least, greatest and mean; `last` is what held at its end."""

    start: datetime
    end: datetime
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    last: Any = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A charging session; one that goes on has no `ended_at`."""

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
    """Something changed (`signal`), or a live value's time has run out (`ended`). `id` is where a stream resumes behind it."""

    kind: str
    vehicle: str
    signal: Signal
    id: str | None


def instant(text: str | None) -> datetime | None:
    """Return an instant as the API writes it."""
    return None if text is None else datetime.fromisoformat(text)
