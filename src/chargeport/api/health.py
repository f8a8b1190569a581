"""Whether the server is alive, whether it can do its work, and its counters."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from chargeport.api.error_boundary import ErrorBoundary
from chargeport.api.request import Request
from chargeport.api.response import Header, Response, answer, json_answer

_TEXT: Header = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


async def healthz(request: Request) -> Response:
    """The process answers."""
    return json_answer(200, {"status": "ok"}, request.request_id)


async def readyz(request: Request) -> Response:
    """The store can be read and written; 503 says why not."""
    await request.context.store.ping()
    return json_answer(200, {"status": "ready"}, request.request_id)


class Requests(Collector):
    """The gate's counts in Prometheus' form, worked out when asked: counting itself stays one dictionary entry."""

    def __init__(self, gate: ErrorBoundary) -> None:
        self._gate = gate

    def collect(self) -> list[CounterMetricFamily]:
        """One counter: answers by route and status."""
        family = CounterMetricFamily("chargeport_requests", "Answers, by route and status.", labels=["route", "status"])
        for (route, status), count in sorted(self._gate.answered.items()):
            family.add_metric([route, str(status)], count)
        return [family]


async def metrics(request: Request, gate: ErrorBoundary) -> Response:
    """Counters in Prometheus' text form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Requests(gate))
    return answer(200, generate_latest(registry), request.request_id, kind=_TEXT)
