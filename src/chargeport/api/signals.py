"""The signal reads as ordinary routes: what the lane leaves, such as queries, answered by the same function; and history."""

from chargeport.api.answer import Answer
from chargeport.api.call import Call
from chargeport.api.history import Asked, document, page_of
from chargeport.api.reads import Ask, conditional
from chargeport.api.vehicles import permissions
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.held import recorded


async def read_signals(call: Call) -> Answer:
    """All signals of a vehicle that have a value or a known error, sorted by code."""
    return await call.deps.reads.answer(_ask(call, None))


async def read_signal(call: Call) -> Answer:
    """One signal of a vehicle."""
    return await call.deps.reads.answer(_ask(call, call.path("code")))


async def read_values(call: Call) -> Answer:
    """A page of a signal's history."""
    allowed = await permissions(call)
    ask = _ask(call, call.path("code"))
    found, state = await call.deps.reads.known(ask, allowed)
    signal = recorded({**found.states, state.signal.key: state}, BY_CODE[state.signal.code])
    asked = Asked.of(call.query)
    page = await page_of(call.deps.store, ask.vehicle_id, signal, asked, allowed=allowed, now=call.deps.clock.now())
    path = f"{call.base}/v3/vehicles/{ask.vehicle_id}/signals/{signal.code}/values"
    return conditional(document(page, signal, asked, path, call.query).encode(), ask)


def _ask(call: Call, code: str | None) -> Ask:
    return Ask(
        vehicle_id=call.path("vehicle_id"),
        code=code,
        base=call.base,
        request_id=call.request_id,
        authorization=call.header(b"authorization"),
        user_id=call.header(b"sc-user-id"),
        if_none_match=call.header(b"if-none-match"),
        query=call.query,
    )
