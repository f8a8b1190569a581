"""The output of commands: tables for people, one JSON document for programs, errors and progress on standard error.

Rich is loaded only when a table is printed, not for JSON, because loading it takes time.
"""

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import typer

from chargeport.errors import ChargeportError

if TYPE_CHECKING:
    from rich.console import Console

NOTHING: Final = "—"  # an unknown value; never 0, never no
PIPED_WIDTH: Final = 4000  # in a pipe a row of a table is one line of any length

GAP: Final = 2  # blanks between two columns
LEAST: Final = 8  # the smallest width of a column that is cut
FIRM: Final = frozenset({"time", "start", "end", "from", "VIN"})  # columns that are not wrapped


@cache
def console(*, errors: bool = False) -> "Console":
    """Return the terminal. Output is not interpreted as markup, because names and values come from others."""
    from rich.console import Console

    terminal = Console(stderr=errors, highlight=False, markup=False, emoji=False)
    if not terminal.is_terminal:
        terminal.width = PIPED_WIDTH
    return terminal


def say(sentence: str, style: str = "") -> None:
    """Print a line for a person, without wrapping."""
    console().print(printable(sentence), style=style or None, soft_wrap=True)


def complain(sentence: str) -> None:
    """Print an error as one sentence."""
    from rich.text import Text

    console(errors=True).print(Text.assemble(("Error: ", "bold red"), printable(sentence)), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_done(document: Any, sentence: str, *, as_json: bool) -> None:
    """Print the result of a command: one JSON document for a program, a sentence for a person."""
    if as_json:
        print_json(document)
    else:
        say(sentence)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Iterable[Any]],
    empty: str = "Nothing there.",
    *,
    spare: Sequence[str] = (),
    short: Mapping[str, int] | None = None,
) -> None:
    """Print a table, or the sentence `empty` if there are no rows.

    In a terminal that is too narrow, columns in `short` are cut to the given width, then those in `spare` are left out in their
    order, then long cells of the widest columns are wrapped. In a pipe a row is a line, and it is printed in full.
    """
    cells = [[shown(cell) for cell in row] for row in rows]
    if not cells:
        console().print(printable(empty))  # wrapped if it is too long
        return
    from rich.cells import cell_len

    terminal = console()
    widths = [max(cell_len(line[index]) for line in [list(columns), *cells]) for index in range(len(columns))]
    plan = fit(columns, widths, terminal.width, spare, short)
    widths = list(plan.widths.values())
    for style, line in (("bold", list(columns)), *(("", cell) for cell in cells)):
        parts = [
            [cut(line[index], width, "")] if columns[index] in (short or {}) else wrapped(line[index], width)
            for index, width in plan.widths.items()
        ]
        for line_parts in zip_longest(*parts, fillvalue=""):
            text = (" " * GAP).join(
                part + " " * (width - cell_len(part)) for part, width in zip(line_parts, widths, strict=True)
            )
            terminal.print(text.rstrip() if terminal.is_terminal else text, style=style or None, soft_wrap=True)
    if plan.left_out:
        console(errors=True).print(f"Not shown for want of room: {', '.join(plan.left_out)}. --json has all.", style="dim")


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print the facts of one object, one on a line, in full for copying. A long sentence is wrapped."""
    width = max(map(len, facts))
    room = console().width - width - 2
    for name, value in facts.items():
        lines = textwrap.wrap(shown(value), max(LEAST, room), break_long_words=False, break_on_hyphens=False) or [NOTHING]
        say(f"{name:<{width}}  {lines[0]}")
        for line in lines[1:]:
            say(f"{'':<{width}}  {line}")


def shown(value: Any) -> str:
    """Return a cell's text, on one line; an unknown value is a dash."""
    return NOTHING if value is None or value == "" else printable(str(value)).replace("\n", " ")


def printable(text: str) -> str:
    """Return the text without control characters, which would move the cursor or change colours."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def confirm(question: str, *, yes: bool) -> bool:
    """Ask whether to continue; with `yes`, do not ask. Raises ChargeportError without a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ChargeportError("There is no terminal for the confirmation: use --yes to continue.")
    return typer.confirm(question, err=True)


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that shows the progress, a share from 0 to 1, on standard error."""
    terminal = console(errors=True)
    if not terminal.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as shown:
        task = shown.add_task(what, total=1.0)
        yield lambda share: shown.update(task, completed=share)


class Plan(NamedTuple):
    """The shown columns, by index, each with its width; and the names of those that are left out."""

    widths: dict[int, int]
    left_out: list[str]


def fit(
    columns: Sequence[str], widths: Sequence[int], room: int, spare: Sequence[str] = (), short: Mapping[str, int] | None = None
) -> Plan:
    """Fit columns into a width: cut the columns in `short`, then leave out those in `spare`, then narrow the widest.

    The first column is needed for other commands, so it is cut only if it is in `short`.

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
    """Return the text on one line of this width; a cut text ends in an ellipsis, or in the given `end`.

    >>> cut("a long sentence", 8), cut("short", 8), cut("455f1614-34aa", 8, "")
    ('a long …', 'short', '455f1614')
    """
    line = " ".join(text.split("\n"))
    return line if len(line) <= width else line[: max(0, width - len(end))] + end


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of this width; a longer word is broken.

    >>> wrapped("a long sentence", 8), wrapped("short", 8), wrapped("455f1614-34aa", 8)
    (['a long', 'sentence'], ['short'], ['455f1614', '-34aa'])
    """
    line = " ".join(text.split("\n"))
    return [line] if len(line) <= width else textwrap.wrap(line, width, break_on_hyphens=False)


def _excess(shown: Mapping[int, int], room: int) -> int:
    return sum(shown.values()) + GAP * (len(shown) - 1) - room
