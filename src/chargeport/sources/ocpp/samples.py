"""Meter samples of OCPP messages: select the sample of each field at an instant, and read the energy register.

Both versions have the same structure: 1.6 has text values and the unit in the sample, 2.x has numbers and a unit with a power
of ten next to it. Invalid data is tolerated: a sample that can't be read does not affect other samples of its message.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

REGISTER: Final = "Energy.Active.Import.Register"
"""The energy register: also the measurand of a sample that names none, in both versions."""
EXPORT: Final = "Energy.Active.Export.Register"
INTERVAL: Final = "Energy.Active.Import.Interval"
"""The energy since the sample before with the same context."""
PHASES: Final = ("L1", "L2", "L3")
PAIRS: Final = ("L1-L2", "L2-L3", "L3-L1")

_LOCATIONS: Final = ("Outlet", "Cable", "EV", "Inlet", "Body", "Upstream")  # of the meter; the first is preferred
_POWER: Final = "Power.Active.Import"
_GIVEN: Final = "Power.Active.Export"
_BY_PHASE: Final = ("Current.", "Power.", "Energy.", "Voltage")
_WHOLE: Final = ("Offered", "Minimum", "Maximum")  # of the station, whatever phase they are given for
_BEGIN: Final = "Transaction.Begin"
_PERIODIC: Final = "Sample.Periodic"  # the context of a sample that names none
_INTERRUPTION: Final = "Interruption."  # its samples are of its begin or end, and may be repeated like those of a begin
_SIGNED: Final = "SignedData"
_SIGNED_PREFIXES: Final = ("OCMF|", "<?xml", "{")  # signed data of stations that do not mark it as signed
_WH: Final = {"wh": 1.0, "kwh": 1_000.0, "mwh": 1_000_000.0}
_ENERGIES: Final = (REGISTER, EXPORT, INTERVAL)
_MAX_MULTIPLIER: Final = 12
_SECONDS_BELOW: Final = 100_000_000_000  # as milliseconds that is 1973, as seconds the year 5138
_NO_TIME_FROM_MS: Final = 4_102_444_800_000  # the year 2100
_TOGETHER_MS: Final = 1_000  # meter values of one message that are closer are one reading, split by the station

Short = Annotated[str, Meta(max_length=255)]
"""A text that is stored; names of OCPP are no longer."""


_Rank = tuple[bool, int]
"""The rank of a sample among those of one field, the lowest is the best: whether it is of an interruption; its location."""

Stamp = Annotated[str, Meta(max_length=255)] | int | float | None
"""A timestamp; the time of receipt replaces an unusable one."""


class Sample(msgspec.Struct, frozen=True):
    """A sampled value that can be read; `unit` is None where the station names none."""

    value: float
    unit: str | None = None

    def wh(self) -> float | None:
        """Return the value as energy in Wh; None in any other unit, and below 0: stations write -1 for none."""
        found = self.value * _WH.get((self.unit or "Wh").casefold(), math.nan)
        return round(found, 3) if math.isfinite(found) and found >= 0 else None


class Reading(msgspec.Struct):
    """What was sampled at one instant: the samples by field (the measurand, with the phase where there is one).

    `begin` are samples of the transaction's begin: stations repeat them in later messages. `unreadable` has a sentence for each
    field of which no sample can be read. `stamp` is the station's own text for the instant. `context` is that of an interval.
    """

    stamp: object = None
    at: int | None = None
    current: dict[str, Sample] = {}
    begin: dict[str, Sample] = {}
    unreadable: list[str] = []
    context: str = _PERIODIC

    def register_wh(self, *, at_begin: bool = False) -> list[float]:
        """Return the possible values of the energy register in Wh, the most likely first; empty where it was not sampled.

        Without a total the phases are added; a station that gives its total for each phase has them all alike.
        """
        samples = self.begin if at_begin else self.current
        if REGISTER in samples:
            return _known([samples[REGISTER].wh()])
        for names in (PHASES, PAIRS, ("N",)):
            found = _known([samples[f"{REGISTER}.{name}"].wh() for name in names if f"{REGISTER}.{name}" in samples])
            if found:
                total = round(sum(found), 3)
                return [total] if len(found) == 1 or len(set(found)) > 1 else [total, found[0]]
        return []

    def is_of_some_phases(self) -> bool:
        """Return whether the energy register was sampled for one or two of the three phases only."""
        return REGISTER not in self.current and 0 < sum(f"{REGISTER}.{each}" in self.current for each in PHASES) < len(PHASES)

    def export_wh(self) -> float | None:
        """Return the register of exported energy in Wh: as it is given, else the sum of the phases."""
        return self._total_wh(EXPORT)

    def interval_wh(self) -> float | None:
        """Return the energy since the sample before in Wh: as it is given, else the sum of the phases."""
        return self._total_wh(INTERVAL)

    def _total_wh(self, measurand: str) -> float | None:
        named = [measurand] if measurand in self.current else [f"{measurand}.{name}" for name in (*PHASES, "N")]
        found = _known([self.current[name].wh() for name in named if name in self.current])
        return round(sum(found), 3) if found else None

    def power_w(self) -> float | None:
        """Return the power in W, as the station gives it or as the sum of the phases; None where it was not sampled."""
        return self._total_w(_POWER)

    def given_w(self) -> float | None:
        """Return the exported power in W where it is the only power that was sampled; else None."""
        return self._total_w(_GIVEN) if self.power_w() is None else None

    def imported(self) -> "Reading":
        """Return the reading of a station that reports what it delivers as exported, with that as imported."""
        exported = {name: sample for name, sample in self.current.items() if ".Export" in name}
        renamed = {name.replace(".Export", ".Import"): sample for name, sample in exported.items()}
        others = {name: sample for name, sample in self.current.items() if name not in exported}
        return msgspec.structs.replace(self, current={**renamed, **others})

    def _total_w(self, measurand: str) -> float | None:
        named = [measurand] if measurand in self.current else [f"{measurand}.{name}" for name in (*PHASES, "N")]
        watts = [
            sample.value * (1_000 if (sample.unit or "W").casefold() == "kw" else 1)
            for name in named
            if (sample := self.current.get(name)) is not None
        ]
        return sum(watts) if watts else None


def entries(values: object) -> list[Any]:
    """Return the entries of meter values; a single one may be without its list. Anything else has none."""
    return values if isinstance(values, list) else [values] if isinstance(values, dict) else []


def readings(values: object) -> list[Reading]:
    """Return the readings in a message's meter values, in its order, without entries of another form."""
    found: list[Reading] = []
    ranks: dict[tuple[str, bool], _Rank] = {}
    for each in entries(values):
        if not isinstance(each, dict):
            continue
        stamp = each.get("timestamp")
        at = instant(stamp)
        last = found[-1] if found else None
        if last is None or not is_together(last.at, at):
            last = Reading(stamp, at, {}, {}, [])
            ranks = {}
            found.append(last)
        elif at is not None and last.at is not None and at > last.at:
            last.stamp, last.at = stamp, at
        samples = each.get("sampledValue")
        _choose(last, samples if isinstance(samples, list) else [samples], ranks)
    return found


