"""The read lane: the two signal reads as a raw ASGI app in front of everything else.

It takes exactly the plain requests (GET, no query) for `[/v3]/vehicles/{id}/signals[/{code}]`, and hands every other on
untouched. The router has the same routes and answers them from the same function: the lane can only be quicker.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from chargeport.api.error_boundary import ErrorBoundary
from chargeport.api.links import Headers
from chargeport.api.reads import Ask, Reads
from chargeport.api.response import Response
from chargeport.errors import Problem

ONE = "/vehicles/{vehicle_id}/signals/{code}"
ALL = "/vehicles/{vehicle_id}/signals"


class FastPath:
    """Answers plain signal reads; passes on the rest."""

    def __init__(self, rest: ASGIApp, reads: Reads, gate: ErrorBoundary) -> None:
        self.is_immediate = True
        """Whether answers are computed without waiting, as far as is known; `protocol` finds out."""
        self._rest = rest
        self._reads = reads
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            found = target(scope["path"])
            if found is not None:
                client = scope.get("client")
                host = client[0] if client else None
                await respond(await self.answer(scope["headers"], scope["scheme"], host, *found), send)
                return
        await self._rest(scope, receive, send)

    def refusal(self, problem: Problem, scheme: str) -> Response:
        """The answer to what never became a request."""
        return self._gate.refusal(problem, next(self._gate.request_ids), self._gate.links.base(scheme, None, ()))

    async def answer(self, headers: Headers, scheme: str, client: str | None, vehicle_id: str, code: str | None) -> Response:
        """The answer to a read, from the parts of its request."""
        given = dict(headers)
        base = self._gate.links.quick(scheme, given.get(b"host", b"")) or self._gate.links.base(scheme, client, headers)
        request_id = next(self._gate.request_ids)
        authorization, user_id = given.get(b"authorization"), given.get(b"sc-user-id")
        ask = Ask(vehicle_id, code, base, request_id, authorization, user_id, given.get(b"if-none-match"))
        return await self._gate.guarded(ONE if code else ALL, self._reads.answer(ask), request_id, base)


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


async def respond(answer: Response, send: Send) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
