"""`GET /fleet`: all vehicles that an application may see, a page at a time: searched, filtered by state and sorted.

A page that is sorted by name reads the signals of its own vehicles only. One that is filtered or sorted by what vehicles do
needs a summary of all of them, which is kept for a while; what is shown is read anew.
"""

import asyncio
from collections import Counter
from operator import attrgetter
from typing import Any, Final

import msgspec

from chargeport.api import paging
from chargeport.api.access import Access
from chargeport.api.fleet import PORTION, SORTS, STATES, Row, Summary, name_of
from chargeport.api.request import Request
from chargeport.api.response import Response, packed_answer
from chargeport.errors import MALFORMED, Problem
from chargeport.signals.definition import Permission
from chargeport.signals.effective import Effective
from chargeport.signals.state import stale_at
from chargeport.store.records import Grant, Vehicle
from chargeport.wire.encoding import encode
from chargeport.wire.envelope import body as body_text
from chargeport.wire.envelope import iso
from chargeport.wire.provenance import shown

TEXT, STATE, ID, SORT = "filter[text]", "filter[state]", "filter[id]", "sort"
MAX_TEXT: Final = 200  # characters: each word is looked for in each vehicle
MAX_SIZE: Final = 200
PREPARED_FROM: Final = 5000  # vehicles: what counts of fewer is found in a moment


async def list_fleet(request: Request) -> Response:
    """Return a page of the vehicles, each with the signals that an overview shows."""
    grant = await request.grant()
    fleet, now = request.context.fleet, request.context.clock.now()
    paging.only_filters(request.query, TEXT, STATE, ID)
    given = dict(request.query)
    states, sort = _states(given), _sort(given)
    if len(given.get(TEXT, "")) > MAX_TEXT:
        raise Problem(MALFORMED, f"{TEXT}: at most {MAX_TEXT} characters are looked for.")
    page = paging.asked(request.query, default_size=50, max_size=MAX_SIZE)
    # Of a hundred thousand vehicles these take half a second, in which others are served.
    vehicles = await fleet.vehicles(grant)
    with_vin = await _with_vin(vehicles, grant, request.context.access) if given.get(TEXT) else frozenset()
    vehicles = await asyncio.to_thread(_matching, vehicles, given, with_vin)
    few = {row.vehicle.id: row for row in await fleet.of(vehicles, grant, now)} if len(vehicles) <= MAX_SIZE else None
    counts: Counter[str] | None = None
    if few is not None or states or sort.removeprefix("-") != "name":
        summaries = await fleet.summaries(grant, now) if few is None else [Summary.of(row) for row in few.values()]
        counts, vehicles = await asyncio.to_thread(_chosen, summaries, vehicles, states, sort)
    else:
        vehicles = vehicles[::-1] if sort.startswith("-") else vehicles
        if page.number == 1 and len(vehicles) > PREPARED_FROM:
            fleet.prepare(grant, now)
    total, shown_vehicles = len(vehicles), vehicles[page.offset : page.offset + page.size]
    rows = await fleet.of(shown_vehicles, grant, now) if few is None else [few[each.id] for each in shown_vehicles]
    meta = paging.meta(page, total) | {"asOf": iso(now), "states": counts}
    links = paging.links(f"{request.base}/fleet", page, total, request.query)
    body = encode({"data": [_shown(row) for row in rows], "meta": meta, "links": links})
    return packed_answer(request.header(b"accept-encoding"), body, request.request_id)


def _states(given: dict[str, str]) -> set[str]:
    states = {each.strip() for each in given[STATE].split(",")} if given.get(STATE) else set()
    unknown = states - set(STATES)
    if unknown:
        raise Problem(MALFORMED, f"{STATE}: {min(unknown)[:40]!r} is no state: use {', '.join(STATES)}.")
    return states


def _sort(given: dict[str, str]) -> str:
    sort = given.get(SORT, "name")
    if sort.removeprefix("-") not in SORTS:
        raise Problem(MALFORMED, f"{SORT}: {sort[:40]!r} is no order: use one of {', '.join(SORTS)}, with - for the reverse.")
    return sort


