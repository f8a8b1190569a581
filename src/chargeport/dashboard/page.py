"""The handler of the page. In the demo it brings a token along; elsewhere the page asks for credentials."""

import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Final

from chargeport.api.docs import HTML
from chargeport.api.request import Request
from chargeport.api.response import Header, Response, answer
from chargeport.api.routes import Handler
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
    """The page runs what it was made of, not what may find its way into it, and speaks to its own server only."""
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


def handlers(new_token: Tokens | None = None) -> Mapping[str, Handler]:
    """The page's handler; `new_token` gives the demo's visitors a token that may read."""

    async def dashboard(request: Request) -> Response:
        token = None if new_token is None else await new_token()
        page = PAGE.replace(TOKEN_MARK, encode(token).decode())
        return answer(200, page.encode(), request.request_id, _POLICY, kind=HTML)

    return {"getDashboard": dashboard}
