"""The rows of a list of sessions: of a table (CSV), or the objects of a JSON document."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from chargeport.errors import ChargeportError

_SEPARATOR_LINE: Final = "sep="
_ITS_OWN: Final = frozenset({"id", "name", "type"})  # members of a vehicle or a charger that are not those of its session


class Row(NamedTuple):
    """A row of a list: its number in the file, and its cells by header."""

    number: int
    cells: Mapping[str, Any]


def rows_of(text: str) -> Iterator[Row]:
    """Yield the rows of a list. Raises ChargeportError for invalid JSON."""
    if text.lstrip()[:1] in ("[", "{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ChargeportError(f"The file is not JSON: {error}.") from None
        yield from (Row(number, _flat(element)) for number, element in enumerate(_objects(found), 1))
        return
    lines = csv.reader(io.StringIO(text), delimiter=_delimiter(text))
    header = next((cells for cells in lines if any(map(str.strip, cells)) and not cells[0].startswith(_SEPARATOR_LINE)), [])
    for cells in lines:
        if any(cell.strip() for cell in cells):
            named = list(zip(header, cells, strict=False))
            yield Row(lines.line_num, dict.fromkeys(header) | dict(reversed(named)))  # of two columns with one name, the first


def _delimiter(text: str) -> str:
    """Return the separator of a table, from its header; Excel may name it in a line before that."""
    header = next((line for line in text.splitlines() if line.strip() and not line.startswith(_SEPARATOR_LINE)), "")
    return max(",;\t|", key=header.count)


def _objects(found: Any) -> list[dict[str, Any]]:
    """Return the objects of the first list that has any, however deep in the document; without one, the document itself."""
    level = [found]
    while level:
        for value in level:
            if isinstance(value, list) and (objects := [each for each in value if isinstance(each, dict)]):
                return objects
        level = [inner for value in level if isinstance(value, dict) for inner in value.values()]
    return [found] if isinstance(found, dict) else []


def _flat(element: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of an object, and those of the objects in it, as `place_latitude` and, if it is free, `latitude`."""
    flat: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for name, value in element.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{own}": each for own, each in value.items()}
            inner = {own: each for own, each in value.items() if own not in _ITS_OWN} | inner
        else:
            flat[name] = value
    return inner | flat
