"""Tesla's Fleet Telemetry. A field is read by its name, whatever its type in the message."""

import re
from typing import Final

from chargeport.dialects.amounts import LOADED_ABOVE_A
from chargeport.dialects.field_values import flag, folded, number
from chargeport.dialects.positions import whole
from chargeport.dialects.table import (
    NOT_KNOWN,
    Decoded,
    Gate,
    Known,
    capacity,
    combined,
    dialect,
    limit,
    quantity,
    row,
    value,
)
from chargeport.dialects.tesla_fields import FIELDS
from chargeport.dialects.tesla_form import read
from chargeport.dialects.tesla_timers import clock_time, timers
from chargeport.dialects.tesla_values import (
    CABLE,
    FAST_PRESENT,
    FAST_TYPE,
    INLET,
    MODE,
    STATUS,
    Names,
    amperage,
    fast_present,
    flag_of,
    is_charging,
    is_fast,
    is_plugged,
    latched,
    meant,
    minutes,
    phases,
    plain_amount,
    ranges,
    voltage,
)

_STATE, _CABLE, _AC, _DC = "DetailedChargeState", "ChargingCableType", "ACChargingPower", "DCChargingPower"
_PRESENT, _KIND = "FastChargerPresent", "FastChargerType"
_FLOWS: Final = ("ChargeAmps", _AC, _DC)


def _amount(known: Known, field: str) -> float | None:
    """Return a number; the power is that of the side that charges."""
    if field == _AC:
        kilowatts = plain_amount(known, _AC)
        return kilowatts or plain_amount(known, _DC) or kilowatts
    return plain_amount(known, field)


_NAMES: Final = Names(
    amount=_amount, state=_STATE, power=_AC, volts="ChargerVoltage", amps="ChargeAmps", phases="ChargerPhases",
    present=_PRESENT, kind=_KIND, pack_volts="PackVoltage", pack_amps="PackCurrent",
)  # fmt: skip


def _wattage(known: Known) -> Decoded:
    """Return the power of the side that charges; where that is not known or has none, of the one that has some."""
    is_dc, ac = is_fast(known, _PRESENT, _KIND), plain_amount(known, _AC)
    if is_dc is None:
        is_dc = not ac and _DC in known
    elif not is_dc and ac == 0 and known.reported_at(_DC) >= known.reported_at(_AC):
        is_dc = bool(plain_amount(known, _DC))
    name = _DC if is_dc else _AC
    if name in known:
        return quantity(number(known[name]), "kW")
    return None if known.keys() & {_AC, _DC} else NOT_KNOWN


def _status(known: Known) -> Decoded:
    """Return the charge state. Some cars stay at Starting while a current flows. Raises Violation."""
    if _STATE not in known:
        return NOT_KNOWN
    found = meant(STATUS, known[_STATE])
    if found == "STARTING":
        return value("CHARGING" if _flows(known) else found)
    return (value(found) if isinstance(found, str) else found) if _is_newest(known, _STATE) else NOT_KNOWN


def _charges(known: Known) -> Decoded:
    """Return whether the car charges: as the status; an unknown state gives no value, and is an issue of the status."""
    if _STATE not in known:
        return NOT_KNOWN
    if STATUS.get(folded(known[_STATE])) == "STARTING":
        return value(_flows(known))
    return is_charging(known[_STATE]) if _is_newest(known, _STATE) else NOT_KNOWN


def _flows(known: Known) -> bool:
    """Return whether a power and a current are reported that are not older than the charge state."""
    fresh = Known({field: known[field] for field in _FLOWS if _is_newest(known, field, _STATE)}, known.at)
    amps, kilowatts = plain_amount(fresh, "ChargeAmps") or 0, plain_amount(fresh, _AC) or 0
    return (amps > LOADED_ABOVE_A and kilowatts > 0) or (plain_amount(fresh, _DC) or 0) >= 1


def _is_newest(known: Known, field: str, *others: str) -> bool:
    """Return whether the field is known, and not older than the others; without any, than all known ones."""
    return field in known and known.reported_at(field) >= max(map(known.reported_at, others or known))


def _remaining(known: Known) -> Decoded:
    """Return the time to the charge limit, which both fields contain; the newer field is the finer one."""
    field = known.best("EstimatedHoursToChargeTermination", "TimeToFullCharge")
    return NOT_KNOWN if field is None else minutes(known[field])


def _charge(known: Known) -> Decoded:
    """Return the state of charge as the app shows it; the other field includes energy that is unavailable in the cold."""
    field = known.best("BatteryLevel", "Soc")
    return NOT_KNOWN if field is None else quantity(number(known[field]), "%")


