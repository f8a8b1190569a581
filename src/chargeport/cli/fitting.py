"""How a table is made to fit a terminal: columns are left out first, then long cells go on below."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

GAP: Final = 2  # blanks between two columns
LEAST: Final = 8  # what is left of a column that is cut
FIRM: Final = frozenset({"time", "start", "end", "from", "VIN"})  # half of one of these is of no use


class Plan(NamedTuple):
    """The columns that are shown, by index, each with its width; and the names of those that are left out."""

    widths: dict[int, int]
    left_out: list[str]


def fit(
    columns: Sequence[str], widths: Sequence[int], room: int, spare: Sequence[str] = (), short: Mapping[str, int] | None = None
) -> Plan:
    """Plan what fits: cut the columns in `short`, then leave out those in `spare`, then narrow the widest.

    The first column is what the next command will want, so it is cut only where `short` says how much of it is enough.

    >>> fit(("id", "make", "note"), (36, 4, 20), 80)
    Plan(widths={0: 36, 1: 4, 2: 20}, left_out=[])
    >>> fit(("id", "make", "note"), (36, 4, 20), 50, spare=["note"])
    Plan(widths={0: 36, 1: 4}, left_out=['note'])
    >>> fit(("id", "make", "note"), (36, 4, 20), 60)
    Plan(widths={0: 36, 1: 4, 2: 16}, left_out=[])
    >>> fit(("id", "make", "note"), (36, 4, 20), 40, short={"id": 8})
    Plan(widths={0: 8, 1: 4, 2: 20}, left_out=[])
    """
    shown = dict(enumerate(widths))
    for name, width in (short or {}).items():
        if name in columns and _excess(shown, room) > 0:
            index = columns.index(name)
            shown[index] = min(shown[index], width)
    left_out = []
    for name in spare:
        if name in columns and _excess(shown, room) > 0:
            del shown[columns.index(name)]
            left_out.append(name)
    soft = [index for index in shown if index > 0 and columns[index] not in FIRM]
    while (excess := _excess(shown, room)) > 0:
        widest = max(soft, key=lambda index: shown[index], default=0)
        if not soft or shown[widest] <= LEAST:
            break
        second = max((shown[index] for index in soft if index != widest), default=0)
        shown[widest] = max(LEAST, shown[widest] - excess, min(shown[widest] - 1, second))
    return Plan(shown, left_out)


def cut(text: str, width: int, end: str = "…") -> str:
    """Return the text on one line of this width; what is cut off is an ellipsis, or the `end` that is given.

    >>> cut("a long sentence", 8), cut("short", 8), cut("455f1614-34aa", 8, "")
    ('a long …', 'short', '455f1614')
    """
    line = " ".join(text.split("\n"))
    return line if len(line) <= width else line[: max(0, width - len(end))] + end


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of this width; a word that is longer goes on in the next one.

    >>> wrapped("a long sentence", 8), wrapped("short", 8), wrapped("455f1614-34aa", 8)
    (['a long', 'sentence'], ['short'], ['455f1614', '-34aa'])
    """
    line = " ".join(text.split("\n"))
    return [line] if len(line) <= width else textwrap.wrap(line, width, break_on_hyphens=False)


def _excess(shown: Mapping[int, int], room: int) -> int:
    return sum(shown.values()) + GAP * (len(shown) - 1) - room
