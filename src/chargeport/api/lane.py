"""The second way to answer a read: plain signal reads, answered by the protocol as soon as their head is parsed.

It takes exactly the plain requests (GET, no query) for `[/v3]/vehicles/{id}/signals[/{code}]`. The router has the same routes
and answers them from the same function; `tests/api/test_lane_equals_router.py` holds the two equal, byte for byte.
"""

from collections.abc import Coroutine
from typing import Any, Final

from chargeport.api.error_boundary import ErrorBoundary
from chargeport.api.reads import Ask, Reads
from chargeport.api.response import Response

ONE: Final = "/vehicles/{vehicle_id}/signals/{code}"
ALL: Final = "/vehicles/{vehicle_id}/signals"


class Lane:
    """Answers plain signal reads without waiting for anything."""

    def __init__(self, reads: Reads, errors: ErrorBoundary) -> None:
        self._reads = reads
        self._errors = errors
        self._is_immediate = True  # whether the store answers without waiting, as far as is known

    def answer(self, path: str, headers: dict[bytes, bytes], scheme: str, client: str | None) -> Response | None:
        """The answer to a GET of a path without a query; None where the router has to give it."""
        found = target(path) if self._is_immediate else None
        if found is None:
            return None
        errors, (vehicle_id, code) = self._errors, found
        base = errors.links.quick(scheme, headers.get(b"host", b"")) or errors.links.base(scheme, client, [*headers.items()])
        request_id = next(errors.request_ids)
        authorization, user_id = headers.get(b"authorization"), headers.get(b"sc-user-id")
        ask = Ask(vehicle_id, code, base, request_id, authorization, user_id, headers.get(b"if-none-match"))
        answer = _at_once(
            errors.guarded(
                ONE if code else ALL,
                self._reads.answer(ask),
                request_id,
                base,
                lambda: errors.links.client(client, [*headers.items()]),
            )
        )
        if answer is None:  # a store behind a socket: to ask it twice would cost more than the lane saves
            self._is_immediate = False
        return answer


def target(path: str) -> tuple[str, str | None] | None:
    """Vehicle id and code of a signal read; None for any other path."""
    parts = path.split("/")
    if parts[0]:  # a path starts with a slash
        return None
    if parts[-1] == "":
        parts.pop()
    start = 2 if parts[1:2] == ["v3"] else 1
    rest = len(parts) - start
    if rest not in (3, 4) or parts[start] != "vehicles" or parts[start + 2] != "signals" or "" in parts[start:]:
        return None
    return parts[start + 1], parts[start + 3] if rest == 4 else None  # noqa: PLR2004


def _at_once(work: Coroutine[Any, Any, Response]) -> Response | None:
    """The result of a coroutine that need not wait for anything; None if it does."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    return None
