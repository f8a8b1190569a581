"""The vehicles that a token shows, one after the other: as many as there are, in memory a portion of them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from chargeport.api.request import Request
from chargeport.errors import VEHICLE_NOT_FOUND, Problem
from chargeport.signals.definition import Permission
from chargeport.store.records import Vehicle, user_uuid_of

PORTION: Final = 100
AT_ONCE: Final = 10  # before others have their turn


async def vehicles(request: Request, after: str = "") -> AsyncGenerator[tuple[Vehicle, frozenset[Permission]], None]:
    """Give the vehicles behind an id, by id, each with what the caller may do with it; with `sc-user-id` those of that user.

    Others have their turn meanwhile. Raises Problem (401).
    """
    grant, user_id, store = await request.grant(), request.user_id, request.context.store
    of_user = None if user_id is None else user_uuid_of(user_id)
    is_own = of_user in (None, user_uuid_of(grant.client_id))
    while True:
        found = await store.vehicles.vehicles_after(
            after,
            PORTION,
            connected_to=grant.client_id if grant.connected_only or not is_own else None,
            user_uuid=grant.user_uuid if is_own else of_user,
            not_ended_by=grant.client_id if grant.has_ended else None,
        )
        for index, vehicle in enumerate(found):
            if index % AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                yield vehicle, await request.context.access.permissions(grant, vehicle.id, user_id)
            except Problem as problem:
                if problem.kind is not VEHICLE_NOT_FOUND:
                    raise
        if len(found) < PORTION:
            return
        after = found[-1].id
