"""Escaping of texts in tables that a spreadsheet may open, so that none is a formula there (OWASP: CSV injection).

A text that begins like a formula is written with an apostrophe in front, which is removed when the table is read.
"""

import re
from typing import Any, Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")


def escape_formula(value: Any) -> Any:
    """Return the value to write into a cell: a text that a spreadsheet would compute gets an apostrophe in front.

    >>> escape_formula("=1+1"), escape_formula("'=1+1"), escape_formula("wallbox"), escape_formula(-1.5)
    ("'=1+1", "''=1+1", 'wallbox', -1.5)
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def unescape_formula(cell: str) -> str:
    """Return the text of a cell, without the apostrophe of `escape_formula`.

    >>> unescape_formula("'=1+1"), unescape_formula("-1.5"), unescape_formula("'s-Hertogenbosch")
    ('=1+1', '-1.5', "'s-Hertogenbosch")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