async def _with_vin(vehicles: list[Vehicle], grant: Grant, access: Access) -> frozenset[str]:
    """Return the ids of the vehicles whose VIN the application may read."""
    if Permission.READ_VIN not in grant.permissions:
        return frozenset()
    found = set[str]()
    for start in range(0, len(vehicles), PORTION):
        await asyncio.sleep(0)
        ids = [each.id for each in vehicles[start : start + PORTION]]
        allowed = await access.permissions_on(grant, ids, None)
        found.update(each for each in ids if Permission.READ_VIN in allowed.get(each, ()))
    return frozenset(found)


def _matching(vehicles: list[Vehicle], given: dict[str, str], with_vin: frozenset[str]) -> list[Vehicle]:
    """Return the vehicles with these ids, and all of these words in their names; the VIN is one for who may read it."""
    ids, words = given.get(ID), given.get(TEXT, "").casefold().split()
    if ids is not None:
        wanted = set(ids.split(","))
        vehicles = [each for each in vehicles if each.id in wanted]
    if not words:
        return vehicles
    texts = ((each, _text(each, vin=each.vin if each.id in with_vin else None)) for each in vehicles)
    return [each for each, text in texts if all(word in text for word in words)]


def _text(vehicle: Vehicle, *, vin: str | None) -> str:
    names = (vehicle.make, vehicle.model, vehicle.year, vehicle.id, vin, *vehicle.aliases)
    return " ".join(str(each) for each in names if each is not None).casefold()


def _chosen(
    summaries: list[Summary], vehicles: list[Vehicle], states: set[str], sort: str
) -> tuple[Counter[str], list[Vehicle]]:
    """Return how many of these vehicles are in each state, and those that are in one of `states` in their order."""
    wanted = {each.id for each in vehicles}
    known = [each for each in summaries if each.vehicle.id in wanted]
    counts = Counter(each.state for each in known)
    chosen = [each for each in known if each.state in states] if states else known
    return counts, [each.vehicle for each in _sorted(chosen, sort)]


def _sorted(summaries: list[Summary], sort: str) -> list[Summary]:
    """Return the summaries in this order, those without a value last in both directions."""
    name, is_reverse = sort.removeprefix("-"), sort.startswith("-")
    if name == "name":
        return summaries[::-1] if is_reverse else summaries
    if name == "state":
        return sorted(summaries, key=lambda each: STATES.index(each.state), reverse=is_reverse)
    value = attrgetter(name)
    known = sorted((each for each in summaries if value(each) is not None), key=value, reverse=is_reverse)
    return known + [each for each in summaries if value(each) is None]


def _shown(row: Row) -> dict[str, Any]:
    one = row.vehicle
    vin = one.vin if Permission.READ_VIN in row.allowed else None
    facts = {"id": one.id, "name": name_of(one), "make": one.make, "model": one.model, "year": one.year, "vin": vin}
    return facts | {
        "aliases": one.aliases,
        "powertrainType": one.powertrain,
        "mode": one.mode,
        "state": row.state,
        "heardAt": iso(row.heard_at) if row.heard_at else None,
        "signals": {code: _brief(found, row.allowed) for code, found in row.found.items()},
    }


def _brief(found: Effective, permissions: frozenset[Permission]) -> dict[str, Any]:
    """Return the few members of a signal that an overview needs."""
    state, told = found.state, dict[str, Any]()
    if found.unavailability is not None:
        told["status"] = found.unavailability.reason
    if state.value is not None:
        told["body"] = msgspec.Raw(body_text(state.signal, state.value, permissions).encode())
    if state.observed_at is not None:
        told["at"] = iso(state.observed_at)
    until = stale_at(state)
    if until is not None:
        told["staleAt"] = iso(until)
    return told | {"source": shown(state.source or state.absence_source, state.rule)}
