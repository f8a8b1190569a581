"""Bodies in Smartcar's form, `{"data": {"attributes": …}}`: what stands in them is described and checked by one type."""

from typing import Generic, TypeVar

import msgspec

from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.errors import MALFORMED, Problem

T = TypeVar("T")


class Attributes(msgspec.Struct, frozen=True, rename="camel"):
    """The `data.attributes` of a body. Members that are not known are passed over, as Smartcar does."""


class Data(msgspec.Struct, Generic[T], frozen=True):
    """The `data` of a body."""

    attributes: T


class Body(msgspec.Struct, Generic[T], frozen=True):
    """A whole body."""

    data: Data[T]


async def attributes(request: Request, form: type[T], max_bytes: int) -> T:
    """Return the `data.attributes` of the request's body. Raises Problem (400, 413)."""
    body = await read_body(request, max_bytes)
    try:
        return msgspec.json.decode(body, type=Body[form]).data.attributes  # type: ignore[valid-type]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(MALFORMED, f'The body is not {{"data": {{"attributes": …}}}} as wanted here: {error}.') from None
