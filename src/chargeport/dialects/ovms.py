"""The metrics of OVMS v3. Topics have slashes in place of a metric's dots."""

import re
from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.amounts import is_contradicted, is_cut_to_zero, is_no_supply
from chargeport.dialects.field_values import flag, folded, number, unknown_value
from chargeport.dialects.forms import by_topic
from chargeport.dialects.positions import halves
from chargeport.dialects.statuses import full_or, unless_unplugged
from chargeport.dialects.table import (
    NOT_KNOWN,
    Decoded,
    Dialect,
    Gate,
    Known,
    battery_range,
    capacity,
    combined,
    dialect,
    limit,
    quantity,
    row,
    value,
)
from chargeport.dialects.topics import TopicPattern
from chargeport.sources.base import Delivery, RawMessage

_STATUS: Final = {
    "charging": "CHARGING",
    "topoff": "CONSERVING",
    "done": "FULLY_CHARGED",
    "prepare": "STARTING",
    "heating": "STARTING",
    "init": "STARTING",
    "timerwait": "SCHEDULED",
    "stopped": "STOPPED",
    "error": "ERROR",
}
_ENERGY_FLOWS: Final = ("CHARGING", "CONSERVING")
# Why the car does not charge, where the substate is more precise than the state.
_REFINED: Final = {"scheduledstart": "SCHEDULED", "timerwait": "SCHEDULED", "powerwait": "NO_POWER"}
_SUBSTATES: Final = (*_REFINED, "scheduledstop", "onrequest", "stopped", "interrupted")
_INLETS: Final = {
    "type1": "J1772",
    "type2": "Type 2",
    "chademo": "CHAdeMO",
    "teslaus": "NACS",
    "roadster": "Tesla Roadster",
    "ccs": NOT_KNOWN,  # 1 or 2 is not reported
    "supercharger": NOT_KNOWN,  # the inlet differs by region
    "standard": NOT_KNOWN,  # a mode that some modules write here
    "quickcharge": NOT_KNOWN,
}
_FAST: Final = {"chademo": "CHADEMO", "ccs": "CCS", "supercharger": "SUPERCHARGER"}
_LEAST_KW: Final = 0.5  # into the battery; less may be the regulation of an idle car
_FAST_MODES: Final = ("performance", "quickcharge", "chademo")
# Notifications, events and requests of clients: everything below a car except its metrics.
_ASIDE: Final = (TopicPattern.parse("ovms/{}/{vehicle}/{field...}"),)


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read the metrics in a delivery. Raises Unreadable."""
    return by_topic(dialect, delivery, ".", ("vin", "vehicle", "v.vin"), _ASIDE)


def _word(known: Mapping[str, Any], name: str) -> str:
    return folded(known.get(name, ""))


def _flag(known: Mapping[str, Any], name: str) -> bool | None:
    """Return a flag of another field than the row's own; an invalid value is an issue of its own row."""
    try:
        return flag(known[name]) if name in known else None
    except ValueError:
        return None


def _number(known: Mapping[str, Any], name: str) -> float | None:
    """Return a number of another field than the row's own, as above."""
    try:
        return number(known[name]) if name in known else None
    except (TypeError, ValueError):
        return None


def _status(known: Known) -> Decoded:
    """Return the state, refined by the substate. A module leaves the last state in place when the plug is pulled."""
    if "v.c.state" in known and _word(known, "v.c.state") not in _STATUS:
        raise unknown_value(known["v.c.state"], _STATUS, "v.c.state")
    found, substate = _STATUS.get(_word(known, "v.c.state")), _word(known, "v.c.substate")
    pilot, charging = _flag(known, "v.c.pilot"), _flag(known, "v.c.charging")
    if found in _ENERGY_FLOWS and not (pilot is False and _is_newer(known, "v.c.pilot", "v.c.state")):
        if found == "CHARGING" and charging is False:  # its new state is about to follow
            return None if _is_newer(known, "v.c.charging", "v.c.state") else NOT_KNOWN
        return value(found)
    if pilot is False and (not charging or _is_newer(known, "v.c.pilot", "v.c.charging")):
        return value("DISCONNECTED")
    if charging and found not in _ENERGY_FLOWS and _is_newer(known, "v.c.charging", "v.c.state"):
        return value("CHARGING")  # the state is about to follow
    if found in ("STOPPED", "STARTING"):
        found = _REFINED.get(substate, found)
    if found is None and pilot:
        found = "CHARGING" if charging else "CONNECTED"
    return NOT_KNOWN if found is None else value(full_or(found, _number(known, "v.b.soc"), _number(known, "v.c.limit.soc")))


