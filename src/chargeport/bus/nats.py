"""The line over a NATS server: a subject of core NATS, which stores nothing. The payload identifies the sender."""

import asyncio
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from chargeport.bus.shared import LineError, wait_until_lost

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

SUBJECT: Final = "chargeport.doorbell"
TIMEOUT_S: Final = 10
RING_S: Final = 1  # for the server to confirm a ring: by then every process has polled the store anyway


class NatsLine:
    """`Line` over NATS."""

    def __init__(self, url: str) -> None:
        """Set the address of a server, or those of a cluster's servers, separated by commas."""
        self._servers = [server.strip() for server in url.split(",")]
        self._own_id = uuid.uuid4().bytes
        self.client: Client | None = None
        """The connection, while there is one."""

    async def listen(self, on_ring: Callable[[], None]) -> None:
        """Listen until the connection is lost; then raise LineError."""
        from nats.errors import Error

        is_lost = asyncio.Event()

        async def ring(message: "Msg") -> None:
            if message.data != self._own_id:
                on_ring()

        client = await self._connected(is_lost)
        try:
            await client.subscribe(SUBJECT, cb=ring)
            self.client = client
            on_ring()
            await wait_until_lost(is_lost, lambda: bool(client.is_closed))  # nats-py calls nothing back with data unsent
        except (OSError, TimeoutError, Error) as error:
            raise LineError(str(error)) from error
        finally:
            self.client = None
            await client.close()
        raise LineError("the connection was lost")

    async def _connected(self, is_lost: asyncio.Event) -> "Client":
        """Connect; `is_lost` is set once the connection ends. Raises LineError."""
        import nats
        from nats.errors import Error

        async def ended() -> None:
            is_lost.set()

        async def failed(_error: Exception) -> None:
            """Do nothing: `ended` handles it."""

        try:
            return await nats.connect(
                self._servers,
                allow_reconnect=False,
                connect_timeout=TIMEOUT_S,
                disconnected_cb=ended,
                closed_cb=ended,
                error_cb=failed,
            )
        except (OSError, TimeoutError, Error) as error:
            raise LineError(str(error) or type(error).__name__) from error

    async def ring(self) -> None:
        """Publish a ring."""
        from nats.errors import Error

        if self.client is not None:
            try:
                await self.client.publish(SUBJECT, self._own_id)
                await self.client.flush(RING_S)
            except (OSError, TimeoutError, Error) as error:
                raise LineError(str(error)) from error
