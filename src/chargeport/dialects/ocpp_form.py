"""The messages of a charging station: which fields they have, and when each was measured. Text in 1.6, numbers in 2.x."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from chargeport.dialects.field_values import number
from chargeport.dialects.forms import at_ms, json_value, vehicle_of
from chargeport.dialects.instants import by_instant
from chargeport.dialects.table import Decoded, Dialect, Unreadable
from chargeport.sources.base import Delivery, RawMessage

METER_START: Final = "meterStart"
RECORD: Final = "record"

_DEFAULT: Final = "Energy.Active.Import.Register"
_PLACES: Final = ("Outlet", "Cable", "EV", "Inlet", "Body", "Upstream")  # where a meter sits; the first is believed most
_SECOND_MS: Final = 1000
_NO_CONNECTOR: Final = 0  # in 1.6 the station itself
_MAX_MULTIPLIER: Final = 12

_Told = tuple[int | None, str, Any]


def read(_: Dialect, delivery: Delivery) -> list[RawMessage]:
    """A call of a station, by its action: a message for each instant. Raises Unreadable; a call that is of no car is empty."""
    if refused := delivery.headers.get("error"):
        raise Unreadable(refused)
    content = json_value(delivery.payload)
    if not isinstance(content, dict):
        raise Unreadable("the payload of a call is an object")
    action = delivery.topic or _action(content)
    if action not in _ACTIONS:
        return []
    told = list(_ACTIONS[action](content, delivery))
    said_at = at_ms(content.get("timestamp")) or max((at for at, _, _ in told if at is not None), default=None)
    told = _in_order(told, said_at, delivery.observed_at)
    told += _of_headers(delivery, [at for at, field, _ in told if field == _DEFAULT])
    return by_instant(delivery, vehicle_of(delivery), told) if told else []


def _action(content: Mapping[str, Any]) -> str:
    """Which call a payload is of that comes without its name, as over HTTP."""
    marks = {
        "eventType": "TransactionEvent", "meterStop": "StopTransaction", "meterStart": "StartTransaction",
        "chargingNeeds": "NotifyEVChargingNeeds", "meterValue": "MeterValues", "status": "StatusNotification",
        "connectorStatus": "StatusNotification",
    }  # fmt: skip
    found = next((action for mark, action in marks.items() if mark in content), None)
    if found is None:
        raise Unreadable(f"this is none of the calls that say something of a car: {', '.join(sorted(set(marks.values())))}")
    return found


def _in_order(told: list[_Told], said_at: int | None, counts_at: int | None) -> list[_Told]:
    """What is of the call's own second counts when the transport says: after what was said before in the same second."""
    if said_at is None or counts_at is None or not said_at < counts_at < said_at + _SECOND_MS:
        return told
    return [(counts_at if at == said_at else at, field, content) for at, field, content in told]


def _of_headers(delivery: Delivery, registers: list[int | None]) -> Iterator[_Told]:
    """What the transport knows of the session: where its register began, and the whole of it once it is over."""
    if start := delivery.headers.get("meter_start_wh"):
        begun = {"value": number(start), "unit": "Wh"}
        yield from ((at, METER_START, begun) for at in registers)
    if whole := delivery.headers.get("record"):
        session = json_value(whole.encode())
        yield at_ms(session.get("endTime")), RECORD, session


def _status(content: Mapping[str, Any], _: Delivery) -> Iterator[_Told]:
    at = at_ms(content.get("timestamp"))
    if content.get("connectorId") == _NO_CONNECTOR:
        return
    yield at, "status", content.get("connectorStatus", content.get("status"))
    if content.get("connectorStatus") in ("Available", "Reserved"):
        yield at, "chargingState", "Idle"  # nobody is plugged in: no transaction has a state any more


def _started(content: Mapping[str, Any], _: Delivery) -> Iterator[_Told]:
    begun = {"value": number(content["meterStart"]), "unit": "Wh"}
    at = at_ms(content.get("timestamp"))
    yield at, METER_START, begun
    yield at, _DEFAULT, begun


def _stopped(content: Mapping[str, Any], _: Delivery) -> Iterator[_Told]:
    yield from _metered(content.get("transactionData"))
    at = at_ms(content.get("timestamp"))
    yield at, _DEFAULT, {"value": number(content["meterStop"]), "unit": "Wh"}


def _meter_values(content: Mapping[str, Any], _: Delivery) -> Iterator[_Told]:
    yield from _metered(content.get("meterValue"))


