"""Meter samples of OCPP messages: select the sample of each field at an instant, and read the energy register.

Invalid data is tolerated: a sample that can't be read does not affect other samples of its message.
"""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chargeport.sources.ocpp.contradictions import (
    WRONG_UNIT,
    has_wrong_power,
    is_truncated_power,
    without_other_places,
    without_placeholders,
    without_power,
)
from chargeport.sources.ocpp.sampled_values import (
    EXPORT,
    GIVEN,
    INTERVAL,
    PAIRS,
    PERIODIC,
    PHASES,
    POWER,
    REGISTER,
    Rank,
    Sample,
    context_of,
    field_of,
    is_of_begin,
    location_rank,
    rank_of,
    sample_of,
)

_SECONDS_BELOW: Final = 100_000_000_000  # as milliseconds that is 1973, as seconds the year 5138
_NO_TIME_FROM_MS: Final = 4_102_444_800_000  # the year 2100
_TOGETHER_MS: Final = 1_000  # meter values of one message that are closer are one reading, split by the station

Short = Annotated[str, Meta(max_length=255)]
"""A text that is stored; names of OCPP are no longer."""

Stamp = Annotated[str, Meta(max_length=255)] | int | float | None
"""A timestamp; the time of receipt replaces an unusable one."""


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
    context: str = PERIODIC

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
        return self._total_w(POWER)

    def given_w(self) -> float | None:
        """Return the exported power in W where it is the only power that was sampled; else None."""
        return self._total_w(GIVEN) if self.power_w() is None else None

    def imported(self) -> "Reading":
        """Return the reading of a station that reports what it delivers as exported, with that as imported."""
        exported = {name: sample for name, sample in self.current.items() if ".Export" in name}
        renamed = {name.replace(".Export", ".Import"): sample for name, sample in exported.items()}
        others = {name: sample for name, sample in self.current.items() if name not in exported}
        return msgspec.structs.replace(self, current={**renamed, **others})

    def _total_w(self, measurand: str) -> float | None:
        named = [measurand] if measurand in self.current else [f"{measurand}.{name}" for name in (*PHASES, "N")]
        watts = [self.current[name].watts() for name in named if name in self.current]
        return sum(watts) if watts else None


def entries(values: object) -> list[Any]:
    """Return the entries of meter values; a single one may be without its list. Anything else has none."""
    return values if isinstance(values, list) else [values] if isinstance(values, dict) else []


def readings(values: object) -> list[Reading]:
    """Return the readings in a message's meter values, in its order, without entries of another form."""
    found: list[_Choice] = []
    for each in entries(values):
        if not isinstance(each, dict):
            continue
        stamp = each.get("timestamp")
        at = instant(stamp)
        last = found[-1].reading if found else None
        if last is None or not is_together(last.at, at):
            last = Reading(stamp, at, {}, {}, [])
            found.append(_Choice(last))
        elif at is not None and last.at is not None and at > last.at:
            last.stamp, last.at = stamp, at
        if "sampledValue" not in each:
            last.unreadable.append("sampledValue: is missing")
        samples = each.get("sampledValue")
        found[-1].add(samples if isinstance(samples, list) else [samples])
    return [each.made() for each in found]


def is_together(at: int | None, other_at: int | None) -> bool:
    """Return whether meter values of these instants are one reading."""
    return at == other_at or (at is not None and other_at is not None and abs(at - other_at) < _TOGETHER_MS)


class _Choice:
    """Chooses the samples of a reading: of several for one field, a present one, of the meter that is closest to the car."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._ranks: dict[tuple[str, bool], Rank] = {}
        self._places: dict[bool, dict[str, int]] = {False: {}, True: {}}

    def add(self, samples: list[object]) -> None:
        """Add samples to the reading."""
        reading, unreadable = self.reading, dict[str, str]()
        for sample in samples:
            if not isinstance(sample, dict):
                continue
            field, is_begin, rank = field_of(sample), is_of_begin(sample), rank_of(sample)
            try:
                value = sample_of(sample)
            except (TypeError, ValueError) as error:
                unreadable[field] = f"{field}: {error}"
                continue
            if value is None or rank > self._ranks.get((field, is_begin), rank):
                continue
            self._ranks[field, is_begin] = rank
            (reading.begin if is_begin else reading.current)[field] = value
            if (place := location_rank(sample)) is not None:
                self._places[is_begin][field] = place
            if field.startswith(INTERVAL):
                reading.context = context_of(sample)
        reading.unreadable += [text for field, text in unreadable.items() if field not in reading.current]

    def made(self) -> Reading:
        """Return the reading without the samples that others contradict."""
        reading = self.reading
        reading.begin = without_other_places(reading.begin, self._places[True])
        samples = without_placeholders(without_other_places(reading.current, self._places[False]))
        if has_wrong_power(samples):
            reading.unreadable.append(WRONG_UNIT)
            samples = without_power(samples)
        reading.current = without_power(samples) if is_truncated_power(samples) else samples
        return reading


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
