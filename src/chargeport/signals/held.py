"""What was reported of a signal, and what was derived of it, each by itself."""

from chargeport.signals.definition import Signal
from chargeport.signals.flags import Series
from chargeport.signals.ranks import is_derived
from chargeport.signals.state import State


def reported_of(series: Series, signal: Signal) -> State | None:
    """Return the series of a signal that was reported last; None where none was reported."""
    return max((each for each in series.get(signal.key, ()) if not is_derived(each.source)), key=_newest_at, default=None)


def derived_of(series: Series, signal: Signal) -> State | None:
    """Return the derived series of a signal; None where nothing was derived."""
    return next((each for each in series.get(signal.key, ()) if is_derived(each.source)), None)


def _newest_at(state: State) -> tuple[int, str]:
    return max(state.observed_at or 0, state.absence_at or 0), state.source or ""
