"""`GET /fleet`: all vehicles that an application may see, a page at a time: searched, filtered by state and sorted.

A page that is sorted by name reads the signals of its own vehicles only. One that is filtered or sorted by state or signals
needs a summary of all vehicles, which is cached for a while; the shown values are read again.
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
MAX_TEXT: Final = 200  # characters: each word is searched in each vehicle
MAX_SIZE: Final = 200
PREPARED_FROM: Final = 5000  # vehicles: the summaries of fewer are computed quickly


async def list_fleet(request: Request) -> Response:
    """Return a page of the vehicles, each with the signals of an overview."""
    grant = await request.grant()
    fleet, now = request.context.fleet, request.context.clock.now()
    paging.only_filters(request.query, TEXT, STATE, ID)
    parameters = dict(request.query)
    states, sort = _states(parameters), _sort(parameters)
    if len(parameters.get(TEXT, "")) > MAX_TEXT:
        raise Problem(MALFORMED, f"{TEXT}: at most {MAX_TEXT} characters are looked for.")
    page = paging.requested_page(request.query, default_size=50, max_size=MAX_SIZE)
    # For a hundred thousand vehicles these take half a second, in which other requests are served.
    vehicles = await fleet.vehicles(grant)
    with_vin = await _with_vin(vehicles, grant, request.context.access) if parameters.get(TEXT) else frozenset()
    vehicles = await asyncio.to_thread(_matching, vehicles, parameters, with_vin)
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
    rows = await fleet.of(shown_vehicles, grant, now) if few is None else [few[vehicle.id] for vehicle in shown_vehicles]
    data, path = list(map(_shown, rows)), f"{request.base}/fleet"
    body = encode(paging.listed(path, data, page, total, request.query, asOf=iso(now), states=counts))
    return packed_answer(request.header(b"accept-encoding"), body, request.request_id)


def _states(parameters: dict[str, str]) -> set[str]:
    states = {state.strip() for state in parameters[STATE].split(",")} if parameters.get(STATE) else set()
    unknown = states - set(STATES)
    if unknown:
        raise Problem(MALFORMED, f"{STATE}: {min(unknown)[:40]!r} is no state: use {', '.join(STATES)}.")
    return states


def _sort(parameters: dict[str, str]) -> str:
    sort = parameters.get(SORT, "name")
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
        ids = [vehicle.id for vehicle in vehicles[start : start + PORTION]]
        allowed = await access.permissions_on(grant, ids, None)
        found.update(vehicle_id for vehicle_id in ids if Permission.READ_VIN in allowed.get(vehicle_id, ()))
    return frozenset(found)


def _matching(vehicles: list[Vehicle], parameters: dict[str, str], with_vin: frozenset[str]) -> list[Vehicle]:
    """Return the vehicles with these ids and with all of these words in their names, or in a VIN that the caller may read."""
    ids, words = parameters.get(ID), parameters.get(TEXT, "").casefold().split()
    if ids is not None:
        selected_ids = set(ids.split(","))
        vehicles = [vehicle for vehicle in vehicles if vehicle.id in selected_ids]
    if not words:
        return vehicles
    texts = ((vehicle, _text(vehicle, vin=vehicle.vin if vehicle.id in with_vin else None)) for vehicle in vehicles)
    return [vehicle for vehicle, text in texts if all(word in text for word in words)]


def _text(vehicle: Vehicle, *, vin: str | None) -> str:
    names = (vehicle.make, vehicle.model, vehicle.year, vehicle.id, vin, *vehicle.aliases)
    return " ".join(str(name) for name in names if name is not None).casefold()


def _chosen(
    summaries: list[Summary], vehicles: list[Vehicle], states: set[str], sort: str
) -> tuple[Counter[str], list[Vehicle]]:
    """Return the number of these vehicles in each state, and those in one of `states`, sorted."""
    selected_ids = {vehicle.id for vehicle in vehicles}
    known = [summary for summary in summaries if summary.vehicle.id in selected_ids]
    counts = Counter(summary.state for summary in known)
    chosen = [summary for summary in known if summary.state in states] if states else known
    return counts, [summary.vehicle for summary in _sorted(chosen, sort)]


def _sorted(summaries: list[Summary], sort: str) -> list[Summary]:
    """Return the summaries in this order, those without a value last in either direction."""
    name, is_reverse = sort.removeprefix("-"), sort.startswith("-")
    if name == "name":
        return summaries[::-1] if is_reverse else summaries
    if name == "state":
        return sorted(summaries, key=lambda summary: STATES.index(summary.state), reverse=is_reverse)
    value = attrgetter(name)
    known = sorted((summary for summary in summaries if value(summary) is not None), key=value, reverse=is_reverse)
    return known + [summary for summary in summaries if value(summary) is None]


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
    """Return the members of a signal that an overview needs."""
    state, members = found.state, dict[str, Any]()
    if found.unavailability is not None:
        members["status"] = found.unavailability.reason
    if state.value is not None:
        members["body"] = msgspec.Raw(body_text(state.signal, state.value, permissions).encode())
    if state.observed_at is not None:
        members["at"] = iso(state.observed_at)
    until = stale_at(state)
    if until is not None:
        members["staleAt"] = iso(until)
    return members | {"source": shown(state.source or state.absence_source, state.rule)}
