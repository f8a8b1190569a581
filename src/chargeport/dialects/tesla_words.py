"""What Tesla's words mean, for each way in which its values come: telemetry, REST and TeslaMate."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.forms import flag, number
from chargeport.dialects.table import Decoded, battery_range, quantity, value

# Sources 1.4. The number is the protobuf's; nobody has said what Calibrating is, it comes before charging.
STATES: Final = ("Unknown", "Disconnected", "NoPower", "Starting", "Charging", "Complete", "Stopped", "Calibrating")
_STATUS: Final = {
    "Unknown": None,
    "Disconnected": "DISCONNECTED",
    "NoPower": "NO_POWER",
    "Starting": "STARTING",
    "Charging": "CHARGING",
    "Complete": "FULLY_CHARGED",
    "Stopped": "STOPPED",
    "Calibrating": "STARTING",
}
_FAST: Final = ("Unknown", "Supercharger", "CHAdeMO", "GB", "ACSingleWireCAN", "Combo", "MCSingleWireCAN", "Other", "SNA")
_FAST_TYPE: Final = {
    "Supercharger": "SUPERCHARGER",
    "Tesla": "SUPERCHARGER",  # REST: the brand beside it says Tesla too
    "CHAdeMO": "CHADEMO",
    "GB": "GBT",
    "Combo": "CCS",
    "Other": "OTHER",
}
_CABLES: Final = ("Unknown", "IEC", "SAE", "GB_AC", "GB_DC", "SNA")
_LATCHES: Final = ("Unknown", "SNA", "Disengaged", "Engaged", "Blocking")
_PORTS: Final = ("Unknown", "US", "EU", "GB", "CCS")
_MODES: Final = ("Unknown", "Off", "StartAt", "DepartBy")


def words(names: tuple[str, ...], means: Mapping[str, Any], *prefixes: str) -> dict[str, Any]:
    """What each name of an enum means (None: nothing), by its bare name, its full one and its number, in small letters."""
    found: dict[str, Any] = {}
    for index, name in enumerate(names):
        for spelling in (name, str(index), *(prefix + name for prefix in prefixes)):
            found[spelling.casefold()] = means.get(name)
    return found


NO_SUPPLY_V: Final = 20  # below is noise: 1 to 2 V with nothing connected, and in DC sessions

_STATE_PREFIXES: Final = ("DetailedChargeState", "ChargeState")
STATUS: Final = words(STATES, _STATUS, *_STATE_PREFIXES)
CHARGING: Final = words(STATES, {name: name == "Charging" for name in STATES[1:]}, *_STATE_PREFIXES)
PLUGGED: Final = words(STATES, {name: name != "Disconnected" for name in STATES[1:]}, *_STATE_PREFIXES)
FAST_TYPE: Final = words((*_FAST, "Tesla"), _FAST_TYPE, "FastCharger")
FAST_PRESENT: Final = words((*_FAST, "Tesla"), {name: name in _FAST_TYPE for name in (*_FAST[1:], "Tesla")}, "FastCharger")
CABLE: Final = words(_CABLES, {name: name != "SNA" for name in _CABLES[1:]}, "CableType")
LATCH: Final = words(_LATCHES, {"Engaged": True, "Disengaged": False, "Blocking": False}, "ChargePortLatch")
INLET: Final = words(_PORTS, {"US": "NACS", "EU": "Type 2", "GB": "GB/T", "CCS": "CCS2"}, "ChargePort")
MODE: Final = words(_MODES, {name: name for name in _MODES[1:]}, "ScheduledChargingMode")


def meant(table: Mapping[str, Any], said: Any) -> Any:
    """What a word means, None where it says nothing. Raises ValueError for a word that is not in the table."""
    word = str(said).strip().casefold()
    if word not in table:
        raise ValueError(f"{said!r:.40} is none of the words known here: {', '.join(table)}"[:400])
    return table[word]


def flag_of(found: bool | None) -> Decoded:
    """The body of a flag; nothing where it is not known."""
    return None if found is None else value(found)


def plugged(state: Any, cable: Any = None) -> bool | None:
    """Whether a cable is in, by the charge state, else by the kind of cable; None where neither says it.

    A state that is not known says nothing here: the row of the status names it.
    """
    found = PLUGGED.get(str(state).strip().casefold())
    return CABLE.get(str(cable).strip().casefold()) if found is None else bool(found)


def latched(latch: Any, is_plugged: bool | None) -> Decoded:
    """Whether the cable is locked: early cars say Engaged with nothing in (sources 1.3). Raises ValueError."""
    found = meant(LATCH, latch)
    if found:
        found = is_plugged
    return flag_of(found)


def fast(present: Any, kind: Any = None) -> bool | None:
    """Whether a fast charger is connected: a flag, a word or a number (sources 1.1), else by its kind.

    Raises ValueError for a flag that is none; a kind that is not known says nothing here, its own row names it.
    """
    if present is not None:
        word = str(present).strip().casefold()
        return FAST_PRESENT[word] if word in FAST_PRESENT else flag(present)
    return FAST_PRESENT.get(str(kind).strip().casefold())


def phases(said: Any, power_w: float | None, volts: float | None, amps: float | None, step_w: float = 0) -> int | None:
    """The phases in use. 2 is what many cars say on three: then the power decides, and 3 holds where it can't (sources 15.1).

    `step_w`: how far apart the powers that can be told are. Raises ValueError or TypeError.
    """
    count = number(said)
    if count == 0:
        return None
    if count != 2 or not (power_w and volts and amps) or amps < 3 or power_w < 700:  # noqa: PLR2004  (sources 15.1)
        return 3 if count == 2 else _whole(count)  # noqa: PLR2004
    fitting = [each for each in (1, 2, 3) if abs(power_w - each * volts * amps) <= 0.15 * each * volts * amps + step_w / 2]
    return fitting[0] if len(fitting) == 1 else 3


def _whole(count: float) -> int:
    if not count.is_integer():
        raise ValueError(f"{count:g} is no number of phases")
    return int(count)


def known_number(said: Any) -> float | None:
    """The number that a field beside the row's own says; None where it says none, for its own row tells what is wrong."""
    try:
        return None if said is None else number(said)
    except (TypeError, ValueError, OverflowError):
        return None


def current(amps: Any, *, of_pack: bool) -> Decoded:
    """A current in A, of the line as it is said. Of the pack only what flows into it, and what can't be read is nothing."""
    if of_pack:
        flowing = known_number(amps)
        return None if flowing is None or flowing <= 0 else quantity(flowing, "A")
    return None if amps is None else quantity(number(amps), "A")


def supply(volts: Any) -> Decoded:
    """A voltage in V; nothing below what a supply has."""
    said = 0 if volts is None else number(volts)
    return None if said < NO_SUPPLY_V else quantity(said, "V")


def minutes(hours: Any) -> Decoded:
    """A time that remains, in whole minutes; less than none says nothing. Raises ValueError or TypeError."""
    found = number(hours)
    return None if found < 0 else {"value": round(found * 60), "unit": "min"}


def ranges(known: Mapping[str, Any], names: tuple[str, str, str], unit: str) -> Decoded:
    """The rated range, and beside it the estimated and the ideal one, by the names of their fields. Raises like number."""
    rated, estimated, ideal = names
    if rated not in known:
        return None
    body = battery_range(number(known[rated]), unit)
    for name, kind in ((estimated, "ESTIMATED"), (ideal, "IDEAL_CONDITIONS")):
        if (more := known_number(known.get(name))) is not None and more >= 0:
            body["additionalValues"].append({"type": kind, "value": more})
    return body
