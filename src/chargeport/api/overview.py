"""`GET /fleet`: all vehicles that an application may see, a page at a time: searched, filtered by state and sorted.

A page that is sorted by name reads the signals of its own vehicles only. One that is filtered or sorted by what vehicles do
needs those of all of them.
"""

import asyncio
from collections import Counter
from typing import Any, Final

import msgspec

from chargeport.api import paging
from chargeport.api.access import Access
from chargeport.api.fleet import PORTION, SORTS, STATES, Fleet, Row, name_of
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


async def list_fleet(request: Request) -> Response:
    """Return a page of the vehicles, each with the signals that an overview shows."""
    grant = await request.grant()
    fleet, now = request.context.fleet, request.context.clock.now()
    paging.only_filters(request.query, TEXT, STATE, ID)
    given = dict(request.query)
    states, sort = _states(given), given.get(SORT, "name")
    if len(given.get(TEXT, "")) > MAX_TEXT:
        raise Problem(MALFORMED, f"{TEXT}: at most {MAX_TEXT} characters are looked for.")
    if sort.removeprefix("-") not in SORTS:
        raise Problem(MALFORMED, f"{SORT}: {sort[:40]!r} is no order: use one of {', '.join(SORTS)}, with - for the reverse.")
    page = paging.asked(request.query, default_size=50, max_size=MAX_SIZE)
    # Of a hundred thousand vehicles these take half a second, in which others are served.
    vehicles = await fleet.vehicles(grant)
    with_vin = await _with_vin(vehicles, grant, request.context.access) if given.get(TEXT) else frozenset()
    vehicles = await asyncio.to_thread(_matching, vehicles, given, with_vin)
    counts: Counter[str] | None = None
    if states or sort.removeprefix("-") != "name" or len(vehicles) <= MAX_SIZE:
        rows = await _rows(fleet, vehicles, grant, now)
        counts = Counter(row.state for row in rows)
        rows = await asyncio.to_thread(_sorted, [row for row in rows if not states or row.state in states], sort)
        total, shown_rows = len(rows), rows[page.offset : page.offset + page.size]
        if len(vehicles) > MAX_SIZE:
            shown_rows = await fleet.as_allowed(shown_rows, grant, now)
    else:
        ordered = vehicles[::-1] if sort.startswith("-") else vehicles
        total = len(ordered)
        shown_rows = await fleet.of(ordered[page.offset : page.offset + page.size], grant, now)
    meta = paging.meta(page, total) | {"asOf": iso(now), "states": counts}
    links = paging.links(f"{request.base}/fleet", page, total, request.query)
    body = encode({"data": [_shown(row) for row in shown_rows], "meta": meta, "links": links})
    return packed_answer(request.header(b"accept-encoding"), body, request.request_id)


async def _rows(fleet: Fleet, vehicles: list[Vehicle], grant: Grant, now: int) -> list[Row]:
    """Return the rows of these vehicles: of few they are made now, else they are taken from the kept list of all."""
    if len(vehicles) <= MAX_SIZE:
        return await fleet.of(vehicles, grant, now)
    wanted = {each.id for each in vehicles}
    return [row for row in await fleet.rows(grant, now) if row.vehicle.id in wanted]


def _states(given: dict[str, str]) -> set[str]:
    states = {each.strip() for each in given[STATE].split(",")} if given.get(STATE) else set()
    unknown = states - set(STATES)
    if unknown:
        raise Problem(MALFORMED, f"{STATE}: {min(unknown)[:40]!r} is no state: use {', '.join(STATES)}.")
    return states


async def _with_vin(vehicles: list[Vehicle], grant: Grant, access: Access) -> frozenset[str]:
    """Return the ids of the vehicles whose VIN the application may read."""
    if Permission.READ_VIN not in grant.permissions:
        return frozenset()
    found = set[str]()
    for start in range(0, len(vehicles), PORTION):
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


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    """Return the rows in this order, those without a value last in both directions."""
    name = sort.removeprefix("-")
    if name == "name":
        return rows[::-1] if sort.startswith("-") else rows
    known = sorted((row for row in rows if not row.key(name)[0]), key=lambda row: row.key(name), reverse=sort.startswith("-"))
    return known + [row for row in rows if row.key(name)[0]]


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
