"""What one source said of one signal of one car, and until when that is fresh."""

import msgspec

from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.reading import AbsenceReason

LIVE_FOR_MS = 30 * 60_000
"""How long a live value stands without a new report, where nothing else is known of its source.

Twice the slowest push feed in use (VW's portal, every 15 minutes)."""


class State(msgspec.Struct, frozen=True):
    """The newest value of a signal and the newest word that there is none, each with its times.

    `changed_at` is when the value was first seen, `observed_at` when it was last confirmed, both by the car's clock; the newer
    of `observed_at` and `absence_at` decides which of the two holds. `position` is the change that brought the value. If it is
    live, it stands for `live_for_ms` after `observed_at`: what is known of its source's cadence when it is read. `rule` is that
    of the newest reading, where it was derived. Without a source it is a fact that the server keeps of the car.
    """

    signal: Signal
    value: Value | None = None
    observed_at: int | None = None
    changed_at: int | None = None
    received_at: int | None = None
    source: str | None = None
    position: int = 0
    absence: AbsenceReason | None = None
    absence_at: int | None = None
    absence_received_at: int | None = None
    absence_source: str | None = None
    live_for_ms: int = LIVE_FOR_MS
    rule: str | None = None


def stale_at(state: State) -> int | None:
    """Return when the value stops being fresh; None for what lasts until something changes it."""
    if state.signal.cadence is not Cadence.LIVE or state.observed_at is None:
        return None
    return state.observed_at + state.live_for_ms
