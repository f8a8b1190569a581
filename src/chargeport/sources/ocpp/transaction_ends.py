"""The ends of transactions that are not reported as they should be: before their begin, at no usable time, or not at all."""

from typing import Final

import msgspec

from chargeport.sources.ocpp.energy import SessionMeter
from chargeport.sources.ocpp.samples import instant
from chargeport.sources.ocpp.station import UNKNOWN_START_MS, Station, StationMessage
from chargeport.sources.ocpp.transactions import Transaction, record, with_end

TOGETHER_MS: Final = 60_000
"""A transaction that was received within this time had waited in a queue."""


def end_time(station: Station, transaction: Transaction | None, at: int) -> int:
    """Return the instant of an end; the time of receipt if it is before the start: then the clock was set in between."""
    started_at = None if transaction is None else transaction.started_at
    if started_at is None or at >= started_at:
        return at
    station.clock.floor_at = max(station.now(), started_at)
    return station.clock.floor_at


def without_time_limit(station: Station, transaction: Transaction, stamp: int | None, at: int) -> Transaction:
    """Return a transaction that ends with its energy unlimited by time, if its times are unusable.

    It waited as a whole and has no usable times, or it ended before it began.
    """
    started_at, received_at = transaction.started_at, station.now()
    if started_at is None:
        return transaction
    is_usable = any(station.clock.is_usable(each, received_at) for each in (stamp, instant(transaction.started)))
    is_reversed = stamp is not None and station.clock.at(stamp, received_at) < started_at
    if not is_reversed and (at - started_at > TOGETHER_MS or is_usable):
        return transaction
    meter = msgspec.structs.replace(transaction.meter, read_at=at - UNKNOWN_START_MS, other_wh=None)
    return msgspec.structs.replace(transaction, meter=meter)


async def end_replaced(station: Station, begun: Transaction) -> None:
    """End the transaction that a new one replaces at its connector, and emit it: its own end was lost.

    It ended at its last reading; just before the new start, if its power explains the register at that start.
    """
    before, start_wh, at = station.memory.open_at(begun.connector), begun.meter.start_wh, begun.started_at
    if before is None or at is None or (before.started_at or 0) >= at:
        return
    meter, ended_at = before.meter, before.meter.last_at
    if start_wh is not None and before.connector in station.memory.connectors:  # else it was unplugged meanwhile
        last, _ = meter.with_reading([start_wh], at - 1, is_named=True, may_count_from_begin=False)
        added_wh = (last.total_wh or 0) - (meter.total_wh or 0)
        if 0 < added_wh <= (meter.max_power_w or 0) * (at - (ended_at or at)) / 3_600_000:
            meter, ended_at = last, at - 1
    await _emit_lost_end(station, before, meter, ended_at)


async def end_unplugged(station: Station, connector: int, at: int) -> None:
    """Emit the open transaction of a connector that is free since an instant; its end, if it follows, takes the place of this.

    It ended at its last reading; a later reading shows that the report is an old one.
    """
    before = station.memory.open_at(connector)
    if before is not None and max(before.started_at or 0, before.meter.last_at or 0) < at:
        await _emit_lost_end(station, before, before.meter, before.meter.last_at)


async def _emit_lost_end(station: Station, before: Transaction, meter: SessionMeter, ended_at: int | None) -> None:
    """Emit a transaction whose end was not reported, if its energy is known."""
    if not meter.total_wh or ended_at is None:
        return
    ended = with_end(msgspec.structs.replace(station.with_start_time(before), meter=meter), ended_at)
    # Observed at the last reading: an end that is reported after all is later, and so takes its place.
    more = {"record": record(station.name, ended), "recorded_at": str(before.meter.last_at)}
    message = StationMessage(
        action="Heartbeat",
        payload=b"{}",
        vehicle=station.vehicle(before.connector, before.car),
        transaction=ended,
        energy=[(ended_at, meter.total_wh)],
        more=more,
    )
    await station.emit(message)
