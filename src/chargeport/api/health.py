"""Whether the server is alive, and whether it can do its work."""

import asyncio
from typing import Final

from chargeport.api.request import Request
from chargeport.api.response import Response, json_answer

TRY_AGAIN_MS: Final = 1000  # anybody may ask, and each try writes a page


async def healthz(request: Request) -> Response:
    """The process answers."""
    return json_answer(200, {"status": "ok"}, request.request_id)


class Readiness:
    """Whether the store can be read and written, tried once a second at most, however often it is asked."""

    def __init__(self) -> None:
        self._trying: asyncio.Task[None] | None = None
        self._tried_at = 0

    async def answer(self, request: Request) -> Response:
        """The store can be read and written; 503 says why not."""
        now = request.context.clock.now()
        is_recent = 0 <= now - self._tried_at < TRY_AGAIN_MS
        if self._trying is None or (self._trying.done() and not is_recent):
            self._tried_at = now
            self._trying = asyncio.create_task(request.context.store.ping(), name="readiness")
            self._trying.add_done_callback(_heard)
        await asyncio.shield(self._trying)
        return json_answer(200, {"status": "ready"}, request.request_id)


def _heard(tried: asyncio.Task[None]) -> None:
    """Take note of the outcome: whoever asked may be gone by then."""
    if not tried.cancelled():
        tried.exception()
