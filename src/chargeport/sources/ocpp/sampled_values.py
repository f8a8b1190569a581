"""One sampled value of a meter: its field, its rank beside other samples of the field, and its number.

Both versions have the same structure: 1.6 has text values and the unit in the sample, 2.x has numbers and a unit with a power
of ten next to it. Names of measurands, phases and contexts are known in any case of letters.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

REGISTER: Final = "Energy.Active.Import.Register"
"""The energy register: also the measurand of a sample that names none, in both versions."""
EXPORT: Final = "Energy.Active.Export.Register"
INTERVAL: Final = "Energy.Active.Import.Interval"
"""The energy since the sample before with the same context."""
PHASES: Final = ("L1", "L2", "L3")
PAIRS: Final = ("L1-L2", "L2-L3", "L3-L1")
POWER: Final = "Power.Active.Import"
GIVEN: Final = "Power.Active.Export"
CURRENT: Final = "Current.Import"
PERIODIC: Final = "Sample.Periodic"
"""The context of a sample that names none."""
TOTALS: Final = (REGISTER, EXPORT, INTERVAL, POWER, GIVEN, CURRENT, "Current.Export")
"""Measurands that are sampled as a total, by phases, or both."""

_SOC: Final = "SoC"
_NAMES: Final = {
    each.casefold(): each
    for each in (*TOTALS, *PHASES, *PAIRS, "N", *(f"{phase}-N" for phase in PHASES), "Voltage", _SOC,
                 "Current.Offered", "Power.Offered", "Temperature", "Frequency", "Power.Factor")
}  # fmt: skip
_LOCATIONS: Final = ("Outlet", "Cable", "EV", "Inlet", "Body", "Upstream")  # of the meter; the first is preferred
_OF_THE_CAR: Final = ("EV", "Cable", "Inlet", "Outlet", "Body", "Upstream")  # of what only the car knows
_BY_PHASE: Final = ("Current.", "Power.", "Energy.", "Voltage")
_WHOLE: Final = ("Offered", "Minimum", "Maximum")  # of the station, whatever phase they are given for
_BEGIN: Final = "transaction.begin"
_INTERRUPTION: Final = "interruption."  # its samples are of its begin or end, and may be repeated like those of a begin
_SIGNED: Final = "SignedData"
_SIGNED_PREFIXES: Final = ("OCMF|", "<?xml", "{")  # signed data of stations that do not mark it as signed
_WH: Final = {"wh": 1.0, "kwh": 1_000.0, "mwh": 1_000_000.0}
_ENERGIES: Final = (REGISTER, EXPORT, INTERVAL)
_MAX_MULTIPLIER: Final = 12

Rank = tuple[bool, int]
"""The rank of a sample among those of one field, the lowest is the best: whether it is of an interruption; its location."""


class Sample(msgspec.Struct, frozen=True):
    """A sampled value that can be read; `unit` is None where the station names none."""

    value: float
    unit: str | None = None

    def wh(self) -> float | None:
        """Return the value as energy in Wh; None in any other unit, and below 0: stations write -1 for none."""
        found = self.value * _WH.get((self.unit or "Wh").casefold(), math.nan)
        return round(found, 3) if math.isfinite(found) and found >= 0 else None

    def watts(self) -> float:
        """Return the value as power in W."""
        return self.value * (1_000 if (self.unit or "W").casefold() == "kw" else 1)


def measurand_of(sample: Mapping[str, object]) -> str:
    """Return the measurand of a sample; the register where it names none."""
    return _named(sample.get("measurand")) or REGISTER


def field_of(sample: Mapping[str, object]) -> str:
    """Return the measurand with its phase. Voltages name both lines; any other quantity `L1-N` is that of L1."""
    measurand, phase = measurand_of(sample), _named(sample.get("phase"))
    if not phase or not measurand.startswith(_BY_PHASE) or measurand.endswith(_WHOLE):
        return measurand
    if measurand == "Voltage":
        return f"Voltage.{phase}-N" if phase in PHASES else f"Voltage.{phase}"
    return f"{measurand}.{phase.removesuffix('-N')}"


def is_of_begin(sample: Mapping[str, object]) -> bool:
    """Return whether a sample is of the transaction's begin."""
    return context_of(sample).casefold() == _BEGIN


def context_of(sample: Mapping[str, object]) -> str:
    """Return why a sample was taken."""
    return str(sample.get("context") or PERIODIC).strip()


def location_rank(sample: Mapping[str, object]) -> int | None:
    """Return the rank of the place at which a sample was measured, the lowest is the best; None where it names none."""
    location = str(sample.get("location") or "").strip().casefold()
    order = _OF_THE_CAR if measurand_of(sample) == _SOC else _LOCATIONS
    found = next((rank for rank, each in enumerate(order) if each.casefold() == location), len(order))
    return found if location else None


def rank_of(sample: Mapping[str, object]) -> Rank:
    """Return the rank of a sample among those of one field."""
    return context_of(sample).casefold().startswith(_INTERRUPTION), location_rank(sample) or 0


def sample_of(sample: Mapping[str, object]) -> Sample | None:
    """Return the sample; None without a value, and for signed data. Raises TypeError, ValueError."""
    content = sample.get("value")
    if content is None or content == "" or sample.get("format") == _SIGNED:
        return None
    if isinstance(content, str) and content.lstrip().startswith(_SIGNED_PREFIXES):
        return None
    if isinstance(content, bool) or not isinstance(content, int | float | str):
        raise TypeError("is no number")
    unit, multiplier = _unit(sample)
    try:
        value = float(content) if "_" not in str(content) else math.nan
    except ValueError:
        value = math.nan
    value = round(value * 10.0**multiplier, 6) if multiplier and math.isfinite(value) else value
    if not math.isfinite(value):
        raise ValueError("is no number")
    if unit is not None and unit.casefold() not in _WH and measurand_of(sample) in _ENERGIES:
        raise ValueError(f"{unit[:20]!r} is no unit of energy")
    return Sample(value, unit)


def _named(name: object) -> str:
    """Return a measurand or a phase as OCPP writes it; an empty text for none."""
    text = str(name or "").strip()
    return _NAMES.get(text.casefold(), text)


def _unit(sample: Mapping[str, object]) -> tuple[str | None, int]:
    """Return the unit and the power of ten next to it. Raises ValueError."""
    measure = sample.get("unitOfMeasure")
    if not isinstance(measure, dict):
        return _unit_name(measure or sample.get("unit")), 0  # some stations write the unit alone
    return _unit_name(measure.get("unit") or sample.get("unit")), _multiplier(measure.get("multiplier"))


def _unit_name(unit: object) -> str | None:
    return (str(unit).strip() or None) if unit else None


def _multiplier(content: object) -> int:
    """Return a power of ten, which may be a text. Raises ValueError."""
    try:
        found = float(content) if isinstance(content, int | float | str) and content != "" else 0.0
    except ValueError:
        found = math.nan
    if not found.is_integer() or abs(found) > _MAX_MULTIPLIER:
        raise ValueError(f"multiplier: {str(content)[:20]} is no power of ten to work with")
    return int(found)
