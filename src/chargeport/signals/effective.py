"""Which of several sources' values of a signal is the effective one at an instant, and why each other one is not.

A pure function of what every source reported: of the signal, of whether the car charges and of whether its cable is in. Nothing
of it is stored, so a late report of a preferred source, or a changed order of sources, takes effect at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Dimension, Signal
from chargeport.signals.flags import LAG_MS, UNKNOWN, Flag, Series, denied_at, flag, has_value, within
from chargeport.signals.ranks import DERIVED, DERIVED_FIRST, Ranks, is_derived
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import State, stale_at

__all__ = [
    "DERIVED",
    "FLAG_KEYS",
    "Effective",
    "PassedOver",
    "Ranks",
    "Told",
    "Unavailability",
    "Why",
    "effective",
    "effective_of",
    "is_undisputed",
    "next_change_at",
    "told",
    "undisputed",
]

TOGETHER_MS: Final = 10_000
"""A value that was observed so shortly before its source said that charging began belongs to it: reports may come in parts."""

_FLOW: Final = frozenset({Dimension.CURRENT, Dimension.VOLTAGE, Dimension.POWER, Dimension.SPEED})
_FLAGS: Final = (IS_CHARGING, CABLE_CONNECTED)
FLAG_KEYS: Final = tuple(signal.key for signal in _FLAGS)
_NEVER: Final = 1 << 62  # later than any instant
_LASTING, _LIVE = Cadence.LASTING, Cadence.LIVE  # looked up once

Told = tuple[str | int | None, int]
"""The source (by name or key) that alone reports the flags, None where nobody does; and since when they say what they say."""


class Why(StrEnum):
    """Why a series is not the effective one. `sentence` says it to a person."""

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
        """The reason in plain words."""
        return _SENTENCES[self]


_SENTENCES: Final = {
    Why.ABSENT: "The source gives no value.",
    Why.OVER: "The value belongs to a charging session that is over.",
    Why.SILENT: "The source has been silent for too long.",
    Why.ELSEWHERE: "The source says that the car does not charge there, while another one says that it charges.",
    Why.DENIED: "Another source reported the end of it later.",
    Why.OUTVOTED: "Another source says that it is so, and one is enough.",
    Why.OUTRANKED: "Another source is preferred for this signal.",
    Why.OLDER: "Another source of the same rank has a newer value.",
    Why.DERIVED: "A derived value counts only where no source reports one.",
}


class Unavailability(msgspec.Struct, frozen=True):
    """Why a value may not be shown as true: the reason, and since when (by our clock)."""

    reason: AbsenceReason
    since: int


class PassedOver(msgspec.Struct, frozen=True):
    """The state of a series that is not the effective one, and why not."""

    state: State
    why: Why


class Effective(msgspec.Struct, frozen=True):
    """The state that counts for a signal, why its value may not be shown (None: it may), and the other series."""

    state: State
    unavailability: Unavailability | None = None
    passed_over: tuple[PassedOver, ...] = ()


class _Judged(NamedTuple):
    """A state, and what there is against its value by itself."""

    state: State
    against: Unavailability | None
    why: Why | None


def effective(signal: Signal, series: Series, ranks: Ranks, now: int) -> Effective | None:
    """Return the effective state of a signal at `now`; None where nothing was ever reported of it.

    `series` holds what there is of this signal, of charge-ischarging and of charge-ischargingcableconnected.
    """
    return next(iter(effective_of((signal,), series, ranks, now)), None)


def _disputed(signal: Signal, series: Series, ranks: Ranks, now: int) -> Effective:
    """Return what is effective of a signal, where one series may be against another, or against itself."""
    known = series[signal.key]
    if signal in _FLAGS:
        return _effective_flag(signal, known, series, ranks, now)
    session = _session_of(signal, series, ranks, now)
    judged = [_judged(state, session, now) for state in known]
    best = _best([each for each in judged if each.against is None] or judged, ranks)
    return _chosen(best, judged, ranks)


def effective_of(signals: Iterable[Signal], series: Series, ranks: Ranks, now: int) -> list[Effective]:
    """Return what is effective of several signals at `now`, without those of which nothing was ever reported."""
    known = [signal for signal in signals if series.get(signal.key)]
    return [
        Effective(sole) if sole is not None else _disputed(signal, series, ranks, now)
        for signal, sole in zip(known, undisputed(known, series, now), strict=True)
    ]


def undisputed(signals: Iterable[Signal], series: Series, now: int) -> list[State | None]:
    """Return for each signal the state of its only series, where nothing can be against its value; None where something may be.

    A quick answer for what most reads ask.
    """
    by = told([(state.source, state.changed_at) for key in FLAG_KEYS for state in series.get(key, ())])
    found: list[State | None] = []
    for signal in signals:
        known, sole = series.get(signal.key, ()), None
        if len(known) == 1:
            state = known[0]
            if is_undisputed(signal.cadence, state.source, state.observed_at, state.absence_at, state.live_for_ms, by, now):
                sole = state
        found.append(sole)
    return found


def is_undisputed(  # noqa: PLR0917  (asked for each signal of a read: names would cost as much as the answer)
    cadence: Cadence,
    source: str | int | None,
    observed_at: int | None,
    absence_at: int | None,
    live_for_ms: int,
    by: Told,
    now: int,
) -> bool:
    """Tell whether nothing can be against the value of a signal's only series: see `State`. `by` is what `told` returns.

    Takes no more than the members that decide: it is asked for each signal of each read.
    """
    if observed_at is None or (absence_at is not None and absence_at > observed_at):
        return False
    if cadence is _LASTING:
        return True
    teller, told_at = by
    is_fresh = cadence is not _LIVE or now < observed_at + live_for_ms
    return is_fresh and observed_at >= told_at and (teller is None or teller == source)


def told(flags: Iterable[tuple[str | int | None, int | None]]) -> Told:
    """Return who reports the flags, and since when. Where several do, or it is not known since when, that is later than ever.

    `flags` are source and `changed_at` of each of their series: of charge-ischarging and of charge-ischargingcableconnected.
    """
    teller: str | int | None = None
    told_at = 0
    for source, changed_at in flags:
        if not changed_at or (teller is not None and teller != source):
            return teller, _NEVER
        teller = source
        told_at = max(told_at, changed_at)
    return teller, told_at


def next_change_at(signal: Signal, series: Series, now: int) -> int | None:
    """Return the next instant at which the effective state may change though nothing is reported; None where there is none."""
    return min(_turns(signal, series, now), default=None)


def _turns(signal: Signal, series: Series, now: int) -> Iterator[int]:
    for key in {signal.key, *FLAG_KEYS}:
        for state in series.get(key, ()):
            if state.observed_at is None:
                continue
            for at in (stale_at(state), state.observed_at + LAG_MS):
                if at is not None and at > now:
                    yield at


class _Session(NamedTuple):
    """What the values of a signal are tied to: the flag, what each source itself reports of it, and the cable.

    `plugged_at` is since when the cable is in, by source: the car may have been unplugged while its source did not report that
    charging had ended.
    """

    flag: Flag
    own: dict[str | None, State]
    is_unplugged: bool
    plugged_at: dict[str | None, int]


_TIMELESS: Final = _Session(UNKNOWN, {}, False, {})


def _session_of(signal: Signal, series: Series, ranks: Ranks, now: int) -> _Session:
    if signal.cadence is Cadence.LASTING:
        return _TIMELESS
    tie = IS_CHARGING if signal.cadence is Cadence.LIVE else CABLE_CONNECTED
    said = (state for state in series.get(tie.key, ()) if state.observed_at is not None)
    own = {state.source: state for state in said if not is_derived(state.source)}
    found = flag(tie, series, ranks, now)
    is_unplugged = tie is IS_CHARGING and not found.is_on and _is_unplugged(series, ranks, now)
    cables = series.get(CABLE_CONNECTED.key, ()) if tie is IS_CHARGING else ()
    plugged_at = {
        state.source: state.changed_at or 0 for state in cables if state.value is True and not is_derived(state.source)
    }
    return _Session(found, own, is_unplugged, plugged_at)


def _is_unplugged(series: Series, ranks: Ranks, now: int) -> bool:
    """Return whether the cable is known to be out: said so, and not unknown since."""
    cable = flag(CABLE_CONNECTED, series, ranks, now)
    return cable.is_on is False and any(has_value(state) for state in cable.states)


def _judged(state: State, session: _Session, now: int) -> _Judged:
    """Return what is against the value of a series by itself."""
    heard_at = state.received_at or 0
    if not has_value(state):
        reason = state.absence or AbsenceReason.UNREADABLE
        return _Judged(state, Unavailability(reason, max(state.absence_received_at or 0, heard_at)), Why.ABSENT)
    if session.is_unplugged and _is_at_rest(state):
        return _Judged(state, None, None)
    ended = _ended(state, session)
    if ended is not None:
        why, since = ended
        return _Judged(state, Unavailability(AbsenceReason.NOT_CHARGING, max(since, heard_at)), why)
    return _silent(state, now)


def _silent(state: State, now: int) -> _Judged:
    until = stale_at(state)
    if until is None or now < until:
        return _Judged(state, None, None)
    return _Judged(state, Unavailability(AbsenceReason.UNREACHABLE, max(until, state.received_at or 0)), Why.SILENT)


def _ended(state: State, session: _Session) -> tuple[Why, int] | None:
    """Return whether the charging, or the time plugged in, that a value belongs to is over; and since when, by our clock."""
    now_is, own, at = session.flag, session.own.get(state.source), state.observed_at or 0
    if state.value is False or now_is.is_on is None:
        return None  # that there is no fast charger stays true
    if not now_is.is_on:
        by = own if own is not None and own.value is False else None
        ended_at, heard_at = (now_is.since, now_is.received_at) if by is None else (by.changed_at or 0, by.received_at or 0)
        return (Why.OVER, heard_at) if at < ended_at else None
    if own is not None and own.value is False:
        return Why.ELSEWHERE, now_is.received_at
    began_at = now_is.since if own is None else max(now_is.since, own.changed_at or 0)
    is_of_one_report = own is not None and not _is_derived(now_is)
    before_ms = 0 if not state.value else TOGETHER_MS if is_of_one_report else LAG_MS
    began_at = max(began_at - before_ms, session.plugged_at.get(state.source, 0) - LAG_MS)
    return (Why.OVER, now_is.received_at) if at < began_at else None


def _is_derived(found: Flag) -> bool:
    return any(is_derived(state.source) for state in found.states)


def _is_at_rest(state: State) -> bool:
    """Return whether a value is what follows from a cable that is not in: it does not charge, and nothing flows."""
    return not state.value and (state.signal is IS_CHARGING or state.signal.dimension in _FLOW)


def _best(pool: Sequence[_Judged], ranks: Ranks) -> _Judged:
    """Return the preferred one of several series that all may be shown, or none of which may."""
    reported = [each for each in pool if not is_derived(each.state.source)]
    is_derived_first = pool[0].state.signal in DERIVED_FIRST
    if len(reported) < len(pool) and (is_derived_first or not reported):
        reported = [each for each in pool if is_derived(each.state.source)]
    valued = [each for each in reported if each.state.observed_at is not None]
    newest = max((each.state.observed_at or 0 for each in valued), default=0)
    return min(
        [each for each in valued if within(each.state, newest, ranks)] or reported,
        key=lambda each: (ranks.rank(each.state.signal, each.state.source), -_reported_at(each.state), each.state.source or ""),
    )


def _reported_at(state: State) -> int:
    return max(state.observed_at or 0, state.absence_at or 0)


def _effective_flag(signal: Signal, known: Sequence[State], series: Series, ranks: Ranks, now: int) -> Effective:
    """Return the effective state of one of the two flags. A flag that was derived counts where none was reported."""
    found = flag(signal, series, ranks, now)
    is_unplugged = signal is IS_CHARGING and not found.is_on and _is_unplugged(series, ranks, now)
    judged = [_judged_flag(state, found, series, ranks, now, is_unplugged=is_unplugged) for state in known]
    shown = {id(state) for state in found.states}
    pool = [each for each in judged if each.against is None]
    if ranks.is_either(signal):
        pool = [each for each in pool if id(each.state) in shown]
        best = min(pool, key=_newest_first) if pool else _best(judged, ranks)
    else:
        best = _best(pool or judged, ranks)
    return _chosen(best, judged, ranks)


def _newest_first(judged: _Judged) -> tuple[int, str]:
    return -(judged.state.observed_at or 0), judged.state.source or ""


def _judged_flag(state: State, found: Flag, series: Series, ranks: Ranks, now: int, *, is_unplugged: bool) -> _Judged:
    if not has_value(state):
        return _judged(state, _TIMELESS, now)
    if is_unplugged and _is_at_rest(state):
        return _Judged(state, None, None)
    if state.value is True and ranks.is_either(state.signal):
        ended_at = denied_at(state, series, ranks)
        if ended_at is not None and now >= ended_at:
            since = max(found.received_at, state.received_at or 0)
            return _Judged(state, Unavailability(AbsenceReason.NOT_CHARGING, since), Why.DENIED)
    return _silent(state, now)


def _chosen(best: _Judged, judged: Sequence[_Judged], ranks: Ranks) -> Effective:
    others = tuple(PassedOver(each.state, _why(each, best, ranks)) for each in judged if each is not best)
    return Effective(best.state, best.against, others)


def _why(each: _Judged, best: _Judged, ranks: Ranks) -> Why:
    """Return why this one is not the best one."""
    if each.why is not None:
        return each.why
    state, chosen = each.state, best.state
    if is_derived(state.source) or is_derived(chosen.source):
        return Why.DERIVED
    if ranks.is_either(state.signal) and state.value != chosen.value:
        return Why.OUTVOTED
    outranks = ranks.rank(state.signal, chosen.source) < ranks.rank(state.signal, state.source)
    return Why.OUTRANKED if outranks else Why.OLDER