def is_together(at: int | None, other_at: int | None) -> bool:
    """Return whether meter values of these instants are one reading."""
    return at == other_at or (at is not None and other_at is not None and abs(at - other_at) < _TOGETHER_MS)


def _choose(reading: Reading, samples: list[object], ranks: dict[tuple[str, bool], _Rank]) -> None:
    """Add samples to a reading: of several for one field, a present one, of the meter that is closest to the car."""
    unreadable: dict[str, str] = {}
    for sample in samples:
        if not isinstance(sample, dict):
            continue
        field = _field(sample)
        try:
            value = _read(sample)
        except (TypeError, ValueError) as error:
            unreadable[field] = f"{field}: {error}"
            continue
        if value is None:
            continue
        is_begin = sample.get("context") == _BEGIN
        rank = _rank(sample)
        if rank <= ranks.get((field, is_begin), rank):
            ranks[field, is_begin] = rank
            (reading.begin if is_begin else reading.current)[field] = value
            if field.startswith(INTERVAL):
                reading.context = str(sample.get("context") or _PERIODIC)
    reading.unreadable += [text for field, text in unreadable.items() if field not in reading.current]


def _field(sample: Mapping[str, object]) -> str:
    """Return the measurand with its phase. Voltages name both lines; any other quantity `L1-N` is that of L1."""
    measurand, phase = str(sample.get("measurand") or REGISTER), sample.get("phase")
    if not phase or not measurand.startswith(_BY_PHASE) or measurand.endswith(_WHOLE):
        return measurand
    if measurand == "Voltage":
        return f"Voltage.{phase}-N" if phase in PHASES else f"Voltage.{phase}"
    return f"{measurand}.{str(phase).removesuffix('-N')}"


def _rank(sample: Mapping[str, object]) -> _Rank:
    location = sample.get("location") or _LOCATIONS[0]
    location_rank = _LOCATIONS.index(location) if location in _LOCATIONS else len(_LOCATIONS)
    return str(sample.get("context") or _PERIODIC).startswith(_INTERRUPTION), location_rank


def _read(sample: Mapping[str, object]) -> Sample | None:
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
    if unit is not None and unit.casefold() not in _WH and str(sample.get("measurand") or REGISTER) in _ENERGIES:
        raise ValueError(f"{unit[:20]!r} is no unit of energy")
    return Sample(value, unit)


def _unit(sample: Mapping[str, object]) -> tuple[str | None, int]:
    """Return the unit and the power of ten next to it. Raises ValueError."""
    measure = sample.get("unitOfMeasure")
    if not isinstance(measure, dict):
        unit = measure or sample.get("unit")  # some stations write the unit alone
        return None if not unit else str(unit), 0
    unit = measure.get("unit") or sample.get("unit")
    multiplier = measure.get("multiplier") or 0
    if not isinstance(multiplier, int) or abs(multiplier) > _MAX_MULTIPLIER:
        raise ValueError(f"multiplier: {str(multiplier)[:20]} is no power of ten to work with")
    return None if not unit else str(unit), multiplier


def _known(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def instant(text: object) -> int | None:
    """Return ms since the epoch by the station's clock; None if it is no time. Without a zone it is UTC.

    The first and the last instants that software can write stand for none.
    """
    found = _milliseconds(text)
    return found if found is not None and 0 < found < _NO_TIME_FROM_MS else None


def _milliseconds(text: object) -> int | None:
    if isinstance(text, int | float) and not isinstance(text, bool) and math.isfinite(text):
        return round(text * 1000 if abs(text) < _SECONDS_BELOW else text)
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip().upper())
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def iso(at: int) -> str:
    """Return an instant in the format of OCPP."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def last_at(found: list[Reading]) -> int | None:
    """Return the instant of the last reading by the station's clock; None where none has a time."""
    return max((reading.at for reading in found if reading.at is not None), default=None)


def decoded(raw: msgspec.Raw) -> list[Reading]:
    """Return the readings in meter values that are still JSON."""
    try:
        return readings(msgspec.json.decode(raw)) if bytes(raw) else []
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return []
