"""The messages of a charging station: their fields, and the instants of these. Values are texts in 1.6, numbers in 2.x.

The transport adds headers: the offset of the station's clock, when the transaction began, the energy at instants, and the
whole transaction once it has ended.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from chargeport.dialects.field_values import number
from chargeport.dialects.forms import at_ms, json_value, vehicle_of
from chargeport.dialects.instants import by_instant
from chargeport.dialects.table import Decoded, Dialect, Unreadable
from chargeport.sources.base import Delivery, RawMessage
from chargeport.sources.ocpp.clock import StationClock
from chargeport.sources.ocpp.sampled_values import EXPORT, PAIRS, PHASES, REGISTER, Sample
from chargeport.sources.ocpp.samples import Reading, entries, instant, readings

METER_START: Final = "meterStart"
ENERGY: Final = "energy"
RECORD: Final = "record"
METER: Final = "registerWh"
"""The register of the meter at the begin and at the end of a transaction."""
UNREADABLE: Final = "unreadable"

_SECOND_MS: Final = 1_000
_BEGIN_MS: Final = 60_000  # a sample of the transaction's begin that is later than this repeats the state at the begin
_NO_CONNECTOR: Final = 0  # in 1.6 the station itself
_FREE: Final = ("available", "reserved")
_PLUGGED: Final = "preparing"
_CONNECTED: Final = "EVConnected"
_CHANGED: Final = "ChargingStateChanged"
UNAVAILABLE: Final = "unavailable"
OUT_OF_SERVICE: Final = "outofservice"
"""The field of an unavailable connector: the value "unavailable" itself means no value in any dialect."""
_LINES: Final = (*PHASES, *PAIRS, "N")


def _by_line(*measurands: str) -> frozenset[str]:
    return frozenset(field for each in measurands for field in (each, *(f"{each}.{line}" for line in _LINES)))


CURRENT: Final = "current"
POWER: Final = "power"
VOLTAGE: Final = "voltage"
FLOW: Final = "flow"
IN: Final = "in"
CHARGES: Final = "charges"
"""So much power flows into the car that it charges, though the station reports a suspended transaction, or no status at all."""
OUT: Final = "out"

_KINDS: Final = {
    **dict.fromkeys(_by_line("Current.Import", "Current.Export"), CURRENT),
    **dict.fromkeys(_by_line("Power.Active.Import", "Power.Active.Export"), POWER),
    **dict.fromkeys(("Voltage", *(f"Voltage.{line}" for line in PAIRS), *(f"Voltage.{each}-N" for each in PHASES)), VOLTAGE),
    "Voltage.N": VOLTAGE,
}
"""Samples of one reading, by the field that they are parts of: a part that a reading omits no longer has a value."""
_SPLIT_BELOW_V: Final = 300  # between two lines: three phases have 380 V and more there, a single circuit 208 to 240 V
_HALF_BELOW_V: Final = 150  # from line to neutral, where cars are connected between two lines
_ONE_LINE: Final = 1.5  # a power above this multiple of a line's flows on several lines: two meters differ by less
_NOISE_W: Final = 100  # below, no power flows: a station's own consumption and rounding of its meter
_NOISE_A: Final = 0.5
_CHARGES_W: Final = 600  # no car charges with less than 6 A at 120 V
_CHARGES_A: Final = 4
_SUSPENDED_MS: Final = 10_000  # a sample that follows sooner may be an average, or of before
_SUSPENDED: Final = ("suspendedev", "suspendedevse")

_FieldAt = tuple[int | None, str, Any]


def read(_: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read a call of a station, by its action: a message for each instant; none for a call without a car. Raises Unreadable."""
    if refused := delivery.headers.get("error"):
        station = delivery.headers.get("station")
        raise Unreadable(f"station {station}: {refused}" if station else refused)
    content = json_value(delivery.payload)
    if not isinstance(content, dict):
        raise Unreadable("the payload of a call is an object")
    action = delivery.topic or _action(content)
    if action not in _ACTIONS:
        return []
    fields_at = list(_ACTIONS[action](content, _Call(delivery)))
    fields_at += _of_headers(delivery)
    return by_instant(delivery, vehicle_of(delivery), fields_at) if fields_at else []


def _action(content: Mapping[str, Any]) -> str:
    """Return the action of a payload without its name, as over HTTP. Raises Unreadable where it is unknown."""
    marks = {
        "eventType": "TransactionEvent", "meterStop": "StopTransaction", "meterStart": "StartTransaction",
        "chargingNeeds": "NotifyEVChargingNeeds", "meterValue": "MeterValues", "status": "StatusNotification",
        "connectorStatus": "StatusNotification",
    }  # fmt: skip
    found = next((action for mark, action in marks.items() if mark in content), None)
    if found is None:
        raise Unreadable(f"this is none of the calls that concern a car: {', '.join(sorted(set(marks.values())))}")
    return found


