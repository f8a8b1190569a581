"""What the fields of Tesla's Fleet Telemetry mean (sources 1.3). A field is read by its name, not by the type it came in."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.forms import flag, number
from chargeport.dialects.positions import whole
from chargeport.dialects.table import Decoded, Gate, capacity, combined, dialect, limit, quantity, row, value
from chargeport.dialects.tesla_fields import FIELDS
from chargeport.dialects.tesla_form import read
from chargeport.dialects.tesla_timers import clock_time, timers
from chargeport.dialects.tesla_words import (
    CHARGING,
    FAST_TYPE,
    INLET,
    MODE,
    STATUS,
    current,
    fast,
    flag_of,
    known_number,
    latched,
    meant,
    minutes,
    phases,
    plugged,
    ranges,
    supply,
)


def _is_dc(known: Mapping[str, Any]) -> bool | None:
    """Whether a fast charger is connected, by what is known; None where it is not said or not understood."""
    try:
        return fast(known.get("FastChargerPresent"), known.get("FastChargerType"))
    except ValueError:
        return None


def _amperage(known: Mapping[str, Any]) -> Decoded:
    """AC: of the line. DC: there the field reads 0, so what flows into the pack counts."""
    return current(known.get("PackCurrent") if _is_dc(known) else known.get("ChargeAmps"), of_pack=bool(_is_dc(known)))


def _voltage(known: Mapping[str, Any]) -> Decoded:
    """AC: of the supply. DC: of the pack."""
    return supply(known.get("PackVoltage" if _is_dc(known) else "ChargerVoltage"))


def _wattage(known: Mapping[str, Any]) -> Decoded:
    """The power of the side that charges; where nobody says which, the one that there is."""
    is_dc = _is_dc(known)
    if is_dc is None:
        ac = known_number(known.get("ACChargingPower"))
        is_dc = not ac and "DCChargingPower" in known
    name = "DCChargingPower" if is_dc else "ACChargingPower"
    return quantity(number(known[name]), "kW") if name in known else None


def _phases(known: Mapping[str, Any]) -> Decoded:
    if "ChargerPhases" not in known or _is_dc(known):
        return None
    kilowatts, volts, amps = (known_number(known.get(name)) for name in ("ACChargingPower", "ChargerVoltage", "ChargeAmps"))
    count = phases(known["ChargerPhases"], None if kilowatts is None else kilowatts * 1000, volts, amps)
    return None if count is None else value(count)


def _fast_present(known: Mapping[str, Any]) -> Decoded:
    return flag_of(fast(known.get("FastChargerPresent"), known.get("FastChargerType")))


def _cable(known: Mapping[str, Any]) -> Decoded:
    return flag_of(plugged(known.get("DetailedChargeState"), known.get("ChargingCableType")))


def _latched(known: Mapping[str, Any]) -> Decoded:
    if "ChargePortLatch" not in known:
        return None
    return latched(known["ChargePortLatch"], plugged(known.get("DetailedChargeState"), known.get("ChargingCableType")))


def _remaining(known: Mapping[str, Any]) -> Decoded:
    """Both aim at the charge limit; the newer field is the finer one."""
    hours = known.get("EstimatedHoursToChargeTermination", known.get("TimeToFullCharge"))
    return None if hours is None else minutes(hours)


def _timers(known: Mapping[str, Any]) -> Decoded:
    """Instants are seconds since 1970 and the car's zone is not told, so they give no time of day; times of day do."""
    if "ScheduledChargingMode" not in known:
        return None
    mode = meant(MODE, known["ScheduledChargingMode"])
    start, departure = (clock_time(known.get(name)) for name in ("ScheduledChargingStartTime", "ScheduledDepartureTime"))
    return timers(mode, start, departure)


def _charge(known: Mapping[str, Any]) -> Decoded:
    """What the app shows; the other counts what the cold keeps back too."""
    found = known.get("BatteryLevel", known.get("Soc"))
    return None if found is None else quantity(number(found), "%")


_ROWS: Final = (
    row("DetailedChargeState", "charge-detailedchargingstatus", words=STATUS, note="1.4"),
    # A word that is not known is an issue of the row above, once.
    row("DetailedChargeState", "charge-ischarging", decode=lambda said: flag_of(CHARGING.get(str(said).strip().casefold()))),
    combined(("DetailedChargeState", "ChargingCableType"), "charge-ischargingcableconnected", _cable),
    combined(("ChargePortLatch", "DetailedChargeState", "ChargingCableType"), "charge-ischargingcablelatched", _latched),
    whole("Location"),
    row("ChargePortDoorOpen", "charge-ischargingportflapopen", decode=lambda said: value(flag(said))),
    combined(
        ("ChargeAmps", "FastChargerPresent", "FastChargerType", "PackCurrent"), "charge-amperage", _amperage, gate=Gate.LIVE
    ),
    row("ChargeCurrentRequestMax", "charge-amperagemax", "A"),
    row("ChargeCurrentRequest", "charge-amperagerequested", "A"),
    row("ChargeLimitSoc", "charge-chargelimits", decode=lambda said: limit(number(said))),
    row("ChargeRateMilePerHour", "charge-chargerate", "mi/h", gate=Gate.LIVE),
    combined(
        ("ChargerPhases", "ACChargingPower", "ChargerVoltage", "ChargeAmps", "FastChargerPresent", "FastChargerType"),
        "charge-chargerphases",
        _phases,
    ),
    combined(
        ("ScheduledChargingMode", "ScheduledChargingStartTime", "ScheduledDepartureTime"), "charge-chargetimers", _timers
    ),
    row("ChargePort", "charge-chargingconnectortype", words=INLET),
    # Battery side, in sessions with AC and with DC; ACChargingEnergyIn is what the charger took and is not added energy.
    row("DCChargingEnergyIn", "charge-energyadded", "kWh"),
    row("FastChargerType", "charge-fastchargertype", words=FAST_TYPE),
    combined(("FastChargerPresent", "FastChargerType"), "charge-isfastchargerpresent", _fast_present),
    combined(
        ("EstimatedHoursToChargeTermination", "TimeToFullCharge"), "charge-timetocomplete", _remaining, gate=Gate.CHARGING
    ),
    combined(
        ("ChargerVoltage", "FastChargerPresent", "FastChargerType", "PackVoltage"), "charge-voltage", _voltage, gate=Gate.LIVE
    ),
    combined(
        ("ACChargingPower", "DCChargingPower", "FastChargerPresent", "FastChargerType"), "charge-wattage", _wattage,
        gate=Gate.LIVE, note="not set back at the end",
    ),
    combined(("BatteryLevel", "Soc"), "tractionbattery-stateofcharge", _charge),
    combined(
        ("RatedRange", "EstBatteryRange", "IdealBatteryRange"), "tractionbattery-range",
        lambda known: ranges(known, ("RatedRange", "EstBatteryRange", "IdealBatteryRange"), "mi"),
    ),
    row("NominalFullPackEnergyKwh", "tractionbattery-nominalcapacity",
        decode=lambda said: capacity(number(said), "Nominal full pack, as the car estimates it")),
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
    # words of another list and stays Idle while charging with DC.
    ignored=frozenset(FIELDS) - _MAPPED | _BESIDE,
    topics=(
        "telemetry/{vehicle}/v/{field}",
        "telemetry/{vehicle}/connectivity",
        "telemetry/{vehicle}/alerts/{}/{}",
        "telemetry/{vehicle}/errors/{}",
    ),
    read=read,
)
