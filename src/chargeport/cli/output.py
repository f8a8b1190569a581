"""What commands print: tables for people, JSON for programs, complaints on standard error."""

import sys
from collections.abc import Iterable
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

console = Console(highlight=False)
_complaints = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_table(columns: Iterable[str], rows: Iterable[Iterable[Any]], empty: str = "Nothing there.") -> None:
    """A table; `empty` says so where there are no rows."""
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    if table.row_count:
        console.print(table)
    else:
        console.print(empty)


def complain(sentence: str) -> None:
    """One sentence on what went wrong."""
    _complaints.print(f"[bold red]Error:[/] {_escaped(sentence)}", soft_wrap=True)


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")