class _Call:
    """A call with the data of its transport: instants by our clock, and samples as fields."""

    def __init__(self, delivery: Delivery) -> None:
        headers = delivery.headers
        self.delivery = delivery
        self.headers = headers
        self.is_of_station = "station" in headers
        """Whether the OCPP source of this server tracks the transactions; else only the payloads describe them."""
        self._is_over = self.is_of_station and headers.get("ocpp") == "1.6" and "transaction" not in headers
        """Whether there is no transaction: the last sample of one may come after its end."""
        self._clock = StationClock(int(headers.get("clock_offset_ms", 0)), int(headers.get("clock_floor_at", 0)))
        self._suspended_at = int(headers["suspended_at"]) if "suspended_at" in headers else None
        self._started_at = int(headers["started_at"]) if "started_at" in headers else None

    def at(self, stamp: object) -> int | None:
        """Return an instant by our clock; None without one: then the instant of the delivery counts."""
        found = instant(stamp)
        return None if found is None else self._clock.at(found, self.delivery.received_at)

    def own_at(self, stamp: object) -> int | None:
        """Return the instant of the call itself: as counted by the transport, after earlier calls of the same second."""
        if "own_at" in self.headers:  # its timestamp can't be right
            return int(self.headers["own_at"])
        at, counts_at = self.at(stamp), self.delivery.observed_at
        return counts_at if at is not None and counts_at is not None and at < counts_at < at + _SECOND_MS else at

    def measured(self, values: object) -> Iterator[_FieldAt]:
        """Yield what was sampled, at its instants. Raises Unreadable."""
        if values is None:
            return
        if not isinstance(values, list | dict):
            raise Unreadable("meterValue is a list")
        found = readings([*json_value(self.headers.get("earlier", "[]").encode()), *entries(values)])
        last_at = max((self.at(reading.stamp) or 0 for reading in found), default=0)
        for each in found:
            reading = each.imported() if "misnamed" in self.headers else each
            at = self.at(reading.stamp)
            at = self.own_at(reading.stamp) if at == last_at else at
            yield from ((at, field, content) for field, content in self._fields(reading, at).items())

    def _fields(self, reading: Reading, at: int | None) -> dict[str, Any]:
        samples = dict(reading.current)
        if self._started_at is None or at is None or at <= self._started_at + _BEGIN_MS:
            samples = {**reading.begin, **samples}
        samples = _as_unphased(_as_circuit(samples))
        fields: dict[str, Any] = {}
        for name, sample in samples.items():
            kind = _KINDS.get(name)
            if kind is not None:
                fields.setdefault(kind, {})[name] = _content(sample)
            elif not (self.is_of_station and name.startswith(REGISTER)):  # the transport determines which are the transaction's
                fields[name] = _content(sample)
        if CURRENT in fields or POWER in fields or (self.is_of_station and any(each.startswith(EXPORT) for each in samples)):
            flow = _flow(samples, gives="gives" in self.headers)
            fields[FLOW] = self._inflow(samples, at) if flow == IN else flow
        if not self.is_of_station and REGISTER not in fields and (register_wh := reading.register_wh()):
            fields[REGISTER] = _wh(register_wh[0])
        if reading.unreadable:
            fields[UNREADABLE] = "; ".join(reading.unreadable)
        return fields

    def _inflow(self, samples: Mapping[str, Sample], at: int | None) -> str | None:
        """Return how much flows into the car: nothing that counts after the end of its transaction."""
        if self._is_over:
            return None
        is_suspended = self._suspended_at is not None and at is not None and at - self._suspended_at >= _SUSPENDED_MS
        if not is_suspended and "unreported" not in self.headers:
            return IN
        power_w, amps = (_sum(samples, f"{name}.Import") for name in ("Power.Active", "Current"))
        charges = power_w >= _CHARGES_W if power_w is not None else (amps or 0) >= _CHARGES_A
        return CHARGES if charges else IN


