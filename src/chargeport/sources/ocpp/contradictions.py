"""Leave out samples of a reading that others of the same reading contradict.

Stations fill fields that they do not measure with 0, mix the meters of several places, and name a wrong unit.
"""

from collections.abc import Mapping
from typing import Final

from chargeport.sources.ocpp.sampled_values import CURRENT, PAIRS, PHASES, POWER, TOTALS, Sample

_LINES: Final = (*PHASES, *PAIRS, "N")
_NO_VOLTAGE_V: Final = 230  # where none was sampled: only the order of magnitude counts
_UNIT_FACTOR: Final = 300  # units differ by 1000; voltages and numbers of phases by less than 3
_MIN_APPARENT_W: Final = 500  # below, the reactive current of an idle car may flow without power
_ONE_KILOWATT_W: Final = 1_050  # with the difference between two meters
_TRUNCATED_A: Final = 2  # below, the reactive current of an idle car may flow on three phases
_MAX_V: Final = 1_500  # no station has more: it stands for none
_MAX_A: Final = 3_000
_FLOWING_A: Final = 0.5
_FLOWING_W: Final = 100
_OFFERED: Final = ("Current.Offered", "Current.Import.Offered")
WRONG_UNIT: Final = f"{POWER}: is in another unit than it names"


def without_other_places(samples: dict[str, Sample], places: Mapping[str, int]) -> dict[str, Sample]:
    """Return the samples without those of a measurand that other samples of it were measured closer to the car.

    `places` has the rank of the place of each field that names one.
    """
    best: dict[str, int] = {}
    for field, rank in places.items():
        measurand = _measurand(field)
        best[measurand] = min(rank, best.get(measurand, rank))
    return {
        field: sample
        for field, sample in samples.items()
        if field not in places or places[field] == best[_measurand(field)]
    }  # fmt: skip


def without_placeholders(samples: dict[str, Sample]) -> dict[str, Sample]:
    """Return the samples without a total of 0 beside phases that are not, and without phases of 0 beside a total that is not.

    An offered current of 0 while current or power flows is none, either.
    """
    omitted: set[str] = set()
    for measurand in TOTALS:
        phases = [field for line in _LINES if (field := f"{measurand}.{line}") in samples]
        if measurand not in samples or not phases:
            continue
        total, of_phases = samples[measurand].value, [samples[field].value for field in phases]
        if total == 0 and sum(of_phases) != 0:
            omitted.add(measurand)
        elif total != 0 and not any(of_phases):
            omitted.update(phases)
    if _amps(samples) > _FLOWING_A or (_watts(samples) or 0) > _FLOWING_W:
        omitted.update(field for field in _OFFERED if field in samples and samples[field].value == 0)
    return {field: sample for field, sample in samples.items() if field not in omitted} if omitted else samples


def has_wrong_power(samples: Mapping[str, Sample]) -> bool:
    """Return whether the power is in another unit than it names, by the current and the voltage: by a factor of 1000."""
    power_w, apparent_w = _watts(samples), _apparent_w(samples)
    if not power_w or apparent_w < _MIN_APPARENT_W:
        return False
    return not apparent_w / _UNIT_FACTOR <= abs(power_w) <= apparent_w * _UNIT_FACTOR


def is_truncated_power(samples: Mapping[str, Sample]) -> bool:
    """Return whether a power of 0 kW is less than 1 kW, truncated by the station, while a current flows."""
    is_in_kw = any((sample.unit or "").casefold() == "kw" for field, sample in samples.items() if _measurand(field) == POWER)
    return is_in_kw and _watts(samples) == 0 and _amps(samples) >= _TRUNCATED_A and _apparent_w(samples) < _ONE_KILOWATT_W


def without_power(samples: dict[str, Sample]) -> dict[str, Sample]:
    """Return the samples without the imported power."""
    return {field: sample for field, sample in samples.items() if _measurand(field) != POWER}


def _measurand(field: str) -> str:
    """Return the measurand of a field, without its phase."""
    measurand, _, line = field.rpartition(".")
    return measurand if line.removesuffix("-N") in _LINES else field


def _fields(samples: Mapping[str, Sample], measurand: str) -> list[Sample]:
    """Return the total of a measurand, else its phases."""
    names = [measurand] if measurand in samples else [f"{measurand}.{line}" for line in _LINES]
    return [samples[name] for name in names if name in samples]


def _amps(samples: Mapping[str, Sample]) -> float:
    return sum(abs(sample.value) for sample in _fields(samples, CURRENT) if abs(sample.value) <= _MAX_A)


def _watts(samples: Mapping[str, Sample]) -> float | None:
    found = [sample.watts() for sample in _fields(samples, POWER)]
    return sum(found) if found else None


def _apparent_w(samples: Mapping[str, Sample]) -> float:
    volts = [each.value for field, each in samples.items() if _measurand(field) == "Voltage" and each.value <= _MAX_V]
    return _amps(samples) * (max(volts, default=0) or _NO_VOLTAGE_V)
