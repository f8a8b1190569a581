"""A connection to a NATS server, and through it to a stream of its JetStream."""

import asyncio
import logging
from collections.abc import Awaitable
from ssl import SSLContext, SSLError, create_default_context
from typing import TYPE_CHECKING, Final, TypeVar

from chargeport import tasks
from chargeport.sources.base import Cause, SourceError
from chargeport.sources.extras import missing, secret
from chargeport.sources.nats_settings import NatsSettings

if TYPE_CHECKING:
    from nats.js import JetStreamContext

T = TypeVar("T")

ANSWER_S: Final = 5.0  # after which a request is repeated, such as one whose leader failed

_log = logging.getLogger("chargeport.sources.nats")


class Link:
    """One connection, which ends when the server goes: the caller of the source decides when to reconnect."""

    def __init__(self, settings: NatsSettings) -> None:
        self._settings = settings
        self._closed = asyncio.Event()
        self._refused: Exception | None = None
        try:
            from nats.aio.client import Client
        except ImportError as error:
            raise missing("nats") from error
        self.client: Client = Client()

    async def stream(self, timeout_s: float) -> "JetStreamContext":
        """Return the JetStream of a server that has our stream. Raises SourceError."""
        from nats.js.errors import NotFoundError

        jetstream = await self._connected(timeout_s)
        try:
            await self.alive(jetstream.stream_info(self._settings.stream))
        except NotFoundError as error:
            raise SourceError(
                Cause.CONFIGURATION,
                f"stream: {self._where} has no JetStream stream {self._settings.stream}; make it there first.",
            ) from error
        return jetstream

    async def subscribed(self, timeout_s: float) -> "JetStreamContext.PullSubscription":
        """Create the durable of the settings, or use the existing one, and subscribe to it. Raises SourceError."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        settings = self._settings
        jetstream = await self.stream(timeout_s)
        config = ConsumerConfig(
            name=settings.durable,
            durable_name=settings.durable,
            deliver_policy=DeliverPolicy(settings.start),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=settings.ack_wait_s,
            max_ack_pending=settings.max_ack_pending,
            filter_subjects=settings.subjects or None,
        )
        await self.alive(jetstream.add_consumer(settings.stream, config))
        return await self.alive(jetstream.pull_subscribe_bind(settings.durable, stream=settings.stream))

    async def alive(self, doing: Awaitable[T]) -> T:
        """Return the result of `doing`, unless the connection ends before. Raises SourceError."""
        from nats.errors import ConnectionClosedError, FlushTimeoutError
        from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

        task = asyncio.ensure_future(doing)
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({task, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() or task.cancelled():
                raise self._gone()
            return task.result()
        except (ConnectionClosedError, FlushTimeoutError, ServiceUnavailableError) as error:
            raise self._gone() from error
        except TimeoutError as error:
            raise SourceError(
                Cause.UNREACHABLE, f"NATS at {self._where} has not answered: its cluster may be choosing a leader."
            ) from error
        except NotFoundError:
            raise
        except APIError as error:
            raise SourceError(Cause.CONFIGURATION, f"NATS at {self._where}: {error.description or error}.") from error
        finally:
            await tasks.end(task, closed)

    async def close(self) -> None:
        """End the connection; what is not acknowledged is delivered again."""
        await self.client.close()

    @property
    def _where(self) -> str:
        return ", ".join(server.rpartition("@")[2] for server in self._servers)

    @property
    def _servers(self) -> list[str]:
        return [server.strip() for server in self._settings.servers.split(",") if server.strip()]

    def _gone(self) -> SourceError:
        if self._refused is not None:
            return self._no(self._refused)
        return SourceError(Cause.UNREACHABLE, f"NATS at {self._where} has ended the connection.")

    def _no(self, error: Exception) -> SourceError:
        text = str(error).lower()
        if any(word in text for word in ("authorization", "authentication", "permissions")):
            return SourceError(Cause.AUTHENTICATION, f"NATS at {self._where} does not take our credentials: {error}.")
        if isinstance(error, SSLError):
            return SourceError(Cause.AUTHENTICATION, f"NATS at {self._where}: TLS failed: {error}.")
        return SourceError(Cause.UNREACHABLE, f"NATS at {self._where} can't be reached: {str(error) or type(error).__name__}.")

    async def _connected(self, timeout_s: float) -> "JetStreamContext":
        from nats.errors import Error

        settings = self._settings
        try:
            async with asyncio.timeout(timeout_s):
                await self.client.connect(
                    self._servers,
                    name="chargeport",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,  # of each server, before it gives up on the first connection
                    reconnect_time_wait=0,
                    connect_timeout=max(1, int(timeout_s)),
                    user=settings.user,
                    user_credentials=settings.credentials_file,
                    tls=self._tls(),
                    error_cb=self._heard_error,
                    closed_cb=self._heard_close,
                    password=_secret("password", settings.password),
                    token=_secret("token", settings.token),
                )
        except (Error, OSError, TimeoutError, ValueError) as error:
            raise self._no(self._refused or error) from error
        return self.client.jetstream(timeout=min(timeout_s, ANSWER_S))

    def _tls(self) -> SSLContext | None:
        if self._settings.ca_file is None:
            return None
        try:
            return create_default_context(cafile=self._settings.ca_file)
        except (OSError, ValueError) as error:
            raise SourceError(Cause.CONFIGURATION, f"ca_file: {self._settings.ca_file} can't be read: {error}.") from error

    async def _heard_error(self, error: Exception) -> None:
        self._refused = error
        _log.debug("NATS: %s", error)

    async def _heard_close(self) -> None:
        self._closed.set()


def _secret(setting: str, value: str | None) -> str | None:
    return None if value is None else secret(setting, value)
