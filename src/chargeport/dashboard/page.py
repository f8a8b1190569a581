"""The handler of the page. In the demo it brings a token along for this machine's own visitors; others sign in."""

import hashlib
import ipaddress
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Final
from urllib.parse import urlsplit

from chargeport.api.docs import HTML
from chargeport.api.request import Request
from chargeport.api.response import Header, Response, answer
from chargeport.api.route import Handler
from chargeport.signals.catalogue import CATALOGUE
from chargeport.wire.encoding import encode

TOKEN_MARK: Final = "/*token*/null"  # noqa: S105  (where the token goes)

Tokens = Callable[[], Awaitable[str]]


def _part(name: str) -> str:
    return resources.files("chargeport.dashboard").joinpath(name).read_text("utf-8")


def _signals() -> str:
    """The catalogue's rows as the page needs them, as JSON that can't end the element it stands in."""
    rows = [{"code": signal.code, "name": signal.name, "summary": signal.summary} for signal in CATALOGUE]
    return encode(rows).decode().replace("<", "\\u003c")


def _hash(text: str) -> str:
    """What a policy calls an inline script or style that may stand in the page."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _policy(style: str, script: str) -> Header:
    """The page runs what it was made of, not what may find its way into it, and requests from its own server only."""
    rules = (
        "default-src 'none'",
        f"style-src {_hash(style)}",
        f"script-src {_hash(script)}",
        "connect-src 'self'",
        "img-src data:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return (b"content-security-policy", "; ".join(rules).encode())


_STYLE: Final = _part("page.css")
_SCRIPT: Final = _part("values.js") + _part("page.js")
_POLICY: Final = _policy(_STYLE, _SCRIPT)
PAGE: Final = _part("page.html").replace("/*css*/", _STYLE).replace("/*signals*/null", _signals()).replace("/*js*/", _SCRIPT)
"""The page as it is sent, but for the token."""


_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")


def _is_local(request: Request) -> bool:
    """Whether a browser on this machine asks, for an address of this machine.

    A proxy asks for others. A name that is not a loopback one may be another site's, which had it resolve to here.
    """
    client = request.raw.client
    if client is None or any(request.header(name) is not None for name in _FORWARDED):
        return False
    host = urlsplit(f"//{(request.header(b'host') or b'').decode('latin-1')}").hostname or ""
    return is_loopback(client.host) and is_loopback(host)


def is_loopback(text: str) -> bool:
    """Whether a host is this machine's own, by its address."""
    if text == "localhost":
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def handlers(new_token: Tokens | None = None) -> Mapping[str, Handler]:
    """The page's handler; `new_token` gives the demo's visitors on this machine a token that may read."""

    async def dashboard(request: Request) -> Response:
        token = await new_token() if new_token is not None and _is_local(request) else None
        page = PAGE.replace(TOKEN_MARK, encode(token).decode())
        return answer(200, page.encode(), request.request_id, _POLICY, kind=HTML)

    return {"getDashboard": dashboard}
