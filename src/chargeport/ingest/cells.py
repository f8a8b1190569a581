"""Texts in the cells of tables that a spreadsheet may open: none is a formula there (OWASP: CSV injection).

A text that begins as a formula does is written behind an apostrophe, and read without it: it comes back as it was.
"""

import re
from typing import Any, Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")


def shielded(value: Any) -> Any:
    """Return a cell's value as it is written: a text that a spreadsheet would compute gets an apostrophe in front.

    >>> shielded("=1+1"), shielded("'=1+1"), shielded("wallbox"), shielded(-1.5)
    ("'=1+1", "''=1+1", 'wallbox', -1.5)
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def unshielded(cell: str) -> str:
    """Return the text that was written as this cell.

    >>> unshielded("'=1+1"), unshielded("-1.5"), unshielded("'s-Hertogenbosch")
    ('=1+1', '-1.5', "'s-Hertogenbosch")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
