"""Rules for the head of a request and the trailers of its body: limited in size, and unambiguous for every server."""

from collections.abc import Sequence
from typing import Final

from chargeport.errors import HEAD_TOO_LARGE, MALFORMED, Problem

MAX_HEAD_BYTES: Final = 65_536  # of path and headers together: the largest limit of proxies
MAX_TRAILER_BYTES: Final = 8_192  # of trailers; and between two pieces of a body in chunks

NOT_PLAIN: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"connection"})
"""Headers of requests that are not plain reads: they have a body, or concern the connection."""

_ONCE: Final = (b"host", b"authorization")
_VERSIONS: Final = ("1.1", "1.0")
_NO_VERSION: Final = ("0.0", "0.9")  # after a request line without a version


def check_head(headers: Sequence[tuple[bytes, bytes]], version: str) -> None:
    """Reject an ambiguous head, which two servers could interpret differently. Raises Problem."""
    if version not in _VERSIONS:
        raise Problem(MALFORMED, f"HTTP/{version} is not supported: use HTTP/1.1.")
    names = [name for name, _ in headers]
    for name in _ONCE:
        if names.count(name) > 1:
            raise Problem(MALFORMED, f"The header {name.decode().capitalize()} occurs more than once.")
    if b"host" not in names and version == "1.1":
        raise Problem(MALFORMED, "The header Host is missing: HTTP/1.1 demands it.")


def check_trailer(name: bytes, trailer_bytes: int) -> None:
    """Reject a trailer that the parser would apply, or that exceeds the limit of bytes. Raises Problem."""
    if trailer_bytes > MAX_TRAILER_BYTES:
        raise Problem(HEAD_TOO_LARGE, f"The trailers of the body are more than {MAX_TRAILER_BYTES} bytes.")
    if name.lower() in NOT_PLAIN:
        raise Problem(MALFORMED, f"{name.decode('latin-1')} can't be a trailer.")


def check_unfinished(head_bytes: int, version: str | None) -> None:
    """Reject a head that is too long, or whose first line has no version. Raises Problem."""
    if head_bytes > MAX_HEAD_BYTES:
        raise Problem(HEAD_TOO_LARGE, f"Path and headers are more than {MAX_HEAD_BYTES} bytes.")
    if version in _NO_VERSION:
        raise Problem(MALFORMED, "HTTP/0.9 is not supported: use HTTP/1.1.")
