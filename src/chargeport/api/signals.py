"""The signal reads as ordinary routes: what the lane leaves, such as queries, answered by the same function."""

from chargeport.api.answer import Answer
from chargeport.api.call import Call
from chargeport.api.reads import Ask


async def read_signals(call: Call) -> Answer:
    """All signals of a vehicle that have a value or a known error, sorted by code."""
    return await call.deps.reads.answer(_ask(call, None))


async def read_signal(call: Call) -> Answer:
    """One signal of a vehicle."""
    return await call.deps.reads.answer(_ask(call, call.path("code")))


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
