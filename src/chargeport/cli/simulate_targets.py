"""The targets of the load of `chargeport simulate`: a server's HTTP API, an MQTT broker, or JetStream of NATS."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self
from urllib.parse import unquote, urlsplit

import msgspec

from chargeport.dialects.simulator import SIMULATOR
from chargeport.errors import ChargeportError
from chargeport.signals.bodies import parse
from chargeport.signals.wire import body
from chargeport.sources.base import RawMessage

TIMEOUT_S: Final = 30
MAX_WAIT_S: Final = 60
TOPIC: Final = "chargeport/{vehicle}"
SUBJECT: Final = "chargeport.readings.{vehicle}"
_BUSY: Final = (429, 503)


class Report(NamedTuple):
    """The report of a car at an instant: bodies by code."""

    vehicle: str
    at: int
    signals: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, message: RawMessage) -> Self:
        """Convert a message of the simulator to the dialect `generic`."""
        signals: dict[str, dict[str, Any]] = {}
        unplugged = message.fields.get("plugged") is False
        for field, value in message.fields.items():
            if unplugged and field in SIMULATOR.ends_with_plug:
                continue  # the server withdraws it at the end of the connection
            for row in SIMULATOR.by_field.get(field, ()):
                decoded = row.read(value)
                if isinstance(decoded, dict):
                    signals[row.signal.code] = decoded
        return cls(message.vehicle, message.observed_at or message.received_at, signals)

    def canonical(self) -> Iterator[tuple[str, str]]:
        """Yield the readings as the server stores them: code and body."""
        from chargeport.signals.catalogue import BY_CODE

        for code, value in self.signals.items():
            yield code, body(BY_CODE[code], parse(BY_CODE[code], value))

    def document(self) -> dict[str, Any]:
        """Return the report as `POST /ingest/generic` takes it."""
        return {"vehicle": self.vehicle, "at": self.at, "signals": self.signals}


class Acknowledged(NamedTuple):
    """Acknowledged reports, and the latency."""

    reports: list[Report]
    latency_ms: float


class Target(Protocol):
    """Takes reports."""

    async def send(self, reports: list[Report]) -> Acknowledged:
        """Send reports; return when they are acknowledged. Raises ChargeportError."""
        ...


@asynccontextmanager
async def target_of(url: str, api: "HttpApi") -> AsyncIterator[Target]:
    """Open the target that a URL names. Raises ChargeportError."""
    match urlsplit(url).scheme:
        case "http" | "https":
            yield api
        case "mqtt" | "mqtts":
            async with _mqtt(url) as broker:
                yield broker
        case "nats":
            async with _nats(url) as stream:
                yield stream
        case scheme:
            raise ChargeportError(f"{scheme}:// is no target: use http://, https://, mqtt://, mqtts:// or nats://.")


class HttpApi:
    """A client of a server's API with a token and a limit of connections."""

    def __init__(self, base: str, token: str, connections: int) -> None:
        self._base = base.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connections = connections

    async def __aenter__(self) -> Self:
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections), timeout=aiohttp.ClientTimeout(sock_read=TIMEOUT_S)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, reports: list[Report]) -> Acknowledged:
        """Send reports to POST /ingest/generic, again while the server is busy. Raises ChargeportError."""
        payload = msgspec.json.encode([report.document() for report in reports])
        begun = perf_counter()
        answer = await self._request("POST", "/ingest/generic", payload)
        rejected = answer.get("rejected") or ()
        if rejected:
            raise ChargeportError(f"The server refused a report: {rejected[0].get('detail', rejected[0])}")
        return Acknowledged(reports, (perf_counter() - begun) * 1000)

    async def get(self, path: str) -> dict[str, Any]:
        """Return a document; an empty one for a signal without any value."""
        return await self._request("GET", path, None)

    @staticmethod
    def milliseconds(instant: str) -> int:
        """Return an instant of the API in milliseconds since 1970."""
        return round(datetime.fromisoformat(instant).timestamp() * 1000)

    async def _request(self, method: str, path: str, payload: bytes | None) -> dict[str, Any]:
        import aiohttp
        from yarl import URL

        url = URL(path if path.startswith("http") else self._base + path, encoded=False)
        headers = self._headers | ({"Content-Type": "application/json"} if payload else {})
        try:
            while True:
                async with self._session.request(method, url, data=payload, headers=headers) as answer:
                    if answer.status in _BUSY and payload is not None:
                        await asyncio.sleep(min(MAX_WAIT_S, float(answer.headers.get("Retry-After", "1"))))
                        continue
                    content = msgspec.json.decode(await answer.read() or b"{}")
                    if answer.status == 404 and payload is None:  # noqa: PLR2004
                        return {}
                    if answer.status >= 400:  # noqa: PLR2004
                        detail = (content.get("errors") or [{}])[0].get("detail") or content
                        raise ChargeportError(f"{self._base} answered {answer.status}: {detail}")
                    return dict(content)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise ChargeportError(f"{self._base} can't be reached: {str(error) or type(error).__name__}.") from error


