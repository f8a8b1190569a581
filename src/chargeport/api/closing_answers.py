"""Answers after which the connection is closed: to input that is no valid request, and before the end of a body."""

from collections.abc import Sequence

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from chargeport.api.app import WebApp
from chargeport.api.fast_path import written
from chargeport.errors import Problem


class EarlyAnswer:
    """Add `Connection: close` to an answer that is sent before the end of the body."""

    def __init__(self, app: ASGI3Application, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._send: ASGISendCallable = cycle.send

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Run the application; inspect the start of its answer."""
        self._send = send
        await self._app(scope, receive, self._begin)

    async def _begin(self, message: ASGISendEvent) -> None:
        if self._cycle.more_body and message["type"] == "http.response.start":
            self._cycle.keep_alive = False
        await self._send(message)


def refusal_bytes(
    app: WebApp, problem: Problem, scheme: str = "http", default_headers: Sequence[tuple[bytes, bytes]] = ()
) -> bytes:
    """Return the answer to input that is no valid request, after which the connection is closed."""
    return written(app.refusal(problem, scheme), [*default_headers, (b"connection", b"close")])
