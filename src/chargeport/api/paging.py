"""Pages of a list, as in Smartcar's collections: `page[number]` from 1, `page[size]`, five links, three counts."""

from typing import Any, Final
from urllib.parse import quote

from chargeport.errors import MALFORMED, Problem
from chargeport.store.records import Page
from chargeport.wire.encoding import encode

NUMBER: Final = "page[number]"
SIZE: Final = "page[size]"
MAX_SIZE: Final = 100
MAX_NUMBER: Final = 1_000_000_000

Query = tuple[tuple[str, str], ...]


def names_page(query: Query) -> bool:
    """Return whether the request names a page."""
    return any(name in (NUMBER, SIZE) for name, _ in query)


def requested_page(query: Query, *, default_size: int = 10, max_size: int = MAX_SIZE) -> Page:
    """Return the page that the request names; its size is limited to `max_size`. Raises Problem (400)."""
    parameters = dict(query)
    number = _positive(NUMBER, parameters.get(NUMBER, "1"))
    return Page(number, min(_positive(SIZE, parameters[SIZE]), max_size) if SIZE in parameters else default_size)


def only_filters(query: Query, *known: str) -> None:
    """Reject an unknown filter: if it were ignored, the answer would look filtered. Raises Problem (400)."""
    for name, _ in query:
        if name.startswith("filter[") and name not in known:
            these = f"use {', '.join(known)}" if known else "this list has none"
            raise Problem(MALFORMED, f"{name[:60]!r} is no filter here: {these}.")


def _positive(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= MAX_NUMBER:  # noqa: PLR2004
        return int(text)
    raise Problem(MALFORMED, f"{name} is a whole number from 1 to {MAX_NUMBER}, not {text[:40]!r}.")


def single_page(total: int) -> dict[str, int]:
    """Return the counts of a list with a single page."""
    return {"totalCount": total, "pageSize": total, "pageNumber": 1}


def meta(page: Page, total: int) -> dict[str, int]:
    """Return the counts of a page."""
    return {"totalCount": total, "pageSize": page.size, "pageNumber": page.number}


def links(path: str, page: Page, total: int, query: Query) -> dict[str, Any]:
    """Return links to this page and its neighbours; null where there is none. Other parameters are retained."""
    last = max(1, -(-total // page.size))

    def to(number: int) -> str:
        parameters = [(name, value) for name, value in query if name not in (NUMBER, SIZE)]
        parameters += [(NUMBER, str(number)), (SIZE, str(page.size))]
        return path + "?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in parameters)

    return {
        "self": to(page.number),
        "first": to(1),
        "last": to(last),
        "next": to(page.number + 1) if page.number < last else None,
        "prev": to(min(page.number - 1, last)) if page.number > 1 else None,
    }


def listed(path: str, data: list[Any], page: Page, total: int, query: Query, **more: Any) -> dict[str, Any]:
    """Return the document of a page of a list at `path`, a URL. `more` are further members of its `meta`."""
    return {"data": data, "meta": meta(page, total) | more, "links": links(path, page, total, query)}


def text(part: Any) -> str:
    """Return a part of a document as JSON text."""
    return encode(part).decode()
