"""`filter[group]`, `filter[code]` and `source`: the selection of signals, and of a source, in a read."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from chargeport.api import paging
from chargeport.errors import MALFORMED, Problem
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED

SOURCE: Final = "source"
GROUP, CODE = "filter[group]", "filter[code]"
MAX_SOURCE: Final = 128
_GROUPS: Final = {signal.group.lower(): signal.group for signal in CATALOGUE}
GROUP_NAMES: Final = {*_GROUPS, *_GROUPS.values()}
"""The names of groups in their usual case; any case is accepted."""
_BY_CODE_ORDER: Final = tuple(sorted(CATALOGUE, key=lambda signal: signal.code))

_Known = TypeVar("_Known")


class Selection(NamedTuple):
    """The selected signals, by code, and the source whose series alone is selected; None for the effective state."""

    signals: Sequence[Signal]
    source: str | None


EVERYTHING: Final = Selection(_BY_CODE_ORDER, None)


def selected(query: paging.Query) -> Selection:
    """Return the selection of a read's parameters. Raises Problem (400) if they are invalid."""
    if not query:
        return EVERYTHING
    paging.only_filters(query, GROUP, CODE)
    parameters = dict(query)
    signals: Sequence[Signal] = _BY_CODE_ORDER
    if GROUP in parameters:
        groups = {_named(_GROUPS, name.strip().lower(), GROUP) for name in parameters[GROUP].split(",")}
        signals = [signal for signal in signals if signal.group in groups]
    if CODE in parameters:
        named = {_named(BY_CODE, name.strip(), CODE) for name in parameters[CODE].split(",")}
        signals = [signal for signal in signals if signal in named]
    return Selection(signals, source(query))


def source(query: paging.Query) -> str | None:
    """Return the source whose series alone is selected; a derived one may be named with its rule, as in `meta.source`.

    Raises Problem (400).
    """
    name = dict(query).get(SOURCE)
    if name is not None and not 0 < len(name) <= MAX_SOURCE:
        raise Problem(MALFORMED, f"{SOURCE}: the name of a source has 1 to {MAX_SOURCE} characters: coverage lists the names.")
    return DERIVED if name is not None and name.startswith(f"{DERIVED}:") else name


def _named(known: Mapping[str, _Known], name: str, parameter: str) -> _Known:
    found = known.get(name)
    if found is None:
        raise Problem(MALFORMED, f"{parameter}: {name[:60]!r} is not known: use {', '.join(known)}.")
    return found
