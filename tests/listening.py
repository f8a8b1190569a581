"""A client of the live stream that hands its request to the application as a web server would, and may be slow to read."""

import asyncio
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from starlette.types import ASGIApp, Message

from world import raw_headers

WITHIN_S = 10  # for what is to come on a busy machine


class Event(NamedTuple):
    """An event as a browser would hand it over."""

    kind: str
    id: int | None
    data: dict[str, Any]

    @property
    def value(self) -> Any:
        """The value in the signal's body."""
        return self.data["signal"]["attributes"]["body"]["value"]


class Parser:
    """Bytes to events, as HTML (9.2.6) has it; `last_id` is what a browser would resume from."""

    def __init__(self) -> None:
        self.last_id: int | None = None
        self.last_text = ""
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.retry: int | None = None
        self._rest = b""
        self._fields: dict[str, str] = {}

    def feed(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            self._take(line.decode())

    def _take(self, line: str) -> None:
        if not line:
            self._dispatch()
            return
        name, _, value = line.partition(":")
        if not name:
            self.comments.append(value.strip())
        elif name == "retry":
            self.retry = int(value)
        else:
            self._fields[name] = value.removeprefix(" ")

    def _dispatch(self) -> None:
        fields, self._fields = self._fields, {}
        if "id" in fields:
            self.last_id = int(fields["id"]) if fields["id"].isdigit() else None
            self.last_text = fields["id"]
        if "data" in fields:
            self.events.append(Event(fields.get("event", "message"), self.last_id, json.loads(fields["data"])))


class Listener(Parser):
    """One open stream. `reading` can be cleared: then it takes nothing, as a client whose buffers are full."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], query: str = "", last_id: int | str | None = None) -> None:
        super().__init__()
        self.last_id = last_id if isinstance(last_id, int) else None
        self.reading = asyncio.Event()
        self.reading.set()
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.waiting: bytes = b""
        self._app = app
        self._query = query.encode()
        resumed = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        self._raw = raw_headers(dict(headers) | resumed)
        self._news = asyncio.Event()
        self._left = asyncio.Event()
        self._asked = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/stream", "raw_path": b"/stream", "query_string": self._query, "root_path": "",
            "headers": [*self._raw, (b"host", b"cars.test")], "client": ("203.0.113.9", 49_152), "server": ("127.0.0.1", 8080),
        }  # fmt: skip
        self._task = asyncio.create_task(self._run(scope))
        await self.until(lambda: self.status is not None and (self.status != 200 or self.retry is not None))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Hang up, and see that the application notices."""
        assert self._task
        self._left.set()
        async with asyncio.timeout(WITHIN_S):
            await self._task

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be so."""
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def events_of(self, count: int) -> list[Event]:
        """The first events, as soon as there are so many."""
        await self.until(lambda: len(self.events) >= count)
        return self.events[:count]

    @property
    def has_ended(self) -> bool:
        assert self._task
        return self._task.done()

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        finally:
            self._news.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.waiting = message.get("body", b"")
        await self.reading.wait()
        self.body += self.waiting
        self.feed(self.waiting)
        self._news.set()
