"""A small world to test the API in: a service on a new database, a clock that stands still, applications and cars.

`World.client` is an ordinary HTTP client that holds every answer to the API's description; `ask` calls the application as a web
server would, with bytes that no client sends.
"""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import contract
from chargeport.api.app import WebApp
from chargeport.api.cursors import Positions
from chargeport.api.fast_path import Head
from chargeport.clock import ManualClock
from chargeport.dashboard import page
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, IngestSettings, LimitSettings, ServerSettings, Settings, WebhookSettings
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Absence, AbsenceReason, Reading
from chargeport.store.records import Application, Connection, Vehicle
from new_database import new_database

T0 = 1_777_629_598_000  # 2026-05-01T09:59:58Z
HEARD_MS = 250  # how long after the car's own instant a report of the tests arrives
HOST = "http://cars.test"
EVERYTHING = frozenset(Permission)
READING = EVERYTHING - {Permission.WRITE_READINGS}

Headers = dict[str, str]


class Client(NamedTuple):
    """An application, its secret and the header that makes a request its own."""

    application: Application
    secret: str
    headers: Headers

    @property
    def id(self) -> str:
        return self.application.client_id


class World:
    """A service and what is in it."""

    def __init__(self, folder: Path, settings: Settings, *, fast_path: bool = True) -> None:
        self.clock = ManualClock(T0)
        self.service = Service.open(settings, self.clock)
        self.store = self.service.store
        self.database = folder / "world.db"
        self.service.positions = PlainPositions(self.store.notes)
        self.served = self.service.app(page.handlers())
        self.app: ASGIApp = FastPathFirst(self.served) if fast_path else self.served
        self.client = self.client_of(self.app)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        fast_path: bool = True,
        ingest: IngestSettings | None = None,
        server: ServerSettings | None = None,
        webhooks: WebhookSettings | None = None,
        limits: LimitSettings | None = None,
    ) -> "World":
        settings = Settings(
            server=server or ServerSettings(),
            limits=limits or LimitSettings(),
            database=DatabaseSettings(f"sqlite:///{new_database(folder / 'world.db')}"),
            ingest=ingest or IngestSettings(),
            webhooks=webhooks or WebhookSettings(),
        )
        return cls(folder, settings, fast_path=fast_path)

    def client_of(self, app: ASGIApp, address: str = "203.0.113.9") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 49_152))
        return httpx.AsyncClient(transport=transport, base_url=HOST, event_hooks={"response": [contract.check]})

    async def close(self) -> None:
        await self.client.aclose()
        await self.service.close()

    async def application(
        self, permissions: frozenset[Permission] = EVERYTHING, *, connected_only: bool = False, name: str = "App"
    ) -> Client:
        """A new application with a token."""
        application, secret = await self.service.access.register(name, permissions, connected_only=connected_only)
        return Client(application, secret, bearer(await self.service.access.issue_token(application)))

    async def car(self, vehicle_id: str | None = None, **facts: Any) -> Vehicle:
        """A new car of which nothing is known but what it is."""
        about = {"make": "ACME", "model": "Bolt One", "year": 2026, "powertrain": "BEV", "created_at": self.clock.now()}
        car = Vehicle(id=vehicle_id or str(uuid.uuid4()), **(about | facts))
        await self.store.vehicles.add_vehicle(car)
        return car

    async def connect(
        self, client: Client, car: Vehicle, user: str = "owner", permissions: frozenset[Permission] = EVERYTHING
    ) -> Connection:
        """Let the application read the user's car."""
        return await self.store.access.add_connection(
            Connection(
                id=str(uuid.uuid4()),
                client_id=client.id,
                user_id=user,
                vehicle=car,
                permissions=permissions,
                created_at=self.clock.now(),
            )
        )

    async def report(self, car: Vehicle, code: str, body: Mapping[str, Any], at: int = T0) -> None:
        """A source says that the signal had this body at that instant."""
        signal = BY_CODE[code]
        await self.store.readings.write([Reading(car.id, signal, bodies.parse(signal, dict(body)), at, at + HEARD_MS, "box")])

    async def absent(self, car: Vehicle, code: str, reason: AbsenceReason, at: int = T0) -> None:
        """A source says that there is no value, and why."""
        await self.store.readings.write([Absence(car.id, BY_CODE[code], reason, at, at + HEARD_MS, "box")])

    async def report_all(self, car: Vehicle, at: int = T0) -> None:
        """The catalogue's own example of every signal."""
        for code, signal in BY_CODE.items():
            await self.report(car, code, signal.example, at)


class PlainPositions(Positions):
    """Positions as they are, so that tests can compare them; `test_positions` has the real ones."""

    def seal(self, position: int, _: str, **__: bool) -> str:
        return str(position)

    def open(self, text: str, _: str) -> int | None:
        return int(text) if text.isascii() and text.isdigit() else None


class FastPathFirst:
    """An ASGI application that asks the fast path first, as the web server's protocol does."""

    def __init__(self, app: WebApp) -> None:
        assert app.fast_path is not None
        self._app, self._fast_path = app, app.fast_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = None
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            head = Head.of(dict(scope["headers"]), self._app.errors.links, scope["scheme"], scope["client"][0])
            answer = self._fast_path.answer(scope["path"], head)
        if answer is None:
            await self._app(scope, receive, send)
            return
        first, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = first.split(b"\r\n")
        headers = [tuple(line.split(b": ", 1)) for line in lines]
        await send({"type": "http.response.start", "status": int(status.split()[1]), "headers": headers})
        await send({"type": "http.response.body", "body": body})


def bearer(token: str) -> Headers:
    """The header that a token is sent in."""
    return {"Authorization": f"Bearer {token}"}


def raw_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as a web server hands them over."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def ask(
    app: ASGIApp,
    path: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    method: str = "GET",
    query: bytes = b"",
    body: Sequence[bytes] = (b"",),
    client: str = "203.0.113.9",
    scheme: str = "http",
) -> httpx.Response:
    """The answer to a request that is handed over as a web server does, whatever its bytes are."""
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "scheme": scheme, "path": path, "raw_path": path.encode("utf-8", "surrogateescape"), "query_string": query,
        "root_path": "", "headers": [(name.lower(), value) for name, value in headers],
        "client": (client, 49_152), "server": ("127.0.0.1", 8080),
    }  # fmt: skip
    parts = list(body)
    sent: list[Message] = []

    async def receive() -> Message:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    content = b"".join(message.get("body", b"") for message in rest)
    return httpx.Response(start["status"], headers=list(start["headers"]), content=content)
