"""The common processing of requests, on the fast path and in the router: id, base URL, errors, counts."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Scope

from chargeport.api.guesses import Guesses, WrongCredentialError
from chargeport.api.links import Links
from chargeport.api.rate_limits import Allowance, RateLimits
from chargeport.api.response import Header, Response, json_answer, request_ids
from chargeport.errors import INTERNAL, UNAUTHORIZED, Problem
from chargeport.wire.errors import as_problem, body

_log = logging.getLogger("chargeport.api")


class ErrorBoundary:
    """The processing that the fast path and the router share, so that both answer errors equally."""

    def __init__(self, links: Links, guesses: Guesses, rate_limits: RateLimits) -> None:
        self.request_ids = request_ids()
        self.answered: Counter[tuple[str, int]] = Counter()
        """The number of answers, by route and status."""
        self.links = links
        self.guesses = guesses
        self.rate_limits = rate_limits

    def base(self, scope: Scope) -> str:
        """Return the base URL of a request."""
        client = scope.get("client")
        return self.links.base(scope["scheme"], client[0] if client else None, scope["headers"])

    def address(self, scope: Scope) -> str:
        """Return the client's address, also behind a trusted proxy."""
        client = scope.get("client")
        return self.links.client(client[0] if client else None, scope["headers"])

    async def guarded(
        self,
        route: str,
        work: Awaitable[Response],
        request_id: str,
        base: str,
        address: Callable[[], str],
        *,
        allowance: Allowance,
    ) -> Response:
        """Return the answer of `work`, or the answer to its error; `address` returns the client's address.

        `allowance` is the share of the application's rate limit that the work uses.
        """
        try:
            answer = await work
        except WrongCredentialError as wrong:
            answer = self.refusal(await self._counted(wrong, address()), request_id, base)
        except Exception as error:  # noqa: BLE001  (the edge: nothing may leave as a traceback)
            answer = self.refusal(error, request_id, base)
        self.answered[route, answer.status] += 1
        answer.headers.extend(allowance.headers)
        return answer

    async def _counted(self, wrong: WrongCredentialError, address: str) -> Problem:
        """Count a wrong token; return the error, or that of the limit if there were too many."""
        try:
            await self.guesses.failed(wrong.credential, address, wrong.identity)
        except Problem as too_many:
            return too_many
        return wrong

    def refusal(self, error: Exception, request_id: str, base: str) -> Response:
        """Return the answer to an error; an unexpected one is logged with the request's id."""
        problem = as_problem(error)
        if problem.kind is INTERNAL and not isinstance(error, Problem):
            _log.error("request %s failed", request_id, exc_info=error)
        return answer_to(problem, request_id, base)


def answer_to(problem: Problem, request_id: str, base_url: str, **more: Any) -> Response:
    """Return a problem as a response: the error body, with the status and headers of its kind."""
    headers: list[Header] = []
    if problem.kind is UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="chargeport"'))
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after_s))
    if problem.allow is not None:
        headers.append((b"allow", problem.allow.encode()))
    content = body(problem.kind, problem.detail, request_id, base_url, **more)
    return json_answer(problem.kind.status, content, request_id, headers)
