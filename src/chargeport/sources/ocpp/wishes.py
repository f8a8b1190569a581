"""What we would like a station to measure: asked for politely, changed only where it is not so, never written twice.

Stations keep settings in flash and some start anew after a change, so what is right already is left alone. A station that does
not know one measurand of a list refuses the whole list: then it is found out what it takes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from chargeport.sources.ocpp.session import Session


class Wish(NamedTuple):
    """A setting of a station, and what it should be: a number, or measurands of which more do no harm."""

    name: str
    wanted: Sequence[str]


class Configurable(Protocol):
    """A station's settings, as its version of OCPP reaches them."""

    async def values(self, session: Session, names: Sequence[str]) -> Mapping[str, str]:
        """What the settings are, as far as the station says so."""
        ...

    async def change(self, session: Session, name: str, value: str) -> bool:
        """Whether the station took the value."""
        ...


async def fulfil(session: Session, settings: Configurable, wishes: Sequence[Wish], narrowed: dict[str, str]) -> None:
    """Have the station measure what is wanted, as far as it can. `narrowed` remembers what it took of a list."""
    present = await settings.values(session, [wish.name for wish in wishes])
    for wish in wishes:
        now = present.get(wish.name)
        if now is not None and (set(wish.wanted) <= _listed(now) or narrowed.get(wish.name) == now):
            continue
        if not await settings.change(session, wish.name, ",".join(wish.wanted)) and len(wish.wanted) > 1:
            await _narrow(session, settings, wish, narrowed)


async def _narrow(session: Session, settings: Configurable, wish: Wish, narrowed: dict[str, str]) -> None:
    """Add one after the other to what it takes; what it refuses leaves the last list in force."""
    taken: list[str] = []
    for each in wish.wanted:
        if await settings.change(session, wish.name, ",".join([*taken, each])):
            taken.append(each)
    if taken:
        narrowed[wish.name] = ",".join(taken)


def _listed(value: str) -> set[str]:
    return {part.strip() for part in value.split(",")}
