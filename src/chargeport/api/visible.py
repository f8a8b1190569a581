"""The vehicles that a token shows, a few at a time: as many as there are, in memory a portion of them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from chargeport.api.request import Request
from chargeport.signals.definition import Permission
from chargeport.store.records import Vehicle, user_uuid_of

PORTION: Final = 100
AT_ONCE: Final = 20  # before others have their turn: the signals of so many take some milliseconds

Visible = tuple[Vehicle, frozenset[Permission]]
"""A vehicle, and what the caller may do with it."""


async def vehicles(request: Request, after: str = "", at_once: int = AT_ONCE) -> AsyncGenerator[list[Visible], None]:
    """Give the vehicles behind an id, by id, so many at a time or fewer; with `sc-user-id` those of that user.

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
        for start in range(0, len(found), at_once):
            await asyncio.sleep(0)
            few = found[start : start + at_once]
            allowed = await request.context.access.permissions_on(
                await request.grant(), [vehicle.id for vehicle in few], user_id
            )
            yield [(vehicle, allowed[vehicle.id]) for vehicle in few if vehicle.id in allowed]
        if len(found) < PORTION:
            return
        after = found[-1].id
