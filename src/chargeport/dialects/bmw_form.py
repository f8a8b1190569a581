"""The forms of BMW CarData: messages of the stream, containers, the charging history and the settings by place."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from chargeport.dialects.amounts import amount
from chargeport.dialects.forms import at_ms, items, message, vehicle_of
from chargeport.dialects.instants import by_instant
from chargeport.dialects.table import DC_ABOVE_W, Decoded, Dialect, Unreadable
from chargeport.signals.documents import MAX_ENTRIES
from chargeport.sources.base import Delivery, RawMessage

HISTORY: Final = "chargingHistory"
SETTINGS: Final = "locationBasedChargingSettings"

_NOTHING: Final = frozenset({"-na-", "signal_invalid", "asn_isunknown", "not_available"})
_TRUTHS: Final = {"asn_istrue": "true", "asn_isfalse": "false"}


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read a message, a container, the history or the settings; each descriptor has its own timestamp. Raises Unreadable."""
    named = next((found.vehicle for each in dialect.topics if (found := each.match(delivery.topic))), None)
    return [each for item in items(delivery.payload) for each in _item(delivery, item, named)]


def _item(delivery: Delivery, item: Any, named: str | None) -> list[RawMessage]:
    if not isinstance(item, dict):
        raise Unreadable("an object is wanted: a message of the stream, a container, or the charging history")
    vehicle = vehicle_of(delivery, item.get("vin") or named)
    content = item.get("telematicData", item.get("data"))
    if isinstance(content, list):
        return [message(delivery, vehicle, {_list_name(content): content}, _newest(content))]
    if content is None:
        content = {name: member for name, member in item.items() if name.startswith("vehicle.")}
    if not isinstance(content, dict) or (not content and "data" not in item and "telematicData" not in item):
        raise Unreadable("there is neither data nor telematicData")
    reported = ((_at(item, member), name, _measured(member)) for name, member in content.items())
    return by_instant(delivery, vehicle, reported)


def _list_name(content: list[Any]) -> str:
    is_history = all(isinstance(part, dict) and "startTime" in part for part in content)
    return HISTORY if is_history else SETTINGS


def _newest(content: list[Any]) -> int | None:
    """Return when the last session ended, or the last setting was changed; None where neither is known."""
    instants = [at_ms(part.get("endTime", part.get("lastUpdated"))) for part in content if isinstance(part, dict)]
    return max((at for at in instants if at), default=None)


def _at(item: Mapping[str, Any], content: Any) -> int | None:
    own = content.get("timestamp") if isinstance(content, dict) else None
    return at_ms(own or item.get("timestamp"))


def _measured(content: Any) -> Any:
    """Return a descriptor's value with its unit; texts for "not known" become None."""
    if not isinstance(content, dict) or "value" not in content:
        return content
    found, unit = content["value"], content.get("unit")
    if isinstance(found, str):
        small = found.strip().casefold()
        found = None if small in _NOTHING else _TRUTHS.get(small, found)
    return {"value": found, "unit": unit} if unit else {"value": found}


def records(sessions: Any) -> Decoded:
    """Return sessions that have ended, as records. Energy is the grid's."""
    ended = [session for session in sessions if session.get("startTime") and session.get("endTime")]
    newest = sorted(ended, key=lambda session: float(session["endTime"]))[-MAX_ENTRIES:]
    return {"values": [dict(_record(session)) for session in newest if session["endTime"] > session["startTime"]]}


def _record(session: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "id", f"bmw-{session['startTime']}"
    yield "startTime", _iso(session["startTime"])
    yield "endTime", _iso(session["endTime"])
    yield "startStateOfCharge", session.get("displayedStartSoc")
    yield "endStateOfCharge", session.get("displayedSoc")
    yield "energyAdded", session.get("energyConsumedFromPowerGridKwh")
    if public := session.get("publicChargingPoint"):
        yield "isPublicCharger", bool(public.get("potentialChargingPointMatches"))
    powers = [
        amount(block["averagePowerGridKw"]) for block in session.get("chargingBlocks") or () if "averagePowerGridKw" in block
    ]
    if powers:
        yield "chargingType", "DC" if max(powers) * 1000 > DC_ABOVE_W else "AC"
    cost = session.get("chargingCostInformation") or {}
    if cost.get("calculatedChargingCost") is not None:
        yield "cost", {"currency": cost.get("currency"), "energyAmount": cost["calculatedChargingCost"]}
    if place := _place(session.get("chargingLocation") or {}):
        yield "location", place


def _place(location: Mapping[str, Any]) -> dict[str, Any]:
    found = {"address": location.get("formattedAddress")}
    latitude, longitude = location.get("mapMatchedLatitude"), location.get("mapMatchedLongitude")
    if latitude is not None and longitude is not None:
        found |= {"latitude": latitude, "longitude": longitude}
    return {name: each for name, each in found.items() if each}


def _iso(seconds: Any) -> str:
    at = at_ms(seconds)
    if at is None:
        raise ValueError("a session has no time")
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")


def timers(settings: Any) -> Decoded:
    """Return the windows in which charging may run, by place and in the car's local time."""
    values = []
    for setting in settings:
        windows = [_window(window) for window in setting.get("chargingTimeWindows") or ()]
        if windows and setting.get("latitude") is not None:
            place = {"latitude": setting["latitude"], "longitude": setting.get("longitude")}
            values.append({"type": "LOCATION", "condition": place, "schedules": windows})
    return {"values": values}


def _window(window: Mapping[str, Any]) -> dict[str, str]:
    return {
        edge: f"{int(window[f'{name}ChargingTimePeriodHour']):02}:{int(window[f'{name}ChargingTimePeriodMinute']):02}:00"
        for edge, name in (("start", "start"), ("end", "stop"))
    }
