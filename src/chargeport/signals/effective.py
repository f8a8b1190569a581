"""Which series of a signal is effective at an instant, and why each other series is passed over.

A pure function of the series of the signal, of charge-ischarging and of charge-ischargingcableconnected. Its result is not
stored, so a late report of a preferred source, or a changed order of sources, takes effect at once.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import LASTING, LIVE, Cadence, Dimension, Signal
from chargeport.signals.flags import LAG_MS, UNKNOWN, Flag, denied_at, flag, has_value, within
from chargeport.signals.ranks import DERIVED, DERIVED_FIRST, Ranks, is_derived
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import Series, State, stale_at

__all__ = [
    "DERIVED",
    "FLAG_KEYS",
    "Effective",
    "FlagReporter",
    "PassedOver",
    "Ranks",
    "Unavailability",
    "Why",
    "effective",
    "effective_of",
    "flag_reporter",
    "is_undisputed",
    "next_change_at",
    "undisputed",
]

TOGETHER_MS: Final = 10_000
"""A value observed at most this long before its source reports the start of charging belongs to it: reports are split."""

_FLOW: Final = frozenset({Dimension.CURRENT, Dimension.VOLTAGE, Dimension.POWER, Dimension.SPEED})
_FLAGS: Final = (IS_CHARGING, CABLE_CONNECTED)
FLAG_KEYS: Final = tuple(signal.key for signal in _FLAGS)
_NEVER: Final = 1 << 62  # later than any instant

FlagReporter = tuple[str | int | None, int]
"""The only source of the flags (its name or key; None where there is none), and since when both flags have their values."""


class Why(StrEnum):
    """Why a series is not the effective one."""

    ABSENT = "ABSENT"
    OVER = "OVER"
    SILENT = "SILENT"
    ELSEWHERE = "ELSEWHERE"
    DENIED = "DENIED"
    OUTVOTED = "OUTVOTED"
    OUTRANKED = "OUTRANKED"
    OLDER = "OLDER"
    DERIVED = "DERIVED"

    @property
    def sentence(self) -> str:
        """The reason as a sentence for people."""
        return _SENTENCES[self]


_SENTENCES: Final = {
    Why.ABSENT: "The source reports no value.",
    Why.OVER: "The value belongs to a charging session that is over.",
    Why.SILENT: "The source has not reported for too long.",
    Why.ELSEWHERE: "The source reports that the car does not charge there, while another one reports that it charges.",
    Why.DENIED: "Another source reported the end of it later.",
    Why.OUTVOTED: "Another source reports that it is true, and one is enough.",
    Why.OUTRANKED: "Another source is preferred for this signal.",
    Why.OLDER: "Another source of the same rank has a newer value.",
    Why.DERIVED: "A derived value counts only where no source reports one.",
}


class Unavailability(msgspec.Struct, frozen=True):
    """Why a value may not be served as true, and since when (by the server's clock)."""

    reason: AbsenceReason
    since: int


class PassedOver(msgspec.Struct, frozen=True):
    """The state of a series that is not effective, and the reason."""

    state: State
    why: Why


class Effective(msgspec.Struct, frozen=True):
    """The effective state of a signal, why its value is unavailable (None: it is available), and the other series."""

    state: State
    unavailability: Unavailability | None = None
    passed_over: tuple[PassedOver, ...] = ()


class _Assessed(NamedTuple):
    """A state and, regardless of other series of its signal, why its value is unavailable and would be passed over."""

    state: State
    unavailability: Unavailability | None
    why: Why | None


def effective(signal: Signal, series: Series, ranks: Ranks, now: int) -> Effective | None:
    """Return the effective state of a signal at `now`; None without any series of it.

    `series` needs the series of this signal, of charge-ischarging and of charge-ischargingcableconnected.
    """
    return next(iter(effective_of((signal,), series, ranks, now)), None)


def _weigh(signal: Signal, series: Series, ranks: Ranks, now: int, sessions: "dict[Cadence, _Session]") -> Effective:
    """Return the effective state of a signal whose series may contradict each other or the flags.

    `sessions` caches the sessions of the series by cadence: most signals of a vehicle have the same one.
    """
    known = series[signal.key]
    if signal in _FLAGS:
        return _effective_flag(signal, known, series, ranks, now)
    session = sessions.get(signal.cadence)
    if session is None:
        session = sessions[signal.cadence] = _session_of(signal.cadence, series, ranks, now)
    assessed = [_assess(state, session, now) for state in known]
    best = _best([candidate for candidate in assessed if candidate.unavailability is None] or assessed, ranks)
    return _result(best, assessed, ranks)


def effective_of(signals: Iterable[Signal], series: Series, ranks: Ranks, now: int) -> list[Effective]:
    """Return the effective states of several signals at `now`, without the signals that have no series."""
    known = [signal for signal in signals if series.get(signal.key)]
    sessions: dict[Cadence, _Session] = {}
    return [
        Effective(sole) if sole is not None else _weigh(signal, series, ranks, now, sessions)
        for signal, sole in zip(known, undisputed(known, series, now), strict=True)
    ]


def undisputed(signals: Iterable[Signal], series: Series, now: int) -> list[State | None]:
    """Return for each signal the state of its only series if its value is certainly available, else None.

    This is the fast path of most reads.
    """
    reporter = flag_reporter([(state.source, state.changed_at) for key in FLAG_KEYS for state in series.get(key, ())])
    states: list[State | None] = []
    for signal in signals:
        known, sole = series.get(signal.key, ()), None
        if len(known) == 1:
            state = known[0]
            if is_undisputed(
                signal.cadence, state.source, state.observed_at, state.absence_at, state.live_for_ms, reporter, now
            ):
                sole = state
        states.append(sole)
    return states


def is_undisputed(  # noqa: PLR0917  (called for each signal of a read: keywords would cost as much as the body)
    cadence: Cadence,
    source: str | int | None,
    observed_at: int | None,
    absence_at: int | None,
    live_for_ms: int,
    flags_of: FlagReporter,
    now: int,
) -> bool:
    """Return whether the value of a signal's only series is certainly available.

    The arguments are members of its `State`, and the result of `flag_reporter`: the fast path of reads creates no `State`.
    """
    if observed_at is None or (absence_at is not None and absence_at > observed_at):
        return False
    if cadence is LASTING:
        return True
    reporter, since = flags_of
    is_fresh = cadence is not LIVE or now < observed_at + live_for_ms
    return is_fresh and observed_at >= since and (reporter is None or reporter == source)


def flag_reporter(flags: Iterable[tuple[str | int | None, int | None]]) -> FlagReporter:
    """Return the only source of the flags, and since when. With several sources, or an unknown instant, that is never.

    `flags` are source and `changed_at` of each series of charge-ischarging and of charge-ischargingcableconnected.
    """
    reporter: str | int | None = None
    since = 0
    for source, changed_at in flags:
        if not changed_at or (reporter is not None and reporter != source):
            return reporter, _NEVER
        reporter = source
        since = max(since, changed_at)
    return reporter, since


def next_change_at(signal: Signal, series: Series, now: int) -> int | None:
    """Return the next instant at which the effective state may change without a report; None where there is none."""
    instants = (
        at
        for key in {signal.key, *FLAG_KEYS}
        for state in series.get(key, ())
        if state.observed_at is not None
        for at in (stale_at(state), state.observed_at + LAG_MS)
        if at is not None and at > now
    )
    return min(instants, default=None)


class _Session(NamedTuple):
    """The session that a signal's values belong to: the flag, each source's own report of it (`own`), and the cable.

    `plugged_at` is since when the cable is connected, by source: the car may have been unplugged although its source did not
    report the end of charging.
    """

    flag: Flag
    own: dict[str | None, State]
    is_unplugged: bool
    plugged_at: dict[str | None, int]


_TIMELESS: Final = _Session(UNKNOWN, {}, False, {})


def _session_of(cadence: Cadence, series: Series, ranks: Ranks, now: int) -> _Session:
    if cadence is LASTING:
        return _TIMELESS
    flag_signal = IS_CHARGING if cadence is LIVE else CABLE_CONNECTED
    valued = (state for state in series.get(flag_signal.key, ()) if state.observed_at is not None)
    own = {state.source: state for state in valued if not is_derived(state.source)}
    current = flag(flag_signal, series, ranks, now)
    is_unplugged = flag_signal is IS_CHARGING and not current.is_on and _is_unplugged(series, ranks, now)
    cables = series.get(CABLE_CONNECTED.key, ()) if flag_signal is IS_CHARGING else ()
    plugged_at = {
        state.source: state.changed_at or 0 for state in cables if state.value is True and not is_derived(state.source)
    }
    return _Session(current, own, is_unplugged, plugged_at)


def _is_unplugged(series: Series, ranks: Ranks, now: int) -> bool:
    """Return whether the cable is reported as disconnected, without a later absence."""
    cable = flag(CABLE_CONNECTED, series, ranks, now)
    return cable.is_on is False and any(has_value(state) for state in cable.states)


def _assess(state: State, session: _Session, now: int) -> _Assessed:
    """Return whether and why the value of a series is unavailable, regardless of other series of its signal."""
    received_at = state.received_at or 0
    if not has_value(state):
        reason = state.absence or AbsenceReason.UNREADABLE
        return _Assessed(state, Unavailability(reason, max(state.absence_received_at or 0, received_at)), Why.ABSENT)
    if session.is_unplugged and _is_at_rest(state):
        return _Assessed(state, None, None)
    end = _end_of(state, session)
    if end is not None:
        why, since = end
        return _Assessed(state, Unavailability(AbsenceReason.NOT_CHARGING, max(since, received_at)), why)
    return _assess_age(state, now)


def _assess_age(state: State, now: int) -> _Assessed:
    until = stale_at(state)
    if until is None or now < until:
        return _Assessed(state, None, None)
    return _Assessed(state, Unavailability(AbsenceReason.UNREACHABLE, max(until, state.received_at or 0)), Why.SILENT)


def _end_of(state: State, session: _Session) -> tuple[Why, int] | None:
    """Return why the session that a value belongs to is over, and since when by the server's clock; None where it is not."""
    current, own, at = session.flag, session.own.get(state.source), state.observed_at or 0
    if state.value is False or current.is_on is None:
        return None  # `false` stays true after the session: there is no fast charger
    if not current.is_on:
        ended_at, received_at = current.since, current.received_at
        if own is not None and own.value is False:
            ended_at, received_at = own.changed_at or 0, own.received_at or 0
        return (Why.OVER, received_at) if at < ended_at else None
    if own is not None and own.value is False:
        return Why.ELSEWHERE, current.received_at
    began_at = current.since if own is None else max(current.since, own.changed_at or 0)
    may_be_one_report = own is not None and not any(is_derived(on.source) for on in current.states)
    before_ms = 0 if not state.value else TOGETHER_MS if may_be_one_report else LAG_MS
    began_at = max(began_at - before_ms, session.plugged_at.get(state.source, 0) - LAG_MS)
    return (Why.OVER, current.received_at) if at < began_at else None


def _is_at_rest(state: State) -> bool:
    """Return whether a value follows from a disconnected cable: the car does not charge, and nothing flows."""
    return not state.value and (state.signal is IS_CHARGING or state.signal.dimension in _FLOW)


def _best(pool: Sequence[_Assessed], ranks: Ranks) -> _Assessed:
    """Return the preferred series of `pool`; either all of them are available, or none is."""
    candidates = [candidate for candidate in pool if not is_derived(candidate.state.source)]
    is_derived_first = pool[0].state.signal in DERIVED_FIRST
    if len(candidates) < len(pool) and (is_derived_first or not candidates):
        candidates = [candidate for candidate in pool if is_derived(candidate.state.source)]
    valued = [candidate for candidate in candidates if candidate.state.observed_at is not None]
    newest = max((candidate.state.observed_at or 0 for candidate in valued), default=0)

    def preference(candidate: _Assessed) -> tuple[int, int, str]:
        state = candidate.state
        reported_at = max(state.observed_at or 0, state.absence_at or 0)
        return ranks.rank(state.signal, state.source), -reported_at, state.source or ""

    return min([candidate for candidate in valued if within(candidate.state, newest, ranks)] or candidates, key=preference)


def _effective_flag(signal: Signal, known: Sequence[State], series: Series, ranks: Ranks, now: int) -> Effective:
    """Return the effective state of one of the two flags. A derived flag counts only where none was reported."""
    current = flag(signal, series, ranks, now)
    is_unplugged = signal is IS_CHARGING and not current.is_on and _is_unplugged(series, ranks, now)
    assessed = [_assess_flag(state, current, series, ranks, now, is_unplugged=is_unplugged) for state in known]
    supporting = {id(state) for state in current.states}
    pool = [candidate for candidate in assessed if candidate.unavailability is None]
    if ranks.is_either(signal):
        pool = [candidate for candidate in pool if id(candidate.state) in supporting]
        best = min(pool, key=_newest_first) if pool else _best(assessed, ranks)
    else:
        best = _best(pool or assessed, ranks)
    return _result(best, assessed, ranks)


def _newest_first(candidate: _Assessed) -> tuple[int, str]:
    return -(candidate.state.observed_at or 0), candidate.state.source or ""


def _assess_flag(state: State, current: Flag, series: Series, ranks: Ranks, now: int, *, is_unplugged: bool) -> _Assessed:
    if not has_value(state):
        return _assess(state, _TIMELESS, now)
    if is_unplugged and _is_at_rest(state):
        return _Assessed(state, None, None)
    if state.value is True and ranks.is_either(state.signal):
        ended_at = denied_at(state, series, ranks)
        if ended_at is not None and now >= ended_at:
            since = max(current.received_at, state.received_at or 0)
            return _Assessed(state, Unavailability(AbsenceReason.NOT_CHARGING, since), Why.DENIED)
    return _assess_age(state, now)


def _result(best: _Assessed, assessed: Sequence[_Assessed], ranks: Ranks) -> Effective:
    others = tuple(PassedOver(other.state, _why(other, best, ranks)) for other in assessed if other is not best)
    return Effective(best.state, best.unavailability, others)


def _why(other: _Assessed, best: _Assessed, ranks: Ranks) -> Why:
    """Return why a series is passed over for the best one."""
    if other.why is not None:
        return other.why
    state, chosen = other.state, best.state
    if is_derived(state.source) or is_derived(chosen.source):
        return Why.DERIVED
    if ranks.is_either(state.signal) and state.value != chosen.value:
        return Why.OUTVOTED
    outranks = ranks.rank(state.signal, chosen.source) < ranks.rank(state.signal, state.source)
    return Why.OUTRANKED if outranks else Why.OLDER
