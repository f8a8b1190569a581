"""A connection that asks again with the same headers: what a client sends differs from its last read in the first line only."""

import re
from typing import Final

from chargeport.api.fast_path import Head

_LINE: Final = re.compile(rb"GET (/[!-\"$&->@-~]*) HTTP/1\.1")  # a path that has nothing to decode and no query
_END: Final = b"\r\n\r\n"
_NO_REST: Final = b""  # follows no line that begins a request


class RepeatedHead:
    """Remembers the head of the last plain read on a connection, so that its headers need no parsing again.

    The parser has no state between two requests, so it need not know of those that are answered from here.
    """

    __slots__ = ("_begun", "_head", "_rest")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forget the head: something else is parsed now."""
        self._head: Head | None = None
        self._rest = _NO_REST
        self._begun = 0

    def begins(self) -> None:
        """Count another request that begins in what is parsed."""
        self._begun += 1

    def was_answered(self, head: Head) -> None:
        """Note that a plain read with this head was answered."""
        self._head = head

    def note(self, data: bytes) -> None:
        """Record the head, if what was parsed is the whole of one plain read that was answered, and no more."""
        line, _, rest = data.partition(b"\r\n")
        if self._head is not None and self._begun == 1 and rest.find(_END) == len(rest) - len(_END) and _LINE.fullmatch(line):
            self._rest = rest

    def found(self, data: bytes) -> tuple[str, Head] | None:
        """Return the path and head of a request whose head repeats the last one but for the path; None for any other."""
        line, _, rest = data.partition(b"\r\n")
        path = _LINE.fullmatch(line) if rest == self._rest else None
        return None if path is None or self._head is None else (path[1].decode(), self._head)
