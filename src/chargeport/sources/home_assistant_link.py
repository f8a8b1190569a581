"""A connection to a Home Assistant's WebSocket."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from chargeport import tasks
from chargeport.sources.base import Cause, SourceError
from chargeport.sources.extras import missing, secret
from chargeport.sources.home_assistant_settings import HomeAssistantSettings

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from hass_client import HomeAssistantClient  # type: ignore[import-untyped]

CLOSE_S: Final = 1.0  # for the other side to close as well
MAX_MESSAGE: Final = 64 * 1024 * 1024  # every state of a large installation, in bytes
T = TypeVar("T")
State = dict[str, Any]


class House:
    """One connection. It is not opened again: the caller of the source decides when to reconnect."""

    def __init__(self, settings: HomeAssistantSettings, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._session: ClientSession
        self._client: HomeAssistantClient
        self._listening: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        try:
            from aiohttp import ClientSession
            from hass_client import HomeAssistantClient
        except ImportError as error:
            raise missing("home_assistant") from error
        token, tls = secret("token", self._settings.token), self._tls()
        self._session = ClientSession()
        self._client = HomeAssistantClient(_websocket(self._settings.url), token, self._session, MAX_MESSAGE)
        try:
            await self._connect(tls)
        except BaseException:
            await self._hang_up()
            raise
        self._listening = asyncio.create_task(self._client.start_listening())
        return self

    async def __aexit__(self, *_error: object) -> None:
        await tasks.end(self._listening)
        await self._hang_up()

    async def _hang_up(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._client.disconnect()
        await self._session.close()

    async def subscribe(self, changed: Callable[[State], None]) -> None:
        """Call `changed` with the new state of each entity that changes. Raises SourceError."""

        def received(event: Mapping[str, Any]) -> None:
            state = event.get("data", {}).get("new_state")
            if isinstance(state, dict):  # null: the entity was removed
                changed(state)

        await self.alive(self._client.subscribe_events(received, "state_changed"), self._timeout_s)

    async def states(self) -> list[State]:
        """Return the state of every entity. Raises SourceError."""
        states = await self.alive(self._client.get_states(), self._timeout_s)
        if not isinstance(states, list) or not all(isinstance(state, dict) for state in states):
            raise SourceError(Cause.PROTOCOL, f"{self._settings.url} does not answer get_states with a list of states.")
        return states

    async def call_service(
        self, domain: str, service: str, entity: str, data: Mapping[str, Any], timeout_s: float
    ) -> None:  # fmt: skip
        """Call a service for an entity; return when it has. Raises SourceError."""
        target = {"entity_id": entity}
        await self.alive(self._client.call_service(domain, service, dict(data), target), timeout_s)

    async def alive(self, doing: Awaitable[T], timeout_s: float | None = None) -> T:
        """Return the result of `doing`, unless the connection ends before. Raises SourceError."""
        task = asyncio.ensure_future(doing)
        try:
            await asyncio.wait({task, self._listening}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if self._listening.done():
                raise self._ended(self._listening)
            if not task.done():
                raise SourceError(Cause.UNREACHABLE, f"{self._settings.url} gave no answer within {timeout_s:g} s.")
            return self._result(task)
        finally:
            await tasks.end(task)

    def _result(self, task: "asyncio.Future[T]") -> T:
        from hass_client.exceptions import BaseHassClientError  # type: ignore[import-untyped]

        try:
            return task.result()
        except BaseHassClientError as error:
            raise SourceError(Cause.PROTOCOL, f"{self._settings.url} refuses a command: {error}.") from error

    def _ended(self, listening: "asyncio.Task[None]") -> SourceError:
        error = None if listening.cancelled() else listening.exception()
        if error is None or isinstance(error, OSError) or "Connection" in type(error).__name__:
            return SourceError(Cause.UNREACHABLE, f"{self._settings.url} has ended the connection.")
        return SourceError(Cause.PROTOCOL, f"{self._settings.url} violates the protocol: {str(error) or type(error).__name__}.")

    async def _connect(self, tls: ssl.SSLContext | bool) -> None:
        from hass_client.exceptions import AuthenticationFailed, CannotConnect

        url = self._settings.url
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.connect(tls)
        except AuthenticationFailed as error:
            raise SourceError(
                Cause.AUTHENTICATION, f"{url} does not take the token; make a new one in its profile page."
            ) from error
        except CannotConnect as error:
            status = getattr(error.error, "status", None)
            if status is not None:
                raise SourceError(
                    Cause.PROTOCOL, f"{url} answers {status}: it is not a Home Assistant, or a proxy answers."
                ) from error
            raise SourceError(Cause.UNREACHABLE, f"{url} can't be reached: {error}.") from error
        except (OSError, TimeoutError) as error:
            raise SourceError(Cause.UNREACHABLE, f"{url} can't be reached: {str(error) or 'no answer'}.") from error
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(Cause.PROTOCOL, f"{url} does not begin with the message of a Home Assistant.") from error

    def _tls(self) -> ssl.SSLContext | bool:
        if self._settings.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=self._settings.ca_file)
        except (OSError, ValueError) as error:
            raise SourceError(Cause.CONFIGURATION, f"ca_file: {self._settings.ca_file} can't be read: {error}.") from error


def _websocket(url: str) -> str:
    """Return the WebSocket's address, from the address of the web pages or its own."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}{path if path.endswith('/websocket') else path + '/api/websocket'}"
