"""Whether the server is alive, and whether it can do its work."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from chargeport.api.request import Request
from chargeport.api.response import Response, json_answer
from chargeport.api.worker_reports import READY, WorkerReports

TRY_AGAIN_MS: Final = 1000  # anybody may ask, and each try writes a page


async def healthz(request: Request) -> Response:
    """Answer that the process runs."""
    return json_answer(200, {"status": "ok"}, request.request_id)


class Readiness:
    """Whether the store can be read and written: read for each answer, written once a second at most."""

    def __init__(self, reports: WorkerReports | None = None) -> None:
        self._reports = reports  # of the workers, where there are several
        self._writing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._written_at = 0

    async def answer(self, request: Request) -> Response:
        """Answer whether the store can be read and written; 503 gives the reason why not."""
        store, now = request.context.store, request.context.clock.now()
        is_recent = 0 <= now - self._written_at < TRY_AGAIN_MS
        if self._writing is None or (self._writing.done() and not is_recent):
            self._written_at = now
            self._writing, self._reading = _begun(store.ping()), None
        elif self._writing.done() and (self._reading is None or self._reading.done()):
            self._reading = _begun(store.ping(writes=False))
        for tried in filter(None, (self._writing, self._reading)):
            await asyncio.shield(tried)
        workers = {} if self._reports is None else self._reports.statuses()
        each = [{"number": number, "status": status} for number, status in workers.items()]
        return json_answer(200, {"status": READY} | ({"workers": each} if each else {}), request.request_id)


def _begun(ping: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin a try that all who ask meanwhile share."""
    trying = asyncio.create_task(ping, name="readiness")
    trying.add_done_callback(_discard_result)
    return trying


def _discard_result(tried: asyncio.Task[None]) -> None:
    """Take note of the outcome: whoever asked may be gone by then."""
    if not tried.cancelled():
        tried.exception()
