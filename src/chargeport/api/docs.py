"""The API's description, as JSON and as pages that load nothing from other hosts; and the built site (`make site`)."""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Final

from starlette.responses import Response as StarletteResponse
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from chargeport.api.request import Request
from chargeport.api.response import Header, Response, answer
from chargeport.api.route import Handler
from chargeport.errors import ErrorKind
from chargeport.taxonomy import DOCUMENTED
from chargeport.wire import errors
from chargeport.wire.encoding import encode

HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")
# A page uses only its own content: no script, style, font or frame of another host.
_POLICY: Final[Header] = (
    b"content-security-policy",
    (
        b"default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; frame-ancestors 'none';"
        b" base-uri 'none'"
    ),
)
_GUIDE: Final = '<a href="/docs/guide/index.html">Guide</a>'
_TRY: Final = '<script type="module" src="/page/tryit.js"></script>'
_TRIED_AS: Final = (
    "<p><label>A token, for Try it below; without one your session on the page is used: "
    '<input id="try-token" autocomplete="off"></label></p>'
)

GUIDE_FOLDER: Final = Path(__file__).parent.parent / "site"
GUIDE_PATH: Final = "/docs/guide"
# The site's own scripts and styles are in its pages; nothing is loaded from another host.
GUIDE_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def handlers(describe: Callable[[], dict[str, Any]]) -> Mapping[str, Handler]:
    """Return the handlers of the documentation's routes. Their pages are generated once, at the first request."""

    @cache
    def described() -> tuple[bytes, bytes]:
        document = describe()
        return encode(document), _page("The API", _TRIED_AS + _operations(document), _TRY).encode()

    async def openapi(request: Request) -> Response:
        as_json, _ = await asyncio.to_thread(described)
        return answer(200, as_json, request.request_id)

    async def docs(request: Request) -> Response:
        _, reference = await asyncio.to_thread(described)
        return answer(200, reference, request.request_id, _POLICY, kind=HTML)

    @cache
    def of_errors() -> bytes:
        return _page("Errors", "".join(map(_error, DOCUMENTED))).encode()

    async def error_docs(request: Request) -> Response:
        return answer(200, of_errors(), request.request_id, _POLICY, kind=HTML)

    return {"getOpenApi": openapi, "getDocs": docs, "getErrorDocs": error_docs}


def _page(title: str, content: str, script: str = "") -> str:
    template = resources.files("chargeport.api").joinpath("docs.html").read_text("utf-8")
    return Template(template).substitute(
        title=escape(title), content=content, script=script, guide=_GUIDE if is_guide_built() else ""
    )


def _operations(described: dict[str, Any]) -> str:
    """Return an index and all operations, by tag; the forms without the prefix are left out."""
    index, shown = dict[str, list[str]](), dict[str, list[str]]()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if not operation["operationId"].endswith("Unprefixed"):
                tag = operation["tags"][0]
                index.setdefault(tag, []).append(_link(method.upper(), path, operation))
                shown.setdefault(tag, []).append(_operation(method.upper(), path, operation))
    tags = "".join(
        f"<details><summary>{escape(tag)}</summary><ul>{''.join(links)}</ul></details>" for tag, links in index.items()
    )
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in shown.items())
    return f'<nav class="index" aria-label="Operations">{tags}</nav>{sections}'


def _link(method: str, path: str, operation: dict[str, Any]) -> str:
    """Return a line of the index."""
    words = f"<code>{method} {escape(path)}</code></a> <span>{escape(operation['summary'])}</span>"
    return f'<li><a href="#{operation["operationId"]}">{words}</li>'


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{parameter['in']}</td><td>{escape(parameter['description'])}</td></tr>"
        for parameter in operation["parameters"]
    )
    answers = "".join(
        f"<tr><td><code>{status}</code></td><td>{escape(response['description'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    names = ", ".join(parameter["name"] for parameter in operation["parameters"])
    sent = _examples("Send", operation.get("requestBody", {}))
    got = _examples("Get", next(iter(operation["responses"].values())))
    return (
        f'<section id="{operation["operationId"]}"><h3><span class="method">{method}</span> <code>{escape(path)}</code></h3>'
        f"<p>{escape(operation['summary'])}. {escape(operation.get('description', ''))}</p>"
        f"{_folded(f'Parameters: {names}', parameters) if parameters else ''}{sent}{got}"
        f"{_folded('Answers: ' + ', '.join(operation['responses']), answers)}</section>"
    )


def _folded(title: str, rows: str) -> str:
    return f"<details><summary>{escape(title)}</summary><table>{rows}</table></details>"


def _examples(verb: str, part: dict[str, Any]) -> str:
    examples = part.get("content", {}).get("application/json", {}).get("examples", {})
    return "".join(_shown(f"{verb}: {name}", example["value"]) for name, example in examples.items())


def _shown(title: str, value: Any) -> str:
    as_text = json.dumps(value, indent=2, ensure_ascii=False)
    return f"<details><summary>{escape(title)}</summary><pre>{escape(as_text)}</pre></details>"


def _error(kind: ErrorKind) -> str:
    resolution = f"<tr><td>For programs</td><td><code>{kind.resolution}</code></td></tr>" if kind.resolution else ""
    return (
        f'<section id="{kind.slug}"><h3>{kind.status} <code>{kind.name}</code></h3><p>{escape(kind.title)}.</p>'
        f"<table><tr><td>Cause</td><td>{escape(kind.cause)}</td></tr><tr><td>Way out</td><td>{escape(kind.way_out)}</td></tr>"
        f"{resolution}</table>{_shown('Example', errors.example(kind))}</section>"
    )


class Site(StaticFiles):
    """The files of the site, with the security headers of all answers."""

    async def get_response(self, path: str, scope: Scope) -> StarletteResponse:
        """Return a file, which browsers may cache until it changes."""
        answer = await super().get_response(path, scope)
        answer.headers.update(
            {"content-security-policy": GUIDE_POLICY, "x-content-type-options": "nosniff", "cache-control": "no-cache",
             "referrer-policy": "no-referrer"}
        )  # fmt: skip
        return answer


def is_guide_built(folder: Path = GUIDE_FOLDER) -> bool:
    """Return whether the site was built."""
    return (folder / "index.html").exists()


def guide_routes(folder: Path = GUIDE_FOLDER) -> list[BaseRoute]:
    """Return the route of the site's files; none where it was not built."""
    return [Mount(GUIDE_PATH, Site(directory=folder))] if is_guide_built(folder) else []