def _is_newer(known: Known, field: str, other: str) -> bool:
    return known.reported_at(field) > known.reported_at(other)


def _cable(known: Known) -> Decoded:
    """Return whether a cable is in. The pilot signal is the cable's, and charging needs one: the newer of the two decides.

    The door of the port is not used: a module that has just started reports it as closed.
    """
    for field in known.newest_first(("v.c.charging", "v.c.pilot")):
        found = flag(known[field]) if field == "v.c.pilot" else _flag(known, field) or None
        if found is not None:
            return value(found)
    return NOT_KNOWN


def _charges(known: Known) -> Decoded:
    """Return whether the car charges; the flag is not repeated after the pilot signal was lost. Raises Violation."""
    found = value(flag(known["v.c.charging"])) if "v.c.charging" in known else NOT_KNOWN
    return unless_unplugged(found, known, "v.c.charging", "v.c.pilot", plugged=_flag(known, "v.c.pilot"))


def _fast_present(known: Known) -> Decoded:
    """Return whether a fast charger is present: by its kind, else by the mode of modules with DC only."""
    if _flag(known, "v.c.pilot") is False and not _flag(known, "v.c.charging"):
        return value(False)
    kind, mode = _word(known, "v.c.type"), _word(known, "v.c.mode")
    if kind in _INLETS:
        return value(kind in _FAST or kind == "quickcharge")
    return value(True) if mode in _FAST_MODES else NOT_KNOWN


def _wattage(known: Known) -> Decoded:
    """Return the charger's power, else the battery's.

    Out of the battery is positive, for its power and for its current; some modules invert one of them. While the car
    charges, a negative value of either shows that energy flows in. Modules that don't measure the charger's power report 0.
    """
    current, charging = _number(known, "v.b.current"), _flag(known, "v.c.charging")
    flows_in = charging and current is not None and current < 0
    battery = _number(known, "v.b.power") or 0
    is_measured = not charging or bool(_number(known, "v.c.power")) or battery > -_LEAST_KW
    if known.best("v.c.power", "v.b.power") == "v.c.power" and is_measured:
        power = number(known["v.c.power"])
        is_cut = is_cut_to_zero(power, _number(known, "v.c.current"), _number(known, "v.c.voltage")) and charging is not False
        return None if is_cut else quantity(-power if power < 0 and flows_in else power, "kW")
    if "v.b.power" not in known:
        return NOT_KNOWN
    power = number(known["v.b.power"])
    return quantity(abs(power), "kW") if charging and (power < 0 or flows_in) else None


def _charger_watts(known: Known) -> float | None:
    """Return the charger's power while the car charges."""
    kilowatts = _number(known, "v.c.power")
    return None if kilowatts is None or _flag(known, "v.c.charging") is False else abs(kilowatts) * 1000


def _amperage(known: Known) -> Decoded:
    """Return the charger's current; modules that don't measure it report 0."""
    if "v.c.current" not in known:
        return NOT_KNOWN
    amps = number(known["v.c.current"])
    return None if is_contradicted(abs(amps), _charger_watts(known)) else quantity(amps, "A")


def _voltage(known: Known) -> Decoded:
    """Return the charger's voltage; modules that don't measure it report 0."""
    if "v.c.voltage" not in known:
        return NOT_KNOWN
    volts = number(known["v.c.voltage"])
    return None if is_no_supply(volts, _charger_watts(known)) else quantity(volts, "V")


def _charge(content: Any) -> Decoded:
    """Return the state of charge; 0 is written until the module has read it from the car."""
    return quantity(found, "%") if (found := number(content)) else NOT_KNOWN


def _remaining(known: Known) -> Decoded:
    """Return the time to the limit where one is set, else to full; -1 and 0 are no estimate."""
    for name in ("v.c.duration.soc", "v.c.duration.full"):
        if name in known and (left := number(known[name])) > 0:
            return quantity(left, "min")
    return None


def _capacity(content: Any) -> Decoded:
    """Return the capacity; 0 is written while it is not known."""
    return capacity(found, "Usable, by OVMS") if (found := number(content)) > 0 else NOT_KNOWN


def _limit(content: Any) -> Decoded:
    return limit(max(number(content), 0))


def _gained(content: Any) -> Decoded:
    """Return the range gained per hour; a negative one is what driving consumes."""
    return None if (rate := number(content)) < 0 else quantity(rate, "km/h")


