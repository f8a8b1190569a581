"""The rows of the table of routes."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from chargeport.api import paging
from chargeport.api.rate_limits import REQUESTS, Sort
from chargeport.api.request import Request
from chargeport.api.response import Response
from chargeport.errors import ErrorKind

VEHICLE_ID: Final = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
"""An example of one."""

Handler = Callable[[Request], Awaitable[Response]]


class Parameter(msgspec.Struct, frozen=True):
    """A parameter in the query or a header. `example` is a value that works.

    A number has a `minimum` and a `maximum`; a text is one of the `values`, or matches the `pattern` and is no longer than
    `longest`.
    """

    name: str
    summary: str
    example: str
    where: str = "query"
    minimum: int | None = None
    maximum: int | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    longest: int | None = None
    required: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the server.

    `answer` is the name in `api.schemas` of the schema of the 200, `body` that of the request. `kind` is the media type,
    `files` are those of the same answer as a file. `or_accepted`: the status may also be 202, `redirects`: also 303. `errors`
    are those of the route itself, without those of a token (unless it is `open`) and of reading a body. With
    `has_own_faults` the handler itself applies the faults of a simulator. `limit` is the rate limit of an application against
    which a request counts.
    """

    method: str
    path: str
    name: str
    tag: str
    handler: Handler | None = None
    summary: str
    detail: str = ""
    v3: bool = False
    open: bool = False
    has_own_faults: bool = False
    answer: str | None = None
    body: str | None = None
    status: int = 200
    or_accepted: bool = False
    redirects: bool = False
    kind: str = "application/json"
    files: tuple[str, ...] = ()
    limit: Sort = REQUESTS
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[ErrorKind, ...] = ()


def some_of(names: Iterable[str]) -> str:
    """Return the pattern of one or more of these names, separated by commas."""
    one = f" *({'|'.join(sorted(names))}) *"
    return f"^{one}(,{one})*$"


USER: Final = Parameter(
    "sc-user-id", "A user of the application: the user's connection determines what may be read.", "owner-1", "header"
)


def pages(most: int) -> tuple[Parameter, ...]:
    """Return the parameters of a list that comes in pages."""
    return (
        Parameter(paging.NUMBER, "Which page, from 1.", "1", minimum=1, maximum=paging.MAX_NUMBER),
        Parameter(paging.SIZE, f"Entries on a page, {most} at most.", "10", minimum=1, maximum=paging.MAX_NUMBER),
    )
