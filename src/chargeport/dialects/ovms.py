"""What the metrics of OVMS v3 mean (sources 2). Topics write a metric's dots as slashes; here they are dots."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chargeport.dialects.forms import by_topic, flag, number
from chargeport.dialects.positions import halves
from chargeport.dialects.table import (
    Decoded,
    Decoder,
    Dialect,
    Gate,
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
# Why it does not charge, where that is more than the state says.
_REFINED: Final = {"scheduledstart": "SCHEDULED", "timerwait": "SCHEDULED", "powerwait": "NO_POWER"}
_SUBSTATES: Final = (*_REFINED, "scheduledstop", "onrequest", "stopped", "interrupted")
_INLETS: Final = {
    "type1": "J1772",
    "type2": "Type 2",
    "chademo": "CHAdeMO",
    "teslaus": "NACS",
    "roadster": "Tesla Roadster",
    "ccs": None,  # 1 or 2 is not told
    "supercharger": None,  # the inlet differs by region
    "standard": None,  # a mode that some modules write here
    "quickcharge": None,
}
_FAST: Final = {"chademo": "CHADEMO", "ccs": "CCS", "supercharger": "SUPERCHARGER"}
_FAST_MODES: Final = ("performance", "quickcharge", "chademo")
# What was notified, what happened, what clients asked: everything below a car but its metrics.
_ASIDE: Final = (TopicPattern.parse("ovms/{}/{vehicle}/{field...}"),)


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """The metrics in a delivery. Raises Unreadable."""
    return by_topic(dialect, delivery, ".", ("vin", "vehicle", "v.vin"), _ASIDE)


def _word(known: Mapping[str, Any], name: str) -> str:
    return str(known.get(name, "")).strip().casefold()


def _flag(known: Mapping[str, Any], name: str) -> bool | None:
    """A flag beside the row's own field; what is not understood is told by its own row."""
    try:
        return flag(known[name]) if name in known else None
    except ValueError:
        return None


def _one_of(words: Iterable[str]) -> Decoder:
    """A decoder that refuses a word that is not known, and says nothing: the row that looks at several fields does."""
    known = tuple(words)

    def check(said: Any) -> Decoded:
        word = str(said).strip().casefold()
        if word in known:
            return None
        raise ValueError(f"{word[:40]!r} is none of the words known here: {', '.join(known)}")

    return check


def _status(known: Mapping[str, Any]) -> Decoded:
    """The state, refined by the substate. A module leaves the last state in place when the plug is pulled: the pilot tells."""
    found, substate = _STATUS.get(_word(known, "v.c.state")), _word(known, "v.c.substate")
    pilot, charging = _flag(known, "v.c.pilot"), _flag(known, "v.c.charging")
    if found in _ENERGY_FLOWS:
        return None if found == "CHARGING" and charging is False else value(found)  # one of the two is on its way
    if pilot is False and not charging:
        return value("DISCONNECTED")
    if found in ("STOPPED", "STARTING"):
        found = _REFINED.get(substate, found)
    if found is None and pilot:
        found = "CHARGING" if charging else "CONNECTED"
    return None if found is None else value(found)


def _cable(known: Mapping[str, Any]) -> Decoded:
    """The pilot signal is the cable's; charging needs one; behind a door that is shut there is none."""
    if _flag(known, "v.c.charging"):
        return value(True)
    pilot = flag(known["v.c.pilot"]) if "v.c.pilot" in known else None
    if pilot is None and _flag(known, "v.d.cp") is False:
        pilot = False
    return None if pilot is None else value(pilot)


def _fast_present(known: Mapping[str, Any]) -> Decoded:
    """By the kind of charger, else by the mode that modules with DC alone have; nothing is there without a plug."""
    if _flag(known, "v.c.pilot") is False and not _flag(known, "v.c.charging"):
        return value(False)
    kind, mode = _word(known, "v.c.type"), _word(known, "v.c.mode")
    if kind in _INLETS:
        return value(kind in _FAST or kind == "quickcharge")
    return value(True) if mode in _FAST_MODES else None


def _wattage(known: Mapping[str, Any]) -> Decoded:
    """The charger's power, else the battery's: out of the battery is positive there, so charging is negative."""
    if "v.c.power" in known:
        return quantity(number(known["v.c.power"]), "kW")
    out = number(known.get("v.b.power", 0))
    return quantity(-out, "kW") if out < 0 and _flag(known, "v.c.charging") else None