def _as_circuit(samples: dict[str, Sample]) -> dict[str, Sample]:
    """Return the samples with a circuit between two lines as one: a current on both, and 208 to 240 V between them.

    So cars charge in North America, and in networks without a neutral, where all pairs of lines have 230 V.
    """
    pairs = [pair for pair in PAIRS if f"Voltage.{pair}" in samples]
    if any(samples[f"Voltage.{pair}"].value >= _SPLIT_BELOW_V for pair in pairs):
        return samples
    if len(pairs) > 1:
        loaded = {line for line in PHASES if (amps := samples.get(f"Current.Import.{line}")) and amps.value > _NOISE_A}
        pairs = [pair for pair in pairs if set(pair.split("-")) == loaded]
    if len(pairs) != 1:
        return samples
    to_neutral = [samples[field] for phase in PHASES if (field := f"Voltage.{phase}-N") in samples]
    lines = pairs[0].split("-")
    (other,) = set(PHASES) - set(lines)
    third = samples.get(f"Current.Import.{other}")
    if any(each.value >= _HALF_BELOW_V for each in to_neutral) or (third is not None and third.value > _NOISE_A):
        return samples
    found = {field: sample for field, sample in samples.items() if not field.startswith("Voltage.")}
    found["Voltage"] = samples[f"Voltage.{pairs[0]}"]
    currents = [found.pop(field) for line in PHASES if (field := f"Current.Import.{line}") in found]
    if currents:
        found[f"Current.Import.{pairs[0]}"] = max(currents, key=lambda each: each.value)
    return found


def _as_unphased(samples: dict[str, Sample]) -> dict[str, Sample]:
    """Return the samples with the current of a single phase as one without, if that phase can't carry the sampled power."""
    lines = [line for line in PHASES if f"Current.Import.{line}" in samples]
    power_w = _sum(samples, "Power.Active.Import")
    if len(lines) != 1 or "Current.Import" in samples or power_w is None:
        return samples
    field = f"Current.Import.{lines[0]}"
    volts = samples.get(f"Voltage.{lines[0]}-N")
    line_w = (_sum(samples, field) or 0) * (volts.value if volts and volts.value < _SPLIT_BELOW_V else _SPLIT_BELOW_V)
    if power_w <= _ONE_LINE * max(line_w, _NOISE_W):
        return samples
    return {"Current.Import" if name == field else name: sample for name, sample in samples.items()}


def _flow(samples: Mapping[str, Sample], *, gives: bool) -> str | None:
    """Return whether power flows into the car or out of it; None without a flow. `gives`: by its registers it flows out.

    The registers decide where neither an export of power or current nor an import of either was sampled.
    """
    for measurand, noise in (("Power.Active", _NOISE_W), ("Current", _NOISE_A)):
        taken, given = (_sum(samples, f"{measurand}.{way}") for way in ("Import", "Export"))
        if given is not None or (taken is not None and (not gives or abs(taken) > noise)):
            into_car = (taken or 0) - (given or 0)
            return OUT if into_car < -noise else IN if into_car > noise else None
    return OUT if gives else None


def _sum(samples: Mapping[str, Sample], measurand: str) -> float | None:
    """Return a quantity in W or A: as it is given, else the sum of its lines; None where it was not sampled."""
    names = [measurand] if measurand in samples else [f"{measurand}.{line}" for line in _LINES]
    whole = [samples[name] for name in names if name in samples]
    return sum(each.watts() for each in whole) if whole else None


def _content(sample: Sample) -> dict[str, Any]:
    return {"value": sample.value} if sample.unit is None else {"value": sample.value, "unit": sample.unit}


def _wh(register_wh: float) -> dict[str, Any]:
    return {"value": register_wh, "unit": "Wh"}


def _of_headers(delivery: Delivery) -> Iterator[_FieldAt]:
    """Yield the headers about the transaction: its energy, and the whole of it once it has ended."""
    if energy := delivery.headers.get("energy"):
        for at, wh in msgspec.json.decode(energy, type=list[tuple[int, float]]):
            yield at, ENERGY, _wh(wh)
    if whole := delivery.headers.get("record"):
        session = json_value(whole.encode())
        for name, wh in zip(("startTime", "endTime"), session.get(METER, ()), strict=False):
            yield at_ms(session.get(name)), METER, _wh(wh)
        recorded_at = delivery.headers.get("recorded_at")
        yield at_ms(session.get("endTime")) if recorded_at is None else int(recorded_at), RECORD, session


def _alive(_: Mapping[str, Any], call: _Call) -> Iterator[_FieldAt]:
    """Yield the fields of a heartbeat: the station's last status and state, as far as the transport has them."""
    at = call.delivery.observed_at
    if "status" in call.headers:
        yield at, "status", _word(call.headers["status"])
    if "charging_state" in call.headers:
        yield at, "chargingState", call.headers["charging_state"]
    elif "status" in call.headers and (call.headers.get("ocpp") == "1.6" or "transaction" not in call.headers):
        yield at, "chargingState", None


