"""The format of the log: a record is one line, whatever text it contains, and a traceback is indented below it."""

import logging
import textwrap
from typing import Any


class OneLine(logging.Formatter):
    """Escape line breaks and control characters as in a Python literal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the line of a record."""
        record.message = escaped(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return a traceback, indented."""
        lines = super().formatException(ei).split("\n")
        return textwrap.indent("\n".join(map(escaped, lines)), "  ")


def escaped(text: str) -> str:
    r"""Return a text without control characters.

    >>> print(escaped("station a\n2026 ERROR\x1b[2J"))
    station a\n2026 ERROR\x1b[2J
    """
    return (
        text
        if text.isprintable()
        else "".join(character if character.isprintable() else _shown(character) for character in text)
    )


def _shown(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def begin(level: str, form: str) -> None:
    """Write log records of this level or higher to standard error from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(form))
    logging.basicConfig(level=level, handlers=[handler])
