"""The meanings of Tesla's names and numbers of states, in telemetry, REST, TeslaMate and Home Assistant."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from chargeport.dialects.amounts import LOADED_ABOVE_A, is_cut_to_zero
from chargeport.dialects.field_values import flag, folded, number, unknown_value
from chargeport.dialects.table import DC_ABOVE_W, NOT_KNOWN, Decoded, Known, battery_range, quantity, value

# The number of a name is the protobuf's. Calibrating is not documented; it comes before charging.
STATES: Final = ("Unknown", "Disconnected", "NoPower", "Starting", "Charging", "Complete", "Stopped", "Calibrating")
_STATUS: Final = {
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
    "Tesla": "SUPERCHARGER",  # REST: the brand is Tesla, too
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
    """Return the meanings of an enum's values by bare name, full name and number; None: no value."""
    table: dict[str, Any] = {}
    for index, name in enumerate(names):
        for spelling in (name, str(index), *(prefix + name for prefix in prefixes)):
            table[folded(spelling)] = NOT_KNOWN if name == "Unknown" else means.get(name)
    return table


NO_SUPPLY_V: Final = 20  # below is noise: 1 to 2 V with nothing connected, and in DC sessions
POWER_STEP_W: Final = 1000  # of sources that report the power as a whole number of kW

_STATE_PREFIXES: Final = ("DetailedChargeState", "ChargeState")
STATUS: Final = words(STATES, _STATUS, *_STATE_PREFIXES)
CHARGING: Final = words(STATES, {name: name == "Charging" for name in STATES}, *_STATE_PREFIXES)
PLUGGED: Final = words(STATES, {name: name != "Disconnected" for name in STATES}, *_STATE_PREFIXES)
FAST_TYPE: Final = words((*_FAST, "Tesla"), _FAST_TYPE, "FastCharger")
FAST_PRESENT: Final = words((*_FAST, "Tesla"), {name: name in _FAST_TYPE for name in (*_FAST, "Tesla")}, "FastCharger")
CABLE: Final = words(_CABLES, {name: name != "SNA" for name in _CABLES}, "CableType")
LATCH: Final = words(_LATCHES, {"Engaged": True, "Disengaged": False, "Blocking": False, "SNA": NOT_KNOWN}, "ChargePortLatch")
INLET: Final = words(_PORTS, {"US": "NACS", "EU": "Type 2", "GB": "GB/T", "CCS": "CCS2"}, "ChargePort")
MODE: Final = words(_MODES, {name: name for name in _MODES}, "ScheduledChargingMode")


class Names(NamedTuple):
    """A source's names of the fields that are read together; "" is one that it does not have.

    `amount` reads a number of them in kW, V or A; None without one: the issue comes from its own row.
    """

    amount: Callable[[Known, str], float | None]
    state: str
    power: str  # of the charger on board, or of the fast charger
    volts: str
    amps: str
    phases: str = ""
    present: str = ""
    kind: str = ""
    pack_volts: str = ""
    pack_amps: str = ""

    def fields(self, *own: str) -> tuple[str, ...]:
        """Return the fields of a row that is read by its own ones and by those that distinguish AC from DC."""
        return tuple(dict.fromkeys(field for field in (*own, self.power, self.present, self.kind) if field))

    @property
    def beside(self) -> tuple[str, ...]:
        """Return the fields of `beside` of such rows."""
        return tuple(field for field in (self.state, self.phases, self.amps, self.volts) if field)

    def is_charging(self, known: Known) -> bool | None:
        """Return whether the car charges, by its state; None where that is not known."""
        found = CHARGING.get(folded(known[self.state])) if self.state in known else None
        return found if isinstance(found, bool) else None

    def is_dc(self, known: Known) -> bool | None:
        """Return whether it charges with DC; None where that is not known.

        A fast charger is present, or the power is higher than any on-board charger takes, and no phases are reported.
        """
        found = is_fast(known, self.present, self.kind)
        if found is not None or self.is_charging(known) is False:
            return found
        if self.amount(known, self.phases):
            return False
        kilowatts = self.amount(known, self.power)
        return True if kilowatts is not None and kilowatts * 1000 > DC_ABOVE_W else None


def amperage(known: Known, names: Names) -> Decoded:
    """Return the current: with AC of the line, with DC of the pack, where it is known. The line's is 0 with DC."""
    if names.is_dc(known):
        flowing = names.amount(known, names.pack_amps)
        return None if flowing is None or flowing <= 0 else quantity(flowing, "A")
    if names.amps not in known:
        return NOT_KNOWN
    amps, kilowatts = names.amount(known, names.amps), names.amount(known, names.power)
    if amps is None:
        return quantity(number(known[names.amps]), "A")
    is_contradicted = amps <= LOADED_ABOVE_A and kilowatts is not None and kilowatts >= 1
    return None if is_contradicted and names.is_charging(known) is not False else quantity(amps, "A")


def voltage(known: Known, names: Names) -> Decoded:
    """Return the voltage: with AC of the supply, with DC of the pack, where it is known."""
    field = names.pack_volts if names.is_dc(known) else names.volts
    if field not in known:
        return None if names.is_dc(known) else NOT_KNOWN
    volts = names.amount(known, field)
    volts = number(known[field]) if volts is None else volts
    return None if volts < NO_SUPPLY_V else quantity(volts, "V")