def _status(content: Mapping[str, Any], call: _Call) -> Iterator[_FieldAt]:
    if content.get("connectorId") == _NO_CONNECTOR:
        return
    at = call.own_at(content.get("timestamp"))
    status = content.get("connectorStatus", content.get("status"))
    yield at, "status", _word(status)
    # In 1.6 there is only the status. In 2.x a transaction's state ends with the transaction, or when the plug is free.
    has_no_transaction = call.is_of_station and "transaction" not in call.headers
    if "connectorStatus" not in content or str(status).strip().casefold() in _FREE or has_no_transaction:
        yield at, "chargingState", None
    if str(status).strip().casefold() in (*_FREE, _PLUGGED, *_SUSPENDED):  # what flowed before is over
        yield at, FLOW, None


def _word(status: object) -> object:
    return OUT_OF_SERVICE if str(status).strip().casefold() == UNAVAILABLE else status


def _started(content: Mapping[str, Any], call: _Call) -> Iterator[_FieldAt]:
    at = call.own_at(content.get("timestamp"))
    yield at, "chargingState", None
    yield at, FLOW, None
    if not call.is_of_station:
        begun = _wh(number(content["meterStart"]))
        yield at, METER_START, begun
        yield at, REGISTER, begun


def _stopped(content: Mapping[str, Any], call: _Call) -> Iterator[_FieldAt]:
    yield from call.measured(content.get("transactionData"))
    at = call.own_at(content.get("timestamp"))
    if not call.is_of_station:
        yield at, REGISTER, _wh(number(content["meterStop"]))
    if not call.is_of_station or "is_current" in call.headers:
        yield at, "chargingState", "Ended"
        yield at, FLOW, None


def _meter_values(content: Mapping[str, Any], call: _Call) -> Iterator[_FieldAt]:
    yield from call.measured(content.get("meterValue"))


def _event(content: Mapping[str, Any], call: _Call) -> Iterator[_FieldAt]:
    at = call.own_at(content.get("timestamp"))
    kind, info = content.get("eventType"), content.get("transactionInfo") or {}
    if kind == "Started" or info.get("chargingState") == _CONNECTED:
        yield at, FLOW, None
    yield from call.measured(content.get("meterValue"))
    is_change = info.get("chargingState") == _CONNECTED and content.get("triggerReason") == _CHANGED
    if is_change or kind == "Ended":
        yield at, FLOW, None  # what is sampled then is of before
    state = call.headers.get("charging_state", info.get("chargingState"))
    if kind == "Ended" and state != "Idle":
        state = "Ended"
    if state is not None:
        yield at, "chargingState", state
    if content.get("numberOfPhasesUsed"):
        yield at, "numberOfPhasesUsed", content["numberOfPhasesUsed"]
    if kind == "Started" and not call.is_of_station:
        yield from _begun(content.get("meterValue"), call)


def _begun(values: object, call: _Call) -> Iterator[_FieldAt]:
    """Yield the register with which a transaction begins."""
    for reading in readings(values):
        if register_wh := reading.register_wh(at_begin=True) or reading.register_wh():
            yield call.at(reading.stamp), METER_START, _wh(register_wh[0])
            return


def _needs(content: Mapping[str, Any], call: _Call) -> Iterator[_FieldAt]:
    """Yield what the car requests from the station; its departure is one instant, not a weekly timer. Raises Unreadable."""
    needs = content.get("chargingNeeds")
    if not isinstance(needs, dict):
        raise Unreadable("chargingNeeds is an object")
    at = call.own_at(content.get("timestamp"))
    yield at, "requestedEnergyTransfer", needs.get("requestedEnergyTransfer")
    ac, dc = needs.get("acChargingParameters") or {}, needs.get("dcChargingParameters") or {}
    yield at, "evMaxCurrent", dc.get("evMaxCurrent", ac.get("evMaxCurrent"))
    yield at, "fullSoC", dc.get("fullSoC")
    yield at, "SoC", dc.get("stateOfCharge")


_ACTIONS: Final = {
    "Heartbeat": _alive,
    "StatusNotification": _status,
    "StartTransaction": _started,
    "StopTransaction": _stopped,
    "MeterValues": _meter_values,
    "TransactionEvent": _event,
    "NotifyEVChargingNeeds": _needs,
}


def record(session: Any) -> Decoded:
    """Return the transaction of the transport as a record. Energy is the meter's: on the grid's side."""
    found = {name: session.get(name) for name in ("id", "startTime", "endTime")}
    if "energyWh" in session:
        found["energyAdded"] = round(number(session["energyWh"]) / 1000, 6)
    return {"values": [found]}