def _remaining(known: Mapping[str, Any]) -> Decoded:
    """To the limit where one is set, else to full; -1 and 0 are no estimate."""
    for name in ("v.c.duration.soc", "v.c.duration.full"):
        if name in known and (left := number(known[name])) > 0:
            return quantity(left, "min")
    return None


def _positive(body: Any) -> Any:
    """A decoder that takes a number above 0 only: 0 and less is no setting."""
    return lambda said: body(found) if (found := number(said)) > 0 else None


def _gained(said: Any) -> Decoded:
    """The range gained an hour; less than none is what driving loses."""
    return None if (rate := number(said)) < 0 else quantity(rate, "km/h")


def _fast_type(said: Any) -> Decoded:
    """The DC standard; a word that is not known is an issue of the connector's row, once."""
    found = _FAST.get(str(said).strip().casefold())
    return None if found is None else value(found)


def _timer(said: Any) -> Decoded:
    """A timer is on or off. When it starts is told in UTC (v.c.timerstart), and the car's zone is not told."""
    return {"values": [{"type": "GLOBAL"}] if flag(said) else []}


def _range(known: Mapping[str, Any]) -> Decoded:
    name = "v.b.range.est" if "v.b.range.est" in known else "v.b.range.ideal"
    if name not in known or number(known[name]) < 0:
        return None
    return battery_range(number(known[name]), "km")


OVMS: Final = dialect(
    "ovms",
    row("v.c.state", "charge-detailedchargingstatus", decode=_one_of(_STATUS)),
    row("v.c.substate", "charge-detailedchargingstatus", decode=_one_of(_SUBSTATES)),
    combined(("v.c.pilot", "v.c.state", "v.c.substate", "v.c.charging"), "charge-detailedchargingstatus", _status),
    row("v.c.charging", "charge-ischarging"),
    combined(("v.c.pilot", "v.c.charging", "v.d.cp"), "charge-ischargingcableconnected", _cable),
    row("v.d.cp", "charge-ischargingportflapopen", note="a few modules set it from the plug"),
    row("v.c.current", "charge-amperage", "A", gate=Gate.LIVE, note="some modules add up the phases"),
    row("v.c.climit", "charge-amperagemax", "A"),
    row("v.c.limit.soc", "charge-chargelimits", decode=_positive(limit)),
    row("v.b.range.speed", "charge-chargerate", gate=Gate.LIVE, decode=_gained),
    row("v.c.timermode", "charge-chargetimers", decode=_timer),
    row("v.c.type", "charge-chargingconnectortype", words=_INLETS),
    row("v.c.kwh", "charge-energyadded", "kWh"),
    row("v.c.type", "charge-fastchargertype", decode=_fast_type),
    combined(("v.c.type", "v.c.mode", "v.c.pilot", "v.c.charging"), "charge-isfastchargerpresent", _fast_present),
    combined(("v.c.duration.soc", "v.c.duration.full"), "charge-timetocomplete", _remaining, gate=Gate.CHARGING),
    row("v.c.voltage", "charge-voltage", "V", gate=Gate.LIVE),
    combined(("v.c.power", "v.b.power", "v.c.charging"), "charge-wattage", _wattage, gate=Gate.LIVE),
    row("v.b.soc", "tractionbattery-stateofcharge", "%"),
    row("v.b.capacity", "tractionbattery-nominalcapacity", decode=_positive(lambda kwh: capacity(kwh, "Usable, by OVMS"))),
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
            # Charging without a signal of ours: energy at the wall, a target in km, temperatures, the 12 V converter.
            "v.c.kwh.grid", "v.c.kwh.grid.total", "v.c.efficiency", "v.c.time", "v.c.timerstart", "v.c.timestamp",
            "v.c.limit.range", "v.c.duration.range", "v.c.temp", "v.c.12v.*",
            # Not metrics: what was notified, what happened, and what clients asked.
            "notify.*", "event", "event.*", "client.*",
        }
    ),
    topics=("ovms/{}/{vehicle}/metric/{field...}",),
    read=read,
)  # fmt: skip