def whole_kilowatts(known: Known, names: Names) -> Decoded:
    """Return the power, a whole number of kW; 0 while a current flows was truncated, and is no value."""
    if names.power not in known:
        return NOT_KNOWN
    kilowatts, amps, volts = (names.amount(known, field) for field in (names.power, names.amps, names.volts))
    if kilowatts is None:
        return quantity(number(known[names.power]), "kW")
    is_cut = is_cut_to_zero(kilowatts, amps, volts)
    return None if is_cut and names.is_charging(known) is not False else quantity(kilowatts, "kW")


def phases(known: Known, names: Names, step_w: float) -> Decoded:
    """Return the phases in use; with DC there are none.

    Many cars report 2 on three phases: then the power decides, and 3 is used where it can't. `step_w`: the resolution of the
    power. Raises ValueError or TypeError.
    """
    if names.phases not in known:
        return NOT_KNOWN
    count = number(known[names.phases])
    if count == 0 or names.is_dc(known):
        return None
    if not count.is_integer():
        raise ValueError("a whole number of phases is wanted")
    if count != 2:  # noqa: PLR2004
        return value(int(count))
    kilowatts, volts, amps = (names.amount(known, field) for field in (names.power, names.volts, names.amps))
    if not (kilowatts and volts and amps) or amps < 3 or kilowatts < 0.7:  # noqa: PLR2004  (below, the power factor is low)
        return value(3)
    fitting = [
        each for each in (1, 2, 3) if abs(kilowatts * 1000 - each * volts * amps) <= 0.15 * each * volts * amps + step_w / 2
    ]
    return value(fitting[0] if len(fitting) == 1 else 3)


def plain_amount(known: Known, field: str) -> float | None:
    """Return the number of a field; None where it has none: its own row has the reason."""
    try:
        return number(known[field]) if field in known else None
    except (TypeError, ValueError):
        return None


def meant(table: Mapping[str, Any], content: Any) -> Any:
    """Return the meaning of a value of an enum. Raises Violation for one that is not in the table."""
    if folded(content) not in table:
        raise unknown_value(content, table)
    return table[folded(content)]


def flag_of(found: Any) -> Decoded:
    """Return the body of a flag; NOT_KNOWN where it is not known."""
    return value(found) if isinstance(found, bool) else NOT_KNOWN


def is_charging(state: Any) -> Decoded:
    """Return whether the car charges. An unknown state gives no value: the row of the status names it."""
    found = CHARGING.get(folded(state))
    return value(found) if isinstance(found, bool) else found


def is_plugged(known: Known, state: str, cable: str) -> bool | None:
    """Return whether a cable is in, by the charge state and by the kind of cable: the newer one that is clear decides.

    An unknown state is ignored here: its issue comes from the row of the status.
    """
    for field in known.newest_first((state, cable)):
        found = (PLUGGED if field == state else CABLE).get(folded(known[field]))
        if isinstance(found, bool):
            return found
    return None


def latched(known: Known, latch: str, state: str, cable: str) -> Decoded:
    """Return whether the cable is locked: early cars report Engaged with nothing in. Raises Violation."""
    if latch not in known:
        return NOT_KNOWN
    found = meant(LATCH, known[latch])
    return flag_of(is_plugged(known, state, cable) if found is True else found)


def is_fast(known: Known, present: str, kind: str) -> bool | None:
    """Return whether a fast charger is connected: by a flag, a text or a number, and by its kind; the newer one decides.

    An unreadable value is ignored here: its issue comes from its own row.
    """
    for field in known.newest_first((present, kind)):
        found = FAST_PRESENT.get(folded(known[field]))
        if field == present and not isinstance(known[field], bool) and folded(known[field]) in ("0", "1"):
            found = None  # a flag, not the number of a name
        if field == present and not isinstance(found, bool):
            try:
                found = flag(known[field])
            except ValueError:
                continue
        if isinstance(found, bool):
            return found
    return None


def fast_present(known: Known, present: str, kind: str) -> Decoded:
    """Return whether a fast charger is connected. Raises ValueError for an invalid flag."""
    if present in known and folded(known[present]) not in FAST_PRESENT:
        flag(known[present])
    return flag_of(is_fast(known, present, kind))


def minutes(hours: Any) -> Decoded:
    """Return the remaining time in whole minutes; None for less than zero. Raises ValueError or TypeError."""
    found = number(hours)
    return None if found < 0 else {"value": round(found * 60), "unit": "min"}


def ranges(known: Known, names: tuple[str, str, str], unit: str) -> Decoded:
    """Return the rated range, and next to it the estimated and the ideal one, by the names of their fields."""
    rated, estimated, ideal = names
    if rated not in known:
        return NOT_KNOWN
    body = battery_range(number(known[rated]), unit)
    for name, kind in ((estimated, "ESTIMATED"), (ideal, "IDEAL_CONDITIONS")):
        if (more := plain_amount(known, name)) is not None and more >= 0:
            body["additionalValues"].append({"type": kind, "value": more})
    return body
