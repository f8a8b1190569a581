"""What commands print: tables for people, one JSON document for programs, complaints on standard error.

Rich is loaded when something is printed for people: programs, which ask for JSON, do not wait for it.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import typer

from chargeport.errors import ChargeportError

if TYPE_CHECKING:
    from rich.console import Console

NOTHING: Final = "—"  # what is not known; never 0, never no
PIPED_WIDTH: Final = 4000  # in a pipe a table has one line a row, however long


@cache
def console(*, errors: bool = False) -> "Console":
    """The terminal. Nothing that is printed is taken for markup: names and values are other people's."""
    from rich.console import Console

    terminal = Console(stderr=errors, highlight=False, markup=False, emoji=False)
    if not terminal.is_terminal:
        terminal.width = PIPED_WIDTH
    return terminal


def say(sentence: str, style: str = "") -> None:
    """A line for a person, as long as it is."""
    console().print(printable(sentence), style=style or None, soft_wrap=True)


def complain(sentence: str) -> None:
    """One sentence on what went wrong."""
    from rich.text import Text

    console(errors=True).print(Text.assemble(("Error: ", "bold red"), printable(sentence)), soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Iterable[Any]], empty: str = "Nothing there.") -> None:
    """A table, each column as wide as it needs; `empty` says so where there are no rows."""
    from rich.table import Column, Table

    first, *others = columns  # what names a row is never cut: it is what the next command will want
    head = [Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others)]
    table = Table(*head, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
    if table.row_count:
        console().print(table)
    else:
        say(empty)


def print_facts(facts: Mapping[str, Any]) -> None:
    """What is known of one thing, a line each, whole: it may be copied."""
    width = max(map(len, facts))
    for name, value in facts.items():
        say(f"{name:<{width}}  {shown(value)}")


def shown(value: Any) -> str:
    """A cell's text: what is not known is a dash."""
    return NOTHING if value is None or value == "" else printable(str(value))


def printable(text: str) -> str:
    """The text without what would move the cursor or recolour the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def confirm(question: str, *, yes: bool) -> bool:
    """Whether a person agrees; `yes` stands for an answer where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ChargeportError("Nobody can be asked here whether to go on: say --yes if you mean it.")
    return typer.confirm(question, err=True)
