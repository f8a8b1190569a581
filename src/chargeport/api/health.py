"""Whether the server is alive, whether it can do its work, and its counters."""

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from chargeport.api.error_boundary import ErrorBoundary
from chargeport.api.request import Request
from chargeport.api.response import Header, Response, answer, json_answer

TRY_AGAIN_MS: Final = 1000  # anybody may ask, and each try writes a page

_TEXT: Header = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


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


class Requests(Collector):
    """The gate's counts in Prometheus' form, worked out when asked: counting itself stays one dictionary entry."""

    def __init__(self, gate: ErrorBoundary) -> None:
        self._gate = gate

    def collect(self) -> list[CounterMetricFamily]:
        """Two counters: answers by route and status, wrong credentials by what they are."""
        family = CounterMetricFamily("chargeport_requests", "Answers, by route and status.", labels=["route", "status"])
        for (route, status), count in sorted(self._gate.answered.items()):
            family.add_metric([route, str(status)], count)
        wrong = CounterMetricFamily("chargeport_wrong_credentials", "Wrong tokens and secrets.", labels=["credential"])
        for credential, count in sorted(self._gate.guesses.failures.items()):
            wrong.add_metric([credential], count)
        return [family, wrong]


async def metrics(request: Request, gate: ErrorBoundary) -> Response:
    """Counters in Prometheus' text form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Requests(gate))
    return answer(200, generate_latest(registry), request.request_id, kind=_TEXT)
