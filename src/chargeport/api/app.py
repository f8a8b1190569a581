"""The ASGI application: the router, which answers all requests, and the fast path, which the protocol tries first."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Match
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from chargeport.api import docs, monitoring
from chargeport.api.body_budget import BodyBudget
from chargeport.api.error_boundary import ErrorBoundary
from chargeport.api.fast_path import FastPath
from chargeport.api.guesses import Guesses
from chargeport.api.links import Links
from chargeport.api.openapi import document
from chargeport.api.rate_limits import RateLimits
from chargeport.api.request import AppContext, Caller, Request
from chargeport.api.response import EndlessResponse, Response
from chargeport.api.route import Handler, Route
from chargeport.api.routes import ROUTES
from chargeport.api.sockets import Connect, socket_routes
from chargeport.api.worker_reports import WorkerReports
from chargeport.errors import INVALID_PATH, METHOD_NOT_ALLOWED, Problem
from chargeport.store.audit import UNKNOWN, Actor, acting

_NOT_FOUND = 404

Endpoint = Callable[[StarletteRequest], Awaitable[StarletteResponse]]
"""Answer one request."""


def build_app(
    context: AppContext,
    pages: Mapping[str, Handler],
    *,
    fast_path: bool = True,
    sockets: Mapping[str, Connect] | None = None,
    reports: WorkerReports | None = None,
) -> "WebApp":
    """Build the application. `pages` are the handlers of routes outside the API, by name; `sockets` websockets, by path.

    `reports` are those of the workers, if there are several. Without `fast_path` the router answers all requests: the two must
    give equal answers, which a test checks.
    """
    links = Links(context.settings.server.base_url, context.settings.server.trusted_proxies)
    limits, counts = context.settings.limits, context.access.counts
    guesses = Guesses(limits.wrong_credentials_per_minute, refused=counts.refused, attempts=context.store.attempts)
    errors = ErrorBoundary(links, guesses, RateLimits(limits))
    bodies = BodyBudget(limits.unauthenticated_body_bytes)

    async def counted(request: Request) -> Response:
        return await monitoring.metrics(request, errors, reports)

    own = {"getMetrics": counted, "getReadiness": monitoring.Readiness(reports).answer}
    handlers = {**own, **docs.handlers(_described), **pages}
    routes = [
        served for route in ROUTES for served in _routes(route, _handler(route, handlers, context), context, errors, bodies)
    ]
    # The router tries the routes in order: those of frequent requests come first. That of a dialect is one of them.
    routes.sort(key=lambda route: not route.path.startswith("/ingest/"))
    router = Starlette(
        routes=[*routes, *docs.guide_routes(), *socket_routes(sockets or {}, errors.links)],
        exception_handlers={HTTPException: _unrouted(errors)},
    )
    router.router.redirect_slashes = False
    fixed = [served for served in routes if not served.param_convertors] if fast_path else []
    direct = {(method, served.path): served.endpoint for served in fixed for method in served.methods or ()}
    fast = FastPath(context.reads, errors) if fast_path else None
    return WebApp(router, errors, bodies, fast, share=context.tail.share, direct=direct)


@cache
def _described() -> dict[str, Any]:
    """Return the description of all routes, which is the same for each application of this process."""
    return document(ROUTES)


class WebApp:
    """The application that the web server runs: an ASGI application with a fast path."""

    def __init__(
        self,
        router: ASGIApp,
        errors: ErrorBoundary,
        bodies: BodyBudget,
        fast_path: FastPath | None,
        *,
        share: Callable[[int], None] = lambda _: None,
        direct: Mapping[tuple[str, str], Endpoint] = {},
    ) -> None:
        """Store the parts. `share` is to be called with the number of connections that the server can have.

        `direct` are the endpoints that are called without the router, by method and path: the way through its layers takes a
        sixth of the CPU of a request with one reading.
        """
        self.share = share
        self.errors = errors
        self.bodies = bodies
        self.fast_path = fast_path
        self._router = router
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. A trailing slash of its path is removed, because clients drop the token on a redirect."""
        if scope["type"] == "http" and len(scope["path"]) > 1 and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"][:-1]}
        endpoint = self._direct.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is not None:
            await (await endpoint(StarletteRequest(scope, receive, send)))(scope, receive, send)
            return
        found = await self.fast_path.later(scope) if scope["type"] == "http" and self.fast_path is not None else None
        if found is not None:
            await send({"type": "http.response.start", "status": found.status, "headers": found.headers})
            await send({"type": "http.response.body", "body": found.body})
            return
        await self._router(scope, receive, send)

    def refusal(self, problem: Problem, scheme: str) -> Response:
        """Return the error response to input that is not a valid request."""
        answer = self.errors.refusal(problem, next(self.errors.request_ids), self.errors.links.base(scheme, None, ()))
        self.errors.answered["other", answer.status] += 1
        return answer


def _handler(route: Route, others: Mapping[str, Handler], context: AppContext) -> Handler:
    """Return the handler of a route; with simulated cars, one to which faults apply."""
    handler, simulation = route.handler or others[route.name], context.simulation
    if simulation is None or not route.v3 or route.open or route.has_own_faults:
        return handler

    async def faulty(request: Request) -> Response:
        await request.grant()
        names = request.raw.path_params
        async with simulation.faults.met(names.get("vehicle_id"), names.get("code")):
            return await handler(request)

    return faulty


def _routes(
    route: Route, handler: Handler, context: AppContext, errors: ErrorBoundary, bodies: BodyBudget
) -> list[StarletteRoute]:
    """Return the router's entries for one route: with and without the prefix for a route of Smartcar's."""

    async def endpoint(raw: StarletteRequest) -> StarletteResponse:
        base, request_id = errors.base(raw.scope), next(errors.request_ids)
        address, allowance = errors.address(raw.scope), errors.rate_limits.allowance(route.limit)
        request = Request(raw, context, request_id, base, Caller(address, errors.guesses, bodies, allowance))
        with acting(Actor(UNKNOWN, address, context.clock.now)):
            work = handler(request)
            return _response(await errors.guarded(route.path, work, request_id, base, lambda: address, allowance=allowance))

    paths = [f"/v3{route.path}", route.path] if route.v3 else [route.path]
    return [StarletteRoute(path, endpoint, methods=[route.method]) for path in paths]


def _response(answer: Response) -> StarletteResponse:
    if answer.parts is not None:
        return EndlessResponse(answer)
    response = StarletteResponse(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response


def _unrouted(errors: ErrorBoundary) -> Callable[[StarletteRequest, Exception], Awaitable[StarletteResponse]]:
    """Return the handler of requests that match no route; its error body is the same as that of the routes."""

    async def handle(request: StarletteRequest, error: Exception) -> StarletteResponse:
        path = request.scope["path"][:80]
        if isinstance(error, HTTPException) and error.status_code != _NOT_FOUND:
            allow = ", ".join(sorted(_methods(request)))
            problem = Problem(METHOD_NOT_ALLOWED, f"{request.method[:20]} is not possible here: use {allow}.", allow=allow)
        else:
            problem = Problem(INVALID_PATH, f"There is nothing at {path!r}: /docs lists what there is.")
        answer = errors.refusal(problem, next(errors.request_ids), errors.base(request.scope))
        errors.answered["other", answer.status] += 1
        return _response(answer)

    return handle


def _methods(request: StarletteRequest) -> set[str]:
    """Return the methods of all routes of the request's path; the router itself returns those of the first one only."""
    found = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in found if route.path == found[0].path for method in route.methods}
