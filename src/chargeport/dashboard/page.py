"""The handler of the page. In the demo it brings a token along; elsewhere the page asks for credentials."""

from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Final

from chargeport.api.answer import Answer, Header, answer, encode
from chargeport.api.call import Call
from chargeport.api.docs import HTML
from chargeport.api.routes import Handler

# The page runs what stands in it and speaks to its own server, nothing else.
_RULES: Final = (
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    "script-src 'unsafe-inline'",
    "connect-src 'self'",
    "img-src data:",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
)
_POLICY: Final[Header] = (b"content-security-policy", "; ".join(_RULES).encode())
_MARK: Final = "/*token*/null"

Tokens = Callable[[], Awaitable[str]]


def handlers(new_token: Tokens | None = None) -> Mapping[str, Handler]:
    """The page's handler; `new_token` gives the demo's visitors a token that may read."""
    page = resources.files("chargeport.dashboard").joinpath("page.html").read_text("utf-8")

    async def dashboard(call: Call) -> Answer:
        token = None if new_token is None else await new_token()
        return answer(200, page.replace(_MARK, encode(token).decode()).encode(), call.request_id, _POLICY, kind=HTML)

    return {"getDashboard": dashboard}