def _fast_type(content: Any) -> Decoded:
    """Return the DC standard; an unknown value is an issue of the connector's row, once."""
    found = _FAST.get(folded(content))
    return None if found is None else value(found)


def _timer(content: Any) -> Decoded:
    """Return a timer that is on, or none. Its start is in UTC (v.c.timerstart), and the car's zone is not reported."""
    return {"values": [{"type": "GLOBAL"}] if flag(content) else []}


def _range(known: Known) -> Decoded:
    name = known.best("v.b.range.est", "v.b.range.ideal")
    if name is None or number(known[name]) < 0:
        return NOT_KNOWN
    return battery_range(number(known[name]), "km")


OVMS: Final = dialect(
    "ovms",
    combined(
        ("v.c.state", "v.c.substate", "v.c.pilot", "v.c.charging", "v.b.soc", "v.c.limit.soc"),
        "charge-detailedchargingstatus", _status,
    ),
    row("v.c.substate", "charge-detailedchargingstatus", words=dict.fromkeys(_SUBSTATES, NOT_KNOWN)),
    combined(("v.c.charging", "v.c.pilot"), "charge-ischarging", _charges),
    combined(("v.c.pilot", "v.c.charging"), "charge-ischargingcableconnected", _cable),
    row("v.d.cp", "charge-ischargingportflapopen", note="some modules set it from the plug"),
    combined(
        ("v.c.current", "v.c.power"), "charge-amperage", _amperage, beside=("v.c.charging",), gate=Gate.LIVE,
        note="some modules add up the phases",
    ),
    row("v.c.climit", "charge-amperagemax", "A"),
    row("v.c.limit.soc", "charge-chargelimits", decode=_limit),
    row("v.b.range.speed", "charge-chargerate", gate=Gate.LIVE, decode=_gained),
    row("v.c.timermode", "charge-chargetimers", decode=_timer),
    row("v.c.type", "charge-chargingconnectortype", words=_INLETS),
    row("v.c.kwh", "charge-energyadded", "kWh"),
    row("v.c.type", "charge-fastchargertype", decode=_fast_type),
    combined(("v.c.type", "v.c.mode", "v.c.pilot", "v.c.charging"), "charge-isfastchargerpresent", _fast_present),
    combined(("v.c.duration.soc", "v.c.duration.full"), "charge-timetocomplete", _remaining, gate=Gate.CHARGING),
    combined(("v.c.voltage", "v.c.power"), "charge-voltage", _voltage, beside=("v.c.charging",), gate=Gate.LIVE),
    combined(
        ("v.c.power", "v.b.power", "v.b.current", "v.c.current", "v.c.charging"), "charge-wattage", _wattage,
        beside=("v.c.voltage",), gate=Gate.LIVE,
    ),
    row("v.b.soc", "tractionbattery-stateofcharge", decode=_charge),
    row("v.b.capacity", "tractionbattery-nominalcapacity", decode=_capacity),
    combined(("v.b.range.est", "v.b.range.ideal"), "tractionbattery-range", _range),
    halves("v.p.latitude", "v.p.longitude"),
    ignored=frozenset(
        {
            # The module, its network and its servers; metrics of one make of car (x…) and of the owner's own scripts.
            "m.*", "s.*", "x*", "co.*", "usr.*", "v.type", "v.vin", "status",
            # Battery, environment, position, tyres, motor, inverter, and power that leaves the car.
            "v.b.*", "v.e.*", "v.p.*", "v.t.*", "v.tp.*", "v.m.*", "v.i.*", "v.g.*",
            # The other doors.
            "v.d.fl", "v.d.fr", "v.d.rl", "v.d.rr", "v.d.hood", "v.d.trunk",
            # Charging without a signal: energy at the wall, a target in km, temperatures, the 12 V converter.
            "v.c.kwh.grid", "v.c.kwh.grid.total", "v.c.efficiency", "v.c.time", "v.c.timerstart", "v.c.timestamp",
            "v.c.limit.range", "v.c.duration.range", "v.c.temp", "v.c.12v.*",
            # Not metrics: notifications, events and requests of clients.
            "notify.*", "event", "event.*", "client.*",
        }
    ),
    relevant=re.compile(r"^v\.c\."),
    topics=("ovms/{}/{vehicle}/metric/{field...}",),
    status=("ovms/{}/{vehicle}/metric/s/v3/connected",),
    heartbeats=("ovms/{}/{vehicle}/metric/m/time/utc",),
    read=read,
)  # fmt: skip
