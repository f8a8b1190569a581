"""An answer that goes on until its parts end or the client hangs up."""

import asyncio
from contextlib import aclosing

from starlette.responses import Response as StarletteResponse
from starlette.types import Receive, Scope, Send

from chargeport.api.response import Response


class EndlessResponse(StarletteResponse):
    """Sends an answer's parts, each when the client has room for it. Starlette's own needs twice the tasks for that."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, or stop when the client has gone."""
        await send({"type": "http.response.start", "status": self._answer.status, "headers": self._answer.headers})
        if scope["method"] != "HEAD":
            try:
                await self._send_parts(receive, send)
            except TimeoutError:  # made by `_hang_up`: there is nobody to answer
                return
        await send({"type": "http.response.body", "body": b""})

    async def _send_parts(self, receive: Receive, send: Send) -> None:
        assert self._answer.parts is not None  # noqa: S101  (what makes it an endless one)
        async with asyncio.timeout(None) as connected, aclosing(self._answer.parts) as parts:
            listening = asyncio.create_task(_hang_up(receive, connected))
            try:
                async for part in parts:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            finally:
                listening.cancel()


async def _hang_up(receive: Receive, connected: asyncio.Timeout) -> None:
    """End the sending when the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    connected.reschedule(0)
