"""The forms of Tesla's REST names: vehicle_data, a bare charge_state, Tessie's and Teslemetry's answers, TeslaFi's rows."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chargeport.dialects.forms import at_ms, bounded, items, message, vehicle_of
from chargeport.dialects.table import Dialect, Unreadable
from chargeport.sources.base import Delivery, RawMessage

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZONES: Final = (timedelta(hours=-12), timedelta(hours=14))  # of the Earth, behind and ahead of UTC


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Return one message for each car of a delivery. Raises Unreadable, ValueError or TypeError."""
    return [_message(dialect, delivery, car) for item in _items(delivery.payload) for car in _cars(item)]


def _items(payload: bytes) -> list[Any]:
    """Return the objects of a body: JSON, or the rows of a table as TeslaFi exports it. Raises Unreadable."""
    first = payload.lstrip(b"\xef\xbb\xbf \r\n\t")
    if first[:1] in (b"{", b"[") or b"," not in first.partition(b"\n")[0]:
        return items(payload)
    rows = csv.reader(io.StringIO(first.decode()), strict=True)
    try:
        names = next(rows)
        found = [dict(zip(names, cells, strict=False)) for cells in bounded(rows) if cells]
    except csv.Error as error:
        raise Unreadable(f"this is neither JSON nor a table with commas: {error}") from None
    if not found or "charging_state" not in names:
        raise Unreadable("this is neither JSON nor a table of TeslaFi: it has no column charging_state")
    return list(found)


def _cars(item: Any) -> list[dict[str, Any]]:
    """Return the cars in an answer, which may be wrapped as `response`, or listed as `results` with their `last_state`."""
    if not isinstance(item, dict):
        raise Unreadable(f"{item!r:.40}: an object is wanted: vehicle_data or charge_state")
    if "response" in item and item["response"] is None:
        raise Unreadable(f"Tesla answered with no data: {item.get('error') or 'no reason is given'}"[:300])
    for wrapper in ("response", "results"):
        if wrapper in item:
            inner = item[wrapper]
            beside = {name: value for name, value in item.items() if name == "vin"}
            return [beside | car for each in (inner if isinstance(inner, list) else [inner]) for car in _cars(each)]
    state = item.get("last_state")
    return [{"vin": item.get("vin")} | state] if isinstance(state, dict) else [item]


def _message(dialect: Dialect, delivery: Delivery, car: dict[str, Any]) -> RawMessage:
    """Return the charge state's members and, by their names, the other parts, as one message.

    A whole charge state means that the fields it does not have are not known now.
    """
    fields = {name: value for name, value in car.items() if name not in ("charge_state", "timestamp", "Date", "vin")}
    charge, setup = car.get("charge_state"), car.get("vehicle_config")
    if isinstance(charge, dict):
        fields |= charge
    if isinstance(drive := car.get("drive_state"), dict):
        fields |= {name: drive[name] for name in ("latitude", "longitude") if name in drive}
    if isinstance(setup, dict) and "charge_port_type" in setup:
        fields["charge_port_type"] = setup["charge_port_type"]
    if "charging_state" in fields:
        fields = dict.fromkeys(sorted(dialect.remembered)) | fields
    stamp = fields.pop("timestamp", car.get("timestamp"))
    at = at_ms(stamp) if stamp not in (None, "") else _local_at(car.get("Date"), delivery)
    return message(delivery, vehicle_of(delivery, car.get("vin")), fields, at)


def _local_at(date: Any, delivery: Delivery) -> int | None:
    """Return the instant of TeslaFi's Date; None where it may be now, because it is a local time without its zone.

    Raises Unreadable for one that can't be now: its instant is not known.
    """
    if not isinstance(date, str) or not date.strip() or delivery.observed_at is not None:
        return None
    try:
        read_at = datetime.fromisoformat(date.strip())
    except ValueError:
        raise Unreadable(f"Date is {date!r:.40}: write 2026-05-01 09:59:58+02:00") from None
    if read_at.tzinfo is not None:
        return at_ms(date.strip())
    received = _EPOCH + timedelta(milliseconds=delivery.received_at)
    if _ZONES[0] <= read_at.replace(tzinfo=UTC) - received <= _ZONES[1]:
        return None
    raise Unreadable(f"Date is {date!r:.40}, long ago and without a zone: write it with one, as 2026-05-01 09:59:58+02:00")
