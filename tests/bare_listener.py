"""A listener that treats each connection as a test says, and leaves none behind."""

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable

Attend = Callable[[StreamReader, StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listener(attend: Attend, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Its port. A peer may hang up whenever it wants; another error of `attend` is raised at the end.

    Every connection has ended then, also one with more to send than its peer took: a transport that outlives its event loop
    is reported by the garbage collector, in whatever test that happens to run.
    """
    attended: dict[asyncio.Task[None], StreamWriter] = {}

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await attend(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def accepted(reader: StreamReader, writer: StreamWriter) -> None:
        attended[asyncio.create_task(serve(reader, writer))] = writer

    async with await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task, writer in attended.items():
                task.cancel()
                writer.transport.abort()
            ended = await asyncio.gather(*attended, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
