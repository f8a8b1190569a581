"""`GET /v3/compatible-vehicles`: the signals that the built-in dialects support, by model. It needs no token."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from chargeport.api.request import Request
from chargeport.api.response import Response, json_answer
from chargeport.dialects.makes import MAKES, POWERTRAINS, REGIONS, Make
from chargeport.errors import MALFORMED, Problem
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Signal

REGION: Final = "filter[region]"
MAKE: Final = "filter[make]"
POWERTRAIN: Final = "filter[powertrainType]"

_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


async def list_compatible_vehicles(request: Request) -> Response:
    """Return every model and region that matches the filters, on one page. Unknown filters are ignored."""
    query = dict(request.query)
    region, powertrain = _one_of(query, REGION, REGIONS), _one_of(query, POWERTRAIN, POWERTRAINS)
    name = None if MAKE not in query else _plain(query[MAKE])
    data = [
        entry
        for make in MAKES
        if name in (None, _plain(make.name)) and powertrain in (None, make.powertrain)
        for entry in _entries(make, region)
    ]
    link = f"{request.base}/v3/compatible-vehicles" + (f"?{request.raw.url.query}" if request.raw.url.query else "")
    meta = {"page": 1, "pageSize": len(data), "totalCount": len(data)}
    return json_answer(200, {"data": data, "meta": meta, "links": {"self": link}}, request.request_id)


def _one_of(query: dict[str, str], name: str, known: tuple[str, ...]) -> str | None:
    text = query.get(name)
    if text is None:
        return None
    if text.upper() not in known:
        raise Problem(MALFORMED, f"{name}: {text[:60]!r} is not known: use {', '.join(known)}.")
    return text.upper()


def _entries(make: Make, region: str | None) -> Iterator[dict[str, Any]]:
    readable = {row.signal.key for dialect in make.dialects for row in dialect.rows}
    capabilities = [_capability(signal) for signal in CATALOGUE if signal.key in readable and not signal.is_ours]
    for model in make.models:
        for sold in make.regions:
            if region in (None, sold):
                yield {
                    "id": f"{make.name.upper()}-{model}-{make.powertrain}-{sold}",
                    "type": "vehicle-model-capability",
                    "attributes": {
                        "make": make.name,
                        "model": model,
                        "region": sold,
                        "powertrainType": make.powertrain,
                        "capabilities": capabilities,
                    },
                }


def _capability(signal: Signal) -> dict[str, str]:
    return {
        "type": "signal",
        "name": _WORD.sub(" ", signal.name),
        "group": signal.group,
        "code": signal.name,
        "capability": signal.code,
        "permission": signal.permission,
    }


def _plain(name: str) -> str:
    """Return a make in lower case without accents, for comparison: clients write SKODA."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
