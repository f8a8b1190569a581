"""Processes of Chargeport on one database, with what they need beside them: all can be killed, paused and started again."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals.definition import Permission
from chargeport.store.backends import open_store
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle
from chargeport.store.webhooks import Webhook, WebhookFields
from nats_server import NatsLeader, NatsServer
from postgres_server import PostgresServer
from servers import Server

STREAM = "CARS"
VOLTAGE = "charge-voltage"
# Every change is an event of its own, however soon it follows; a failed attempt is made again at once, and often.
SETTINGS = f"""
[webhooks]
allow_private_targets = true
coalesce_s = 0
retry_delays_s = {[0.2] * 20 + [5] * 20}
retry_jitter = 0
"""
# A message in the hands of a consumer that died is handed out again after `ack_wait_s`.
BUS = """
[bus]
url = "{url}"

[[sources]]
name = "bus"
type = "nats"
dialect = "generic"
topics = ["{{}}"]
servers = "{url}"
stream = "{stream}"
ack_wait_s = 2
"""
READY_S = 40
TOKEN_LIFE_S = 86_400  # longer than any run
LOOK_S = 0.05


Servers = dict[str, PostgresServer | NatsServer | NatsLeader]


class Cluster:
    """The processes, by name (role and number), and the servers that they share."""

    def __init__(self, folder: Path, roles: Sequence[str], url: str | None, bus: NatsServer | NatsLeader | None = None) -> None:
        """`url` is the database's; None for a file in the folder."""
        self.folder = folder
        self.url = url or f"sqlite:///{folder / 'cars.db'}"
        self.headers: dict[str, str] = {}
        self.management_token = ""
        folder.mkdir(exist_ok=True)
        settings = folder / "chargeport.toml"
        settings.write_text(SETTINGS + ("" if bus is None else BUS.format(url=bus.url, stream=STREAM)))
        self.processes = {
            f"{role}-{number}": Server(
                url or folder / "cars.db",
                options=["--config", str(settings), "--role", role],
                log=folder / f"{role}-{number}.log",
            )
            for number, role in enumerate(roles, 1)
        }

    @property
    def urls(self) -> list[str]:
        """Where the processes answer."""
        return [each.url for each in self.processes.values()]

    async def prepare(self, cars: Sequence[str], receiver: str | None = None) -> None:
        """Make cars, an application and perhaps a webhook for one signal of all cars."""
        async with self.store() as store:
            access, clock = Access(store, SystemClock()), SystemClock()
            application, _ = await access.register("Load", frozenset(Permission))
            self.management_token = application.management_token
            self.headers = {"Authorization": f"Bearer {await access.issue_token(application, TOKEN_LIFE_S)}"}
            for car in cars:
                await store.vehicles.add_vehicle(Vehicle(id=car))
            if receiver is not None:
                fields = WebhookFields(
                    name="Load", callback_uri=receiver, triggers=(VOLTAGE,), data=(VOLTAGE,), auto_subscribe=True
                )
                now = clock.now()
                webhook = Webhook(
                    id="load", client_id=application.client_id, fields=fields, created_at=now, updated_at=now, verified_at=now
                )
                await store.webhooks.put_webhook(webhook)

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The store itself, as another process has it."""
        store = open_store(self.url)
        try:
            yield store
        finally:
            await store.close()

    async def start(self) -> None:
        """Start all processes."""
        for each in self.processes.values():
            each.launch()
        await self.ready()

    async def ready(self) -> float:
        """Return when all processes are ready; the seconds that it took."""
        begun = time.monotonic()

        async def are_ready() -> bool:
            return all([await asyncio.to_thread(each.is_ready) for each in self.processes.values()])

        assert await within(READY_S, are_ready), f"not ready after {READY_S} s: {self.logs()}"
        return time.monotonic() - begun

    def stop(self) -> None:
        """End all processes."""
        for each in self.processes.values():
            with contextlib.suppress(ProcessLookupError, AssertionError):
                each.send_signal(signal.SIGCONT)
            each.stop()

    def logs(self) -> str:
        """The last that each process printed."""
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in sorted(self.folder.glob("*.log")))


async def within(seconds: float, condition: Callable[[], Awaitable[bool]]) -> bool:
    """Return once a condition holds, or the time is over; whether it holds."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if await condition():
            return True
        await asyncio.sleep(LOOK_S)
    return False
