"""The base URL of links: the setting, or the address in the request, also as forwarded by a trusted proxy."""

import ipaddress
import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from chargeport.errors import SettingError

_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}(?::\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](?::\d{1,5})?")
_MAX_HOST: Final = 300  # bytes that are read and cached: more than any host has
_FALLBACK_HOST: Final = "localhost"
_log = logging.getLogger("chargeport.api")

_PLAIN_NAMES: Final = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}  # as proxies report them

Headers = Sequence[tuple[bytes, bytes]]


class Links:
    """Compute the base URL of a request. An invalid host is never included in an answer."""

    def __init__(self, base_url: str | None, trusted_proxies: Sequence[str]) -> None:
        self._fixed = _checked(base_url)
        self._networks = [_network(proxy) for proxy in trusted_proxies]
        self._is_trusted = lru_cache(1024)(self._trusts)
        self._from_host = lru_cache(1024)(self._base)
        self._has_warned = False

    def base(self, scheme: str, client: str | None, headers: Headers) -> str:
        """Return the base URL, without a trailing slash."""
        if self._fixed is not None:
            return self._fixed
        host = dict(headers).get(b"host", b"")
        if self._networks and client is not None and self._is_trusted(client):
            scheme, host = _forwarded(scheme, host, headers)
        return self._from_host(scheme, host[:_MAX_HOST])

    def trusts(self, client: str) -> bool:
        """Return whether a trusted proxy has this address."""
        return bool(self._networks) and self._is_trusted(client)

    def client(self, client: str | None, headers: Headers) -> str:
        """Return the address of the client: of those that proxies report, the last one that is not a trusted proxy itself."""
        if client is None or not self.trusts(client):
            return client or ""
        named = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1").split(",")
        addresses = [part.strip() for part in reversed(named) if part.strip()]
        return next((address for address in addresses if not self._is_trusted(address)), client)

    def scheme(self, scheme: str, client: str | None, headers: Headers) -> str:
        """Return the scheme of the client's connection, as a trusted proxy reports it: `https` or `wss` if encrypted."""
        if self._networks and client is not None and self._is_trusted(client):
            return _forwarded(scheme, b"", headers)[0]
        return scheme

    def quick(self, scheme: str, host: bytes) -> str | None:
        """Return the base URL if it depends on the host header only; None if a proxy may change it."""
        return self._fixed or (None if self._networks else self._from_host(scheme, host[:_MAX_HOST]))

    def _trusts(self, client: str) -> bool:
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address  # the form of an IPv4 address on a dual-stack socket
        return any(plain in network for network in self._networks)

    def _base(self, scheme: str, host: bytes) -> str:
        text = host.decode("latin-1")
        if not self._has_warned and _is_name(text):
            self._has_warned = True
            _log.warning("links in answers begin with what requests name, such as %s: set server.base_url to the address", text)
        return f"{scheme}://{text if _HOST.fullmatch(text) else _FALLBACK_HOST}"


def _is_name(host: str) -> bool:
    """Return whether a host is a name, which a client may have chosen, and not an address or this machine itself."""
    has_letter = not host.startswith("[") and any(character.isalpha() for character in host)
    return has_letter and host.partition(":")[0] != _FALLBACK_HOST and _HOST.fullmatch(host) is not None


def _forwarded(scheme: str, host: bytes, headers: Headers) -> tuple[str, bytes]:
    """Return the scheme and host of the client's request as the proxy reports them; of several proxies, the first."""
    for name, value in headers:
        first = value.split(b",")[0].strip()
        if name == b"x-forwarded-proto" and first in _PLAIN_NAMES:
            scheme = _PLAIN_NAMES[first]
        elif name == b"x-forwarded-host":
            host = first
    return scheme, host


def _checked(base_url: str | None) -> str | None:
    if base_url is None:
        return None
    scheme, _, rest = base_url.rstrip("/").partition("://")
    host, _, path = rest.partition("/")
    if scheme not in ("http", "https") or not _HOST.fullmatch(host) or re.search(r"[^\w./~-]", path):
        raise SettingError(f"server.base_url: {base_url!r} is no URL like https://cars.example.org.")
    return base_url.rstrip("/")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise SettingError(f"server.trusted_proxies: {text!r} is no address or network.") from None
