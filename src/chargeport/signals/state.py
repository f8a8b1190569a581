"""The state of a series, which is one signal of one car by one source, and until when it is fresh."""

from collections.abc import Mapping, Sequence

import msgspec

from chargeport.signals.definition import LIVE, Signal, Value
from chargeport.signals.reading import AbsenceReason

LIVE_FOR_MS = 30 * 60_000
"""How long a live value is valid without a new report, if the cadence of its source is unknown.

Twice the interval of the slowest push feed in use (VW's portal, every 15 minutes)."""


class State(msgspec.Struct, frozen=True):
    """The newest value and the newest absence of a series, each with its times.

    `changed_at` is when the value began, `observed_at` when it was last confirmed, both by the car's clock; the newer of
    `observed_at` and `absence_at` decides which of the two holds. `position` is that of the change to the value. A live value
    holds for `live_for_ms` after `observed_at`, by the cadence of its source at the time of the read. `rule` is that of the
    newest reading, where it was derived. A state without a source is a fact that the server has of the car, such as its VIN.
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


Series = Mapping[int, Sequence[State]]
"""The states of a car by signal key, one for each source that reported the signal."""


def stale_at(state: State) -> int | None:
    """Return when the value stops being fresh; None where there is no value, or its signal is not live."""
    if state.signal.cadence is not LIVE or state.observed_at is None:
        return None
    return state.observed_at + state.live_for_ms
