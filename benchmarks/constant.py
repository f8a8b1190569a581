"""A server that answers everything with one body: what the web server alone can do.

python -m benchmarks.constant PORT SIZE
"""

import asyncio
import sys

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from chargeport import web


def constant_app(size: int):  # noqa: ANN201  (an ASGI application)
    """Return an application whose every answer has `size` bytes and the headers that ours have."""
    body = b"x" * size
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % size),
        (b"sc-request-id", b"0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"authorization, host, sc-user-id"),
        (b"x-content-type-options", b"nosniff"),
        (b"etag", b'"000000000000000000000000"'),
    ]

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


if __name__ == "__main__":
    listening = web.listen("127.0.0.1", int(sys.argv[1]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        app = constant_app(int(sys.argv[2]))
        plain = uvicorn.Config(app, http="httptools", interface="asgi3", lifespan="off", access_log=False, log_level="warning")
        runner.run(uvicorn.Server(plain).serve(sockets=[listening]))
