"""What commands print: tables for people, one JSON document for programs, complaints on standard error.

Rich is loaded when something is printed for people: programs, which ask for JSON, do not wait for it.
"""

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import msgspec
import typer

from chargeport.cli.fitting import GAP, LEAST, cut, fit, wrapped
from chargeport.errors import ChargeportError

if TYPE_CHECKING:
    from rich.console import Console

NOTHING: Final = "—"  # what is not known; never 0, never no
PIPED_WIDTH: Final = 4000  # in a pipe a table has one line a row, however long


@cache
def console(*, errors: bool = False) -> "Console":
    """Return the terminal. Nothing that is printed is taken for markup: names and values are other people's."""
    from rich.console import Console

    terminal = Console(stderr=errors, highlight=False, markup=False, emoji=False)
    if not terminal.is_terminal:
        terminal.width = PIPED_WIDTH
    return terminal


def say(sentence: str, style: str = "") -> None:
    """Print a line for a person, as long as it is."""
    console().print(printable(sentence), style=style or None, soft_wrap=True)


def complain(sentence: str) -> None:
    """Print one sentence on what went wrong."""
    from rich.text import Text

    console(errors=True).print(Text.assemble(("Error: ", "bold red"), printable(sentence)), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_table(
    columns: Sequence[str],
    rows: Iterable[Iterable[Any]],
    empty: str = "Nothing there.",
    *,
    spare: Sequence[str] = (),
    short: Mapping[str, int] | None = None,
) -> None:
    """Print a table, or the sentence `empty` where there are no rows.

    In a terminal that is too narrow, columns in `short` are cut to so many characters, those in `spare` left out, the first one
    first, then long cells of the widest ones go on below. In a pipe a row is a line, and all of it is printed.
    """
    cells = [[shown(cell) for cell in row] for row in rows]
    if not cells:
        console().print(printable(empty))  # over several lines where one is too short
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
    """Print the facts of one thing, a line each, uncut for copying. A sentence goes on below where a line is too short."""
    width = max(map(len, facts))
    room = console().width - width - 2
    for name, value in facts.items():
        lines = textwrap.wrap(shown(value), max(LEAST, room), break_long_words=False, break_on_hyphens=False) or [NOTHING]
        say(f"{name:<{width}}  {lines[0]}")
        for line in lines[1:]:
            say(f"{'':<{width}}  {line}")


def shown(value: Any) -> str:
    """Return a cell's text, on one line: what is not known is a dash."""
    return NOTHING if value is None or value == "" else printable(str(value)).replace("\n", " ")


def printable(text: str) -> str:
    """Return the text without what would move the cursor or recolour the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def confirm(question: str, *, yes: bool) -> bool:
    """Ask whether to go on; `yes` is the answer where nobody can be asked. Raises ChargeportError where there is none."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ChargeportError("Nobody can be asked here whether to go on: say --yes if you mean it.")
    return typer.confirm(question, err=True)
