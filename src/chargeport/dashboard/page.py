"""The page: one HTML document, and the modules that it loads.

In the demo the document contains a token for browsers on this machine; other people sign in.
"""

import hashlib
import ipaddress
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Final
from urllib.parse import urlsplit

from chargeport.api.docs import HTML
from chargeport.api.request import Request
from chargeport.api.response import Header, Response, answer, gzipped, packed_answer, takes_gzip
from chargeport.api.route import Handler
from chargeport.api.sign_in import PageToken
from chargeport.errors import INVALID_PATH, Problem
from chargeport.signals.catalogue import CATALOGUE
from chargeport.wire.encoding import encode

TOKEN_MARK: Final = "/*token*/null"  # noqa: S105  (where the token goes)
FIRST_MODULES: Final = ("app", "fleet", "api", "live", "dom", "prefs", "words")
"""The modules of the view of all cars, which the browser preloads, so that it need not discover them one by one."""

Tokens = Callable[[], Awaitable[PageToken]]
_SCRIPT: Final[Header] = (b"content-type", b"text/javascript; charset=utf-8")
_SPACE: Final = re.compile(r"\s*([{};:,>])\s*|/\*.*?\*/|\s+", re.DOTALL)


def _part(name: str) -> str:
    return resources.files("chargeport.dashboard").joinpath(name).read_text("utf-8")


def _signals() -> str:
    """Return the catalogue's rows for the page, as JSON that can't end the enclosing HTML element."""
    rows = [
        {"code": signal.code, "name": signal.name, "summary": signal.summary, "kind": signal.kind, "unit": signal.unit}
        for signal in CATALOGUE
    ]
    return encode(rows).decode().replace("<", "\\u003c")


def _hash(text: str) -> str:
    """Return the hash by which a policy allows an inline style."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _policy(style: str) -> Header:
    """Return the content security policy: only modules of the server are run, and requests go to the server only."""
    rules = (
        "default-src 'none'",
        f"style-src {_hash(style)}",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src data:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return (b"content-security-policy", "; ".join(rules).encode())


def _modules() -> dict[str, str]:
    """Return the page's modules by name."""
    folder = resources.files("chargeport.dashboard")
    files = [*folder.iterdir(), *folder.joinpath("vendored").iterdir()]
    return {each.name.removesuffix(".js"): each.read_text("utf-8") for each in files if each.name.endswith(".js")}


_STYLE: Final = _SPACE.sub(
    lambda found: found[1] or (" " if found[0].isspace() else ""), _part("page.css") + _part("vendored/uplot.css")
)
_POLICY: Final = _policy(_STYLE)
_PRELOADS: Final = "".join(f'<link rel="modulepreload" href="page/{name}.js">' for name in FIRST_MODULES)
PAGE: Final = (
    _part("page.html").replace("/*css*/", _STYLE).replace("<!--modules-->", _PRELOADS).replace("/*signals*/null", _signals())
)
"""The page as it is sent, without the token."""

MODULES: Final = _modules()
_PACKED: Final = {name: gzipped(text.encode()) for name, text in MODULES.items()}
_TAGS: Final = {name: b'"%s"' % hashlib.sha256(text.encode()).hexdigest()[:20].encode() for name, text in MODULES.items()}

_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")


def _is_local(request: Request) -> bool:
    """Return whether the request comes from a browser on this machine, for an address of this machine.

    A proxy forwards requests of others. A name that is not a loopback name may be that of another site (DNS rebinding).
    """
    client = request.raw.client
    if client is None or any(request.header(name) is not None for name in _FORWARDED):
        return False
    host = urlsplit(f"//{(request.header(b'host') or b'').decode('latin-1')}").hostname or ""
    return is_loopback(client.host) and is_loopback(host)


def is_loopback(text: str) -> bool:
    """Return whether a host is this machine, by its address."""
    if text == "localhost":
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def handlers(new_token: Tokens | None = None) -> Mapping[str, Handler]:
    """Return the page's handlers; `new_token` returns a token for the demo's visitors on this machine."""

    async def dashboard(request: Request) -> Response:
        given = await new_token() if new_token is not None and _is_local(request) else None
        brought = None
        if given is not None:
            brought = {"token": given.token, "userId": given.user_id, "permissions": sorted(given.permissions)}
        page = PAGE.replace(TOKEN_MARK, encode(brought).decode())
        accepted = request.header(b"accept-encoding")
        return packed_answer(accepted, page.encode(), request.request_id, _POLICY, kind=HTML)

    return {"getDashboard": dashboard, "getPageModule": page_module}


async def page_module(request: Request) -> Response:
    """Return a module of the page, or 304 if the browser has its present version. Raises Problem (404)."""
    name = request.path("module").removesuffix(".js")
    if name not in MODULES:
        raise Problem(INVALID_PATH, f"The page has no module {name[:40]!r}.")
    tag = _TAGS[name]
    headers: list[Header] = [(b"etag", tag), (b"vary", b"accept-encoding")]
    if request.header(b"if-none-match") == tag:
        return answer(304, b"", request.request_id, *headers)
    if takes_gzip(request.header(b"accept-encoding")):
        return answer(200, _PACKED[name], request.request_id, *headers, (b"content-encoding", b"gzip"), kind=_SCRIPT)
    return answer(200, MODULES[name].encode(), request.request_id, *headers, kind=_SCRIPT)
