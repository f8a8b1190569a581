"""The two signal reads: one function each computes status, headers and body, both for the fast path and for the router."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec
import xxhash

from chargeport.api import paging, signal_filters
from chargeport.api.access import Access
from chargeport.api.instants import AT, requested_at
from chargeport.api.plain_reads import PlainReads
from chargeport.api.rate_limits import Allowance
from chargeport.api.response import Response, answer
from chargeport.api.signal_filters import MAX_SOURCE, SOURCE, Selection, selected
from chargeport.clock import Clock
from chargeport.derivation.provenance import PROVENANCE
from chargeport.errors import MISSING_PARAMETER, PERMISSION, SIGNAL_NOT_FOUND, VEHICLE_NOT_FOUND, Problem
from chargeport.signals.catalogue import BY_CODE, VIN
from chargeport.signals.definition import Permission, Signal
from chargeport.signals.effective import Effective, effective, effective_of
from chargeport.signals.ranks import of_source
from chargeport.simulation.faults import Faults
from chargeport.store.immediate import Immediate
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle, VehicleSeries
from chargeport.wire.envelope import View, iso, listed

_NO_USER: Final = "The header sc-user-id is missing: name a user of the application, as GET /v3/connections lists them."


class ReadRequest(msgspec.Struct, frozen=True):
    """The data of a request that a read needs."""

    vehicle_id: str
    code: str | None
    base: str
    request_id: str
    authorization: bytes | None
    user_id: bytes | None = None
    if_none_match: bytes | None = None
    query: tuple[tuple[str, str], ...] = ()


class Reads:
    """Answer reads of signals from the store."""

    def __init__(
        self, store: Store, access: Access, clock: Clock, *, strict: bool = False, faults: Faults | None = None
    ) -> None:
        self._store = store
        self._access = access
        self._requests = access.counts.requests
        self._clock = clock
        self._faults = faults  # of a simulator
        self._strict = strict  # as Smartcar: a read has to name a user
        immediate = store.readings if isinstance(store.readings, Immediate) else None
        self.are_immediate = immediate is not None and faults is None  # which may delay an answer
        self.have_to_wait = immediate is None and faults is None
        self._plain = None if strict or immediate is None else PlainReads(immediate, self.chosen)

    async def answer(self, read: ReadRequest, allowance: Allowance | None = None) -> Response:
        """Return the answer to a read of one signal or of all. Raises Problem.

        With `allowance` the request counts against its application's limit; without it, it was counted before.
        """
        now = self._clock.now()
        grant = self._access.remembered(read.authorization, now) or await self._access.grant(read.authorization)
        if allowance is not None:
            self._requests[grant.client_id] += 1
            allowance.take(grant.client_id)
        self.check_user(read.user_id)
        if read.user_id is None and grant.sees_all:
            permissions = grant.permissions
        else:
            user_id = None if read.user_id is None else read.user_id.decode("latin-1")
            permissions = await self._access.permissions(grant, read.vehicle_id, user_id)
        if self._faults is not None:
            async with self._faults.met(read.vehicle_id, read.code):
                return conditional((await self._document(read, permissions, now)).encode(), read)
        return conditional((await self._document(read, permissions, now)).encode(), read)

    def usual(self, vehicle_id: str, signal: Signal | None, base: str, authorization: bytes | None) -> bytes | None:
        """Return the body of the most frequent reads; None for other reads and for errors: see `answer`.

        They read the present values of one signal or all (None), for an application that sees every vehicle and whose token
        is cached, from a store that answers without waiting.
        """
        plain = self._plain
        if plain is None:
            return None
        now = self._clock.now()
        grant = self._access.remembered(authorization, now)
        if grant is None or grant.connected_only or grant.has_ended:
            return None
        found = (
            plain.every(vehicle_id, grant.permissions, base, now)
            if signal is None
            else plain.one(vehicle_id, signal, grant.permissions, base, now)
        )
        if found is None:
            return None
        self._requests[grant.client_id] += 1
        return found.encode()

    async def document(self, read: ReadRequest, permissions: frozenset[Permission]) -> str:
        """Return only the body, for a reader with these permissions. Raises Problem."""
        return await self._document(read, permissions, self._clock.now())

    async def _document(self, read: ReadRequest, permissions: frozenset[Permission], now: int) -> str:
        at = requested_at(read.query, now) if read.query else None
        if read.code is None:
            return await self._all(read, permissions, at, now)
        vehicle, found = await self._known(read, permissions, at, now)
        return View(vehicle, permissions, read.base, PROVENANCE).single(found)

    async def known(self, read: ReadRequest, permissions: frozenset[Permission]) -> tuple[Vehicle, Effective]:
        """Return the vehicle and the effective state of the requested signal. Raises Problem (403, 404)."""
        return await self._known(read, permissions, None, self._clock.now())

    async def _known(
        self, read: ReadRequest, permissions: frozenset[Permission], at: int | None, now: int
    ) -> tuple[Vehicle, Effective]:
        code = read.code or ""
        signal = BY_CODE.get(code)
        if signal is None:
            await self.vehicle(read.vehicle_id)
            raise Problem(SIGNAL_NOT_FOUND, f"{code[:80]!r} is no signal of this server: /docs lists the codes.")
        found = await (
            self._store.readings.signal(read.vehicle_id, signal)
            if at is None
            else self._store.history.series_at(read.vehicle_id, at)
        )
        if found is None:
            raise _no_vehicle()
        if signal.permission not in permissions:
            raise Problem(PERMISSION, f"Reading {code} needs the permission {signal.permission}.")
        source = signal_filters.source(read.query) if read.query else None
        series = found.known_of(signal) if source is None else of_source(found.series, source)
        counts = effective(signal, series, self._store.readings.ranks, now if at is None else at)
        if counts is None:
            raise Problem(SIGNAL_NOT_FOUND, _never(code, at, source))
        return found.vehicle, counts

    async def _all(self, read: ReadRequest, permissions: frozenset[Permission], at: int | None, now: int) -> str:
        found = await (
            self._store.readings.signals(read.vehicle_id) if at is None else self._store.history.series_at(read.vehicle_id, at)
        )
        if found is None:
            raise _no_vehicle()
        chosen = self.chosen(found, selected(read.query), permissions, now if at is None else at)
        view = View(found.vehicle, permissions, read.base, PROVENANCE)
        path = f"{read.base}/v3/vehicles/{read.vehicle_id}/signals"
        page = paging.requested_page(read.query, default_size=max(len(chosen), 1), max_size=paging.MAX_SIZE)
        shown = chosen[page.offset : page.offset + page.size]
        if paging.names_page(read.query):
            meta, links = paging.meta(page, len(chosen)), paging.links(path, page, len(chosen), read.query)
        else:
            meta, links = paging.single_page(len(chosen)), {"self": path + _of_then(read.query, at)}
        elements = self.elements(view, read.vehicle_id, shown)
        return listed(elements, paging.text(meta), paging.text(links), found.vehicle, read.base)

    def chosen(
        self, found: VehicleSeries, selection: Selection, permissions: frozenset[Permission], at: int
    ) -> list[Effective]:
        """Return the effective states of the selected signals at an instant, by code."""
        series = found.known if selection.source is None else of_source(found.series, selection.source)
        counts = effective_of(selection.signals, series, self._store.readings.ranks, at)
        if found.vehicle.vin is None or VIN.permission in permissions:
            return counts
        return [each for each in counts if each.state.source is not None]  # facts, for readers with the permission

    def elements(self, view: View, vehicle_id: str, found: Sequence[Effective]) -> list[str]:
        """Return signals as elements of a list."""
        if self._faults is None:
            return view.elements(found)
        faults = (self._faults.of_element(vehicle_id, each.state.signal.code) for each in found)
        return [view.element(each, fault) for each, fault in zip(found, faults, strict=True)]

    def check_user(self, user_id: str | bytes | None) -> None:
        """Reject a read without a user if the settings require one. Raises Problem (400)."""
        if self._strict and not user_id:
            raise Problem(MISSING_PARAMETER, _NO_USER)

    async def vehicle(self, vehicle_id: str) -> Vehicle:
        """Return the vehicle. Raises Problem (404)."""
        vehicle = await self._store.vehicles.vehicle(vehicle_id)
        if vehicle is None:
            raise _no_vehicle()
        return vehicle


def conditional(body: bytes, read: ReadRequest) -> Response:
    """Return the body with its ETag; without the body if the client has it already."""
    tag = etag(body)
    if read.if_none_match is not None and _matches(read.if_none_match, tag):
        return answer(304, b"", read.request_id, (b"etag", tag))
    return answer(200, body, read.request_id, (b"etag", tag))


def etag(body: bytes) -> bytes:
    """Return the ETag of a body."""
    return b'"%b"' % xxhash.xxh3_128_hexdigest(body).encode()


def _matches(wanted: bytes, tag: bytes) -> bool:
    """Return whether If-None-Match names the tag (RFC 9110, 13.1.2: compared weakly)."""
    tags = [each.strip().removeprefix(b"W/") for each in wanted.split(b",")]
    return tag in tags or tags == [b"*"]


def _of_then(query: paging.Query, at: int | None) -> str:
    """Return the part of a link with the requested instant and source."""
    source = dict(query).get(SOURCE)
    asked = [] if at is None else [f"{AT}={at}"]
    asked += [] if source is None else [f"{SOURCE}={quote(source)}"]
    return "?" * bool(asked) + "&".join(asked)


def _never(code: str, at: int | None, source: str | None) -> str:
    if source is not None:
        return f"{code} was not known from the source {source[:MAX_SOURCE]!r}: coverage lists who reports what."
    if at is None:
        return f"{code} was never reported for this vehicle: no source has sent it yet."
    return (
        f"{code} was not known for this vehicle at {iso(at)}: it had not been reported, or only hours are kept of that time"
        f" (values?resolution=PT1H). Ask for a later time, or without {AT} for now."
    )


def _no_vehicle() -> Problem:
    return Problem(VEHICLE_NOT_FOUND, "No vehicle with this id is known to this server.")
