"""The read lane: the two signal reads as a raw ASGI app in front of everything else.

It takes exactly the plain requests (GET, no query) for `[/v3]/vehicles/{id}/signals[/{code}]`, and hands every other on
untouched. The router has the same routes and answers them from the same function: the lane can only be quicker.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from chargeport.api.answer import Answer
from chargeport.api.gate import Gate
from chargeport.api.reads import Ask, Reads

ONE = "/vehicles/{vehicle_id}/signals/{code}"
ALL = "/vehicles/{vehicle_id}/signals"


class SignalLane:
    """Answers plain signal reads; passes on the rest."""

    def __init__(self, rest: ASGIApp, reads: Reads, gate: Gate) -> None:
        self._rest = rest
        self._reads = reads
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            target = _target(scope["path"])
            if target is not None:
                await respond(await self._answer(scope, *target), send)
                return
        await self._rest(scope, receive, send)

    async def _answer(self, scope: Scope, vehicle_id: str, code: str | None) -> Answer:
        authorization = user_id = if_none_match = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"if-none-match":
                if_none_match = value
            elif name == b"sc-user-id":
                user_id = value
        base, request_id = self._gate.base(scope), next(self._gate.request_ids)
        ask = Ask(vehicle_id, code, base, request_id, authorization, user_id, if_none_match)
        return await self._gate.guarded(ONE if code else ALL, self._reads.answer(ask), request_id, base)


def _target(path: str) -> tuple[str, str | None] | None:
    """Vehicle id and code of a signal read; None for any other path."""
    parts = path.split("/")
    if parts[-1] == "":
        parts.pop()
    start = 2 if len(parts) > 1 and parts[1] == "v3" else 1
    match parts[start:]:
        case ["vehicles", vehicle_id, "signals"] if vehicle_id:
            return vehicle_id, None
        case ["vehicles", vehicle_id, "signals", code] if vehicle_id and code:
            return vehicle_id, code
    return None


async def respond(answer: Answer, send: Send) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
