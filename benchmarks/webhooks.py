"""Webhooks: deliveries a second from one server process on one core to a receiver on the other, with a long queue behind.

The outbox is filled before the server starts: with 300,000 events, then with a million. Targets: ≥ 1,000 deliveries a
second, and the same memory with the long queue as with the short one.

    python -m benchmarks.webhooks [--pending 300000 1000000] [--seconds 10]
"""

import argparse
import asyncio
import os
import tempfile
import time
import uuid
from pathlib import Path

import msgspec

from benchmarks import fixture, load
from benchmarks.stream import rss_kb
from chargeport.store.records import Vehicle
from chargeport.store.sqlite.engine import connect
from chargeport.store.webhooks import Webhook, WebhookFields
from chargeport.webhooks import payload

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
SETTLE_S = 2.0
CODE = "charge-wattage"
SETTINGS = "[webhooks]\nallow_private_targets = true\n[derive]\nenabled = false\n"


class Receiver(asyncio.Protocol):
    """Counts requests and answers each with 204. It looks for the ends of heads and bodies alone."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport, self._rest = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            length = int(head[head.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
            if len(self._rest) < end + 4 + length:
                return
            self.took(self._rest[end + 4 : end + 4 + length])
            self._rest = self._rest[end + 4 + length :]
            self._transport.write(ANSWER)  # type: ignore[attr-defined]

    def took(self, _: bytes) -> None:
        """Count an event."""
        Receiver.count += 1


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pending", type=int, nargs="+", default=[300_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=10)
    asked = parser.parse_args()
    print(f"{'pending':>9} {'deliveries/s':>13} {'CPU µs each':>12} {'CPU %':>6} {'MB idle':>8} {'MB':>6}")
    for count in asked.pending:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as folder:
            asyncio.run(measure(Path(folder), count, asked.seconds))


async def measure(folder: Path, count: int, seconds: float) -> None:
    """Have a queue of so many events sent for a while."""
    os.sched_setaffinity(0, {load.CLIENT_CORE})
    receiving = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    file = folder / "webhooks.db"
    (folder / "chargeport.toml").write_text(SETTINGS)
    fill(file, count, f"http://127.0.0.1:{receiving.sockets[0].getsockname()[1]}/hook")
    url = f"http://127.0.0.1:{load.free_port()}"
    serve = ("chargeport", "serve", "--database", f"sqlite:///{file}", "--port", url.rpartition(":")[2])
    with load.server(*serve, "--config", str(folder / "chargeport.toml"), url=url) as target:
        idle_kb = rss_kb(target.pid)
        await asyncio.sleep(SETTLE_S)
        before, cpu_before, began = Receiver.count, load.cpu_s(target.pid), time.perf_counter()
        await asyncio.sleep(min(seconds, max(1.0, count / 4000)))
        took, sent = time.perf_counter() - began, Receiver.count - before
        cpu = load.cpu_s(target.pid) - cpu_before
        print(
            f"{count:>9} {sent / took:>13.0f} {cpu / max(1, sent) * 1e6:>12.0f} {cpu / took * 100:>6.0f}"
            f" {idle_kb / 1024:>8.0f} {rss_kb(target.pid) / 1024:>6.0f}"
        )
    receiving.close()


def fill(file: Path, count: int, uri: str) -> None:
    """Make a database with a webhook that is verified, and so many events in its outbox."""
    fixture.build(file, 1)
    webhook = register(file, uri)
    body = payload.state(
        webhook, str(uuid.uuid4()), Vehicle(id=str(uuid.uuid4()), make="ACME", model="Bolt One", year=2026),
        {"id": str(uuid.uuid4())}, known={CODE: None}, permissions=frozenset(), triggers=[CODE],
    ).decode()  # fmt: skip
    now, connection = int(time.time() * 1000), connect(file, create=False)
    connection.execute("PRAGMA synchronous = OFF")
    with connection:
        connection.executemany(
            "INSERT INTO webhook_events (id, webhook_id, vehicle_key, kind, document, created_at, due_at)"
            " VALUES (?,?,1,?,?,?,?)",
            ((f"{number:032x}", webhook.id, payload.VEHICLE_STATE, body, now, now + number % 1000) for number in range(count)),
        )
    connection.close()


def register(file: Path, uri: str) -> Webhook:
    """Give a database a webhook that is verified and told of each vehicle's power."""
    fields = WebhookFields(name="Benchmark", callback_uri=uri, triggers=(CODE,), data=(CODE,), auto_subscribe=True)
    webhook = Webhook(id=str(uuid.uuid4()), client_id=fixture.CLIENT, fields=fields, created_at=0, updated_at=0)
    connection = connect(file, create=False)
    with connection:
        connection.execute(
            "INSERT INTO webhooks (id, client_id, document, verified_at, created_at, updated_at) VALUES (?,?,?,?,0,0)",
            (webhook.id, webhook.client_id, msgspec.json.encode(fields).decode(), int(time.time() * 1000)),
        )
    connection.close()
    return webhook


if __name__ == "__main__":
    main()
