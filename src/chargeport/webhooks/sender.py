"""One request to a receiver: to a public address unless others are allowed, without redirects, with a timeout.

Loaded with the first request: a server without webhooks does not load the HTTP client.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from chargeport.settings import WebhookSettings
from chargeport.webhooks.receivers import Answer, RefusedTargetError, refusal

RESPONSE_BYTES: Final = 1_024  # of a response that are read and stored
MAX_RETRY_AFTER_S: Final = 86_400


class Sender:
    """Make the requests: without proxies and redirects, and to private addresses only if they are allowed."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def post(self, uri: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one request."""
        started_s = time.perf_counter()

        def duration_ms() -> int:
            return round((time.perf_counter() - started_s) * 1000)

        try:
            url = URL(uri)
            self._check(url.raw_host or "")
            async with self._opened().post(url, data=body, headers=headers, allow_redirects=False) as response:
                start = await response.content.read(RESPONSE_BYTES)
                error = "redirects are not followed" if 300 <= response.status < 400 else None  # noqa: PLR2004
                return Answer(
                    duration_ms(), response.status, error, start.decode("utf-8", "replace"), _retry_after_s(response.headers)
                )
        except TimeoutError:
            return Answer(duration_ms(), error=f"no answer within {self._settings.timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(duration_ms(), error=_reason(error))

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _check(self, host: str) -> None:
        """Refuse a private address in the URI itself, which is not resolved. Raises RefusedTargetError.

        The host is in its final form: yarl has replaced digits of other scripts by ASCII.
        """
        if self._settings.allow_private_targets:
            return
        try:
            refused = refusal(host)
        except ValueError:
            is_number = (
                ":" in host or host.replace(".", "").isdigit()
            )  # the HTTP client connects to such a host without resolving it
            refused = f"{host} is not an address in its usual form" if is_number else None
        if refused is not None:
            raise RefusedTargetError(refused)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = PublicResolver(allow_private=self._settings.allow_private_targets)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=0),  # `Deliveries` bounds them
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


class PublicResolver(AbstractResolver):
    """Resolve names to public addresses only, unless private ones are allowed."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Return the addresses of a name. Raises RefusedTargetError if one of them is not public."""
        found: list[Any] = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for kind, _, protocol, _, address in found:
            refused = None if self._allow_private else refusal(address[0])
            if refused is not None:
                raise RefusedTargetError(f"{host} resolves to {refused}")
            results.append(
                ResolveResult(
                    hostname=host, host=address[0], port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
                )
            )
        return results

    async def close(self) -> None:
        """Do nothing: the system's resolver has no resources."""


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After")
    if text is not None and text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_S)
    return None


def _reason(error: Exception) -> str:
    """Return the reason of a failed request as a short text."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RefusedTargetError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