def _timers(known: Known) -> Decoded:
    """Return the timers. Only times of day are used: instants are seconds since 1970, and the car's zone is not known."""
    if "ScheduledChargingMode" not in known:
        return NOT_KNOWN
    mode = meant(MODE, known["ScheduledChargingMode"])
    if not isinstance(mode, str):
        return NOT_KNOWN
    start, departure = (clock_time(known.get(name)) for name in ("ScheduledChargingStartTime", "ScheduledDepartureTime"))
    return timers(mode, start, departure)


_ROWS: Final = (
    combined((_STATE, *_FLOWS), "charge-detailedchargingstatus", _status, words=STATUS),
    # An unknown value is an issue of the row above, once.
    combined((_STATE, *_FLOWS), "charge-ischarging", _charges),
    combined(
        (_STATE, _CABLE), "charge-ischargingcableconnected", lambda known: flag_of(is_plugged(known, _STATE, _CABLE)),
        words=CABLE,
    ),
    combined(
        ("ChargePortLatch", _STATE, _CABLE), "charge-ischargingcablelatched",
        lambda known: latched(known, "ChargePortLatch", _STATE, _CABLE),
    ),
    whole("Location"),
    row("ChargePortDoorOpen", "charge-ischargingportflapopen", decode=lambda content: value(flag(content))),
    combined(
        _NAMES.fields("ChargeAmps", "PackCurrent", _DC), "charge-amperage", lambda known: amperage(known, _NAMES),
        beside=_NAMES.beside, gate=Gate.LIVE,
    ),
    row("ChargeCurrentRequestMax", "charge-amperagemax", "A"),
    row("ChargeCurrentRequest", "charge-amperagerequested", "A"),
    row("ChargeLimitSoc", "charge-chargelimits", decode=lambda content: limit(number(content))),
    row("ChargeRateMilePerHour", "charge-chargerate", "mi/h", gate=Gate.LIVE),
    combined(
        _NAMES.fields("ChargerPhases", "ChargerVoltage", "ChargeAmps"), "charge-chargerphases",
        lambda known: phases(known, _NAMES, 0), beside=_NAMES.beside,
    ),
    combined(
        ("ScheduledChargingMode", "ScheduledChargingStartTime", "ScheduledDepartureTime"), "charge-chargetimers", _timers
    ),
    row("ChargePort", "charge-chargingconnectortype", words=INLET),
    # Battery side, in sessions with AC and with DC; ACChargingEnergyIn is the charger's input and is not added energy.
    row("DCChargingEnergyIn", "charge-energyadded", "kWh"),
    row(_KIND, "charge-fastchargertype", words=FAST_TYPE),
    combined(
        (_PRESENT, _KIND), "charge-isfastchargerpresent", lambda known: fast_present(known, _PRESENT, _KIND),
        words=FAST_PRESENT,
    ),
    combined(
        ("EstimatedHoursToChargeTermination", "TimeToFullCharge"), "charge-timetocomplete", _remaining, gate=Gate.CHARGING
    ),
    combined(
        _NAMES.fields("ChargerVoltage", "PackVoltage", _DC), "charge-voltage", lambda known: voltage(known, _NAMES),
        beside=_NAMES.beside, gate=Gate.LIVE,
    ),
    combined((_AC, _DC, _PRESENT, _KIND), "charge-wattage", _wattage, gate=Gate.LIVE, note="not reset at the end"),
    combined(("BatteryLevel", "Soc"), "tractionbattery-stateofcharge", _charge),
    combined(
        ("RatedRange", "EstBatteryRange", "IdealBatteryRange"), "tractionbattery-range",
        lambda known: ranges(known, ("RatedRange", "EstBatteryRange", "IdealBatteryRange"), "mi"),
    ),
    row("NominalFullPackEnergyKwh", "tractionbattery-nominalcapacity",
        decode=lambda content: capacity(number(content), "Nominal full pack, as the car estimates it")),
)  # fmt: skip


_MAPPED: Final = frozenset(field for each in _ROWS for field in each.fields)
_BESIDE: Final = frozenset(
    {
        # Members of records on connectivity, alerts and errors, where they come without their type.
        "alerts", "errors", "metrics", "connectionId", "ConnectionId", "networkInterface", "status", "Status",
        # A relay's own members.
        "state", "isCache", "credits",
    }
)  # fmt: skip

TESLA: Final = dialect(
    "tesla",
    *_ROWS,
    # Every other field of the protobuf by its name: driving, climate, doors, media, and the old ChargeState (2), which has
    # values of another list and stays Idle while charging with DC.
    ignored=frozenset(FIELDS) - _MAPPED | _BESIDE,
    relevant=re.compile("charg|battery|pack|soc$|energy", re.IGNORECASE),
    topics=(
        "telemetry/{vehicle}/v/{field}",
        "telemetry/{vehicle}/connectivity",
        "telemetry/{vehicle}/alerts/{}/{}",
        "telemetry/{vehicle}/errors/{}",
    ),
    read=read,
)