def _event(content: Mapping[str, Any], delivery: Delivery) -> Iterator[_Told]:
    at = at_ms(content.get("timestamp"))
    yield from _metered(content.get("meterValue"))
    kind, info = content.get("eventType"), content.get("transactionInfo") or {}
    state = info.get("chargingState")
    if kind == "Ended" and state != "Idle":
        state = "Ended"
    if state is not None:
        yield at, "chargingState", state
    if content.get("numberOfPhasesUsed"):
        yield at, "numberOfPhasesUsed", content["numberOfPhasesUsed"]
    if kind == "Started" and "meter_start_wh" not in delivery.headers:
        yield from _begun(content.get("meterValue"))


def _begun(values: Any) -> Iterator[_Told]:
    """The register with which a session begins."""
    for at, field, measured in _metered(values):
        if field == _DEFAULT:
            yield at, METER_START, measured
            return


def _needs(content: Mapping[str, Any], _: Delivery) -> Iterator[_Told]:
    """What the car asks of the station; its departure is one instant, no weekly timer."""
    needs = content["chargingNeeds"]
    at = at_ms(content.get("timestamp"))
    yield at, "requestedEnergyTransfer", needs.get("requestedEnergyTransfer")
    ac, dc = needs.get("acChargingParameters") or {}, needs.get("dcChargingParameters") or {}
    yield at, "evMaxCurrent", dc.get("evMaxCurrent", ac.get("evMaxCurrent"))
    yield at, "fullSoC", dc.get("fullSoC")
    yield at, "SoC", dc.get("stateOfCharge")


_ACTIONS: Final = {
    "StatusNotification": _status,
    "StartTransaction": _started,
    "StopTransaction": _stopped,
    "MeterValues": _meter_values,
    "TransactionEvent": _event,
    "NotifyEVChargingNeeds": _needs,
}


def _metered(values: Any) -> Iterator[_Told]:
    """What was sampled, at its instants; of meters at several places the one that is believed most."""
    if values is None:
        return
    if not isinstance(values, list):
        raise Unreadable("meterValue is a list")
    for each in values:
        at = at_ms(each.get("timestamp"))
        best: dict[str, int] = {}
        found: dict[str, Any] = {}
        for sample in each["sampledValue"]:
            field, rank = _field(sample), _rank(sample)
            if sample.get("format") == "SignedData" or rank > best.get(field, rank):
                continue
            best[field] = rank
            found[field] = _measured(sample)
        yield from ((at, field, content) for field, content in found.items())


def _field(sample: Mapping[str, Any]) -> str:
    """The measurand with its phase. Voltages name both lines; a current or power `L1-N` is that of L1."""
    measurand, phase = sample.get("measurand") or _DEFAULT, sample.get("phase")
    if not phase:
        return str(measurand)
    if measurand == "Voltage":
        return f"Voltage.{phase}-N" if phase in ("L1", "L2", "L3") else f"Voltage.{phase}"
    return f"{measurand}.{str(phase).removesuffix('-N')}"


def _rank(sample: Mapping[str, Any]) -> int:
    place = sample.get("location") or _PLACES[0]
    return _PLACES.index(place) if place in _PLACES else len(_PLACES)


def _measured(sample: Mapping[str, Any]) -> Any:
    """A sample's value with its unit, times the power of ten that 2.x has beside it."""
    unit = sample.get("unitOfMeasure") or {}
    multiplier = unit.get("multiplier") or 0
    if not isinstance(multiplier, int) or abs(multiplier) > _MAX_MULTIPLIER:
        raise Unreadable(f"multiplier: {str(multiplier)[:20]} is no power of ten to work with")
    content = sample["value"]
    if multiplier:
        content = round(number(content) * 10.0**multiplier, 6)
    name = unit.get("unit") or sample.get("unit")
    return {"value": content} if name is None else {"value": content, "unit": name}


def record(session: Any) -> Decoded:
    """The session as the transport saw it, as a record. Energy is the meter's: on the grid's side."""
    found = {
        "id": f"ocpp-{session['transaction']}",
        "startTime": session.get("startTime"),
        "endTime": session.get("endTime"),
    }
    if "meterStart" in session and "meterStop" in session:
        found["energyAdded"] = round((number(session["meterStop"]) - number(session["meterStart"])) / 1000, 6)
    return {"values": [found]}
