"""The settings that a station should have: read first, written only where they differ, and written once.

Stations keep settings in flash and some start anew after a change. So what is right is left alone, and what was written is
remembered: a station that does not show a setting, or shows an old value for it, is not written to each time that it connects.
A station that does not know one measurand of a list refuses the whole list: then it is found out what it takes.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from chargeport.sources.ocpp.session import Session
from chargeport.sources.ocpp.transactions import StationMemory, Written

AGAIN_AFTER_MS: Final = 86_400_000
"""A station that shows another value than it took has lost it: after so long it is written once more."""


class Outcome(Enum):
    """What came of writing a setting."""

    TAKEN = "taken"
    REFUSED = "refused"  # this value
    UNKNOWN = "unknown"  # the setting: another value would not do either


class Wish(NamedTuple):
    """A setting of a station, and what it should be: a number, or measurands of which more do no harm."""

    name: str
    wanted: Sequence[str]


class Configurable(Protocol):
    """A station's settings, as its version of OCPP reaches them."""

    async def values(self, session: Session, names: Sequence[str]) -> Mapping[str, str] | None:
        """Return the settings, as far as the station reports them; None where it does not reply."""
        ...

    async def change(self, session: Session, name: str, value: str) -> Outcome | None:
        """Write a setting and return the outcome; None where the station does not reply."""
        ...


async def fulfil(session: Session, settings: Configurable, wishes: Sequence[Wish], memory: StationMemory, now: int) -> None:
    """Configure the station to measure what is wanted, as far as it can. One that starts again and again is left alone."""
    if memory.is_looping():
        return
    present = await settings.values(session, [wish.name for wish in wishes]) or {}
    for wish in wishes:
        if not _is_right(wish, present.get(wish.name), memory.written.get(wish.name), now):
            taken = await _write(session, settings, wish)
            if taken is None:
                return  # it has gone, or replies to nothing
            await memory.wrote(wish.name, Written(",".join(wish.wanted), taken, now))


def _is_right(wish: Wish, shown: str | None, written: Written | None, now: int) -> bool:
    """Tell whether a setting is as it should be, or as much of it as the station took."""
    if shown is not None and set(wish.wanted) <= _listed(shown):
        return True
    if written is None or written.wanted != ",".join(wish.wanted):
        return False
    is_lost = shown is not None and _listed(shown) != _listed(written.taken)
    return not is_lost or now - written.at < AGAIN_AFTER_MS


async def _write(session: Session, settings: Configurable, wish: Wish) -> str | None:
    """Write a setting, a list one by one where the station refuses it whole; return what it took, None without a reply."""
    whole = ",".join(wish.wanted)
    outcome = await settings.change(session, wish.name, whole)
    if outcome is None or outcome is Outcome.TAKEN:
        return whole if outcome else None
    taken: list[str] = []
    for each in wish.wanted if outcome is Outcome.REFUSED and len(wish.wanted) > 1 else ():
        # What it refuses leaves the last list in force.
        outcome = await settings.change(session, wish.name, ",".join([*taken, each]))
        if outcome is None:
            return None
        if outcome is Outcome.TAKEN:
            taken.append(each)
    return ",".join(taken)


def _listed(value: str) -> set[str]:
    return {part.strip() for part in value.split(",")}