class _Broker:
    """An MQTT broker; each report is a message at QoS 1."""

    def __init__(self, client: Any, acknowledged: dict[int, "asyncio.Future[None]"]) -> None:
        self._client = client
        self._acknowledged = acknowledged

    async def send(self, reports: list[Report]) -> Acknowledged:
        """Publish reports; return when the broker has acknowledged them."""
        begun = perf_counter()
        futures = []
        for report in reports:
            payload = msgspec.json.encode({"time": report.at, "signals": report.signals})
            number = self._client.publish(TOPIC.format(vehicle=report.vehicle), payload, qos=1).mid
            futures.append(self._acknowledged.setdefault(number, asyncio.get_running_loop().create_future()))
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.gather(*futures)
        return Acknowledged(reports, (perf_counter() - begun) * 1000)


@asynccontextmanager
async def _mqtt(url: str) -> AsyncIterator[Target]:
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError as error:
        raise _without("mqtt") from error
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    acknowledged: dict[int, asyncio.Future[None]] = {}

    def taken(number: int) -> None:
        future = acknowledged.setdefault(number, loop.create_future())
        if not future.done():
            future.set_result(None)
        future.add_done_callback(lambda _: acknowledged.pop(number, None))

    client = Client(CallbackAPIVersion.VERSION2, "chargeport-simulate")

    def published(_client: Client, _data: Any, number: int, _code: Any, _properties: Any) -> None:
        loop.call_soon_threadsafe(taken, number)

    client.on_publish = published
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    if parts.scheme == "mqtts":
        client.tls_set()
    try:
        await asyncio.to_thread(client.connect, parts.hostname or "127.0.0.1", parts.port or 1883)
    except OSError as error:
        raise ChargeportError(f"The broker {parts.hostname} can't be reached: {error}.") from error
    client.loop_start()
    try:
        yield _Broker(client, acknowledged)
    finally:
        client.disconnect()
        client.loop_stop()


class _Stream:
    """JetStream: each report is a message that the stream acknowledges."""

    def __init__(self, jetstream: Any) -> None:
        self._jetstream = jetstream

    async def send(self, reports: list[Report]) -> Acknowledged:
        """Publish reports; return when the stream has acknowledged them."""
        begun = perf_counter()
        for report in reports:
            await self._jetstream.publish(SUBJECT.format(vehicle=report.vehicle), msgspec.json.encode(report.document()))
        return Acknowledged(reports, (perf_counter() - begun) * 1000)


@asynccontextmanager
async def _nats(url: str) -> AsyncIterator[Target]:
    try:
        import nats
        from nats.errors import Error
    except ImportError as error:
        raise _without("nats") from error
    try:
        connection = await nats.connect(url, allow_reconnect=False, connect_timeout=TIMEOUT_S)
    except (Error, OSError) as error:
        raise ChargeportError(f"{url} can't be reached: {error}.") from error
    try:
        yield _Stream(connection.jetstream())
    except Error as error:
        raise ChargeportError(f"{SUBJECT.format(vehicle='*')} was not acknowledged: {error}. A stream must have it.") from error
    finally:
        await connection.close()


def _without(extra: str) -> ChargeportError:
    from chargeport import installation

    return ChargeportError(f"A package is missing for this target: {installation.add_extra(extra)}.")
