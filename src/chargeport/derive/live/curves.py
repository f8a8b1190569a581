"""The power that a car takes from a DC station at each state of charge: its curve, read from the data of car models.

The data is the JSON file of open-ev-data. The user provides the file; Chargeport contains none of it.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

import msgspec

MAX_POWER_W: Final = 4_000_000  # the upper bound of charge-wattage
SAME_CAPACITY_SHARE: Final = 0.05  # two batteries of a model differ by more in most cases


class PowerCurve(msgspec.Struct, frozen=True):
    """Points of (state of charge in percent, W), in ascending order; `curve` creates one."""

    points: tuple[tuple[float, float], ...]

    def power_w(self, soc_percent: float) -> float:
        """Return the power at a state of charge: interpolated, and constant beyond the ends."""
        index = bisect_right(self.points, soc_percent, key=lambda point: point[0])
        if index in (0, len(self.points)):
            return self.points[min(index, len(self.points) - 1)][1]
        (low, low_w), (high, high_w) = self.points[index - 1], self.points[index]
        return low_w + (high_w - low_w) * (soc_percent - low) / (high - low)


def curve(points: Iterable[tuple[float, float]]) -> PowerCurve:
    """Return a curve through points of (percent, W), in any order.

    Raises ValueError for fewer than two states of charge, a percentage outside 0 to 100, or an invalid power.

    >>> curve([(80, 50_000), (20, 110_000)]).power_w(50)
    80000.0
    """
    by_soc = {float(soc): float(power_w) for soc, power_w in points}
    for soc, power_w in by_soc.items():
        if not 0 <= soc <= 100:  # noqa: PLR2004  (percent)
            raise ValueError(f"a state of charge of {soc:.15g} % is not within 0 to 100: correct the curve's point")
        if not (math.isfinite(power_w) and 0 < power_w <= MAX_POWER_W):
            raise ValueError(f"a power of {power_w:.15g} W at {soc:.15g} % is not possible: correct the curve's point")
    if len(by_soc) < 2:  # noqa: PLR2004  (a line)
        raise ValueError("a curve needs points at two states of charge at least: add some, or leave the curve out")
    return PowerCurve(tuple(sorted(by_soc.items())))


class CarModel(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a car model: usable capacity, phases of the on-board charger, and measured DC curve; None if unknown."""

    capacity_kwh: float | None
    phases: int | None
    curve: PowerCurve | None


class _Point(msgspec.Struct, frozen=True):
    percentage: float
    power: float  # kW


class _Dc(msgspec.Struct, frozen=True):
    charging_curve: list[_Point] = []
    is_default_charging_curve: bool = False


class _Ac(msgspec.Struct, frozen=True):
    usable_phases: int | None = None


class _Entry(msgspec.Struct, frozen=True):
    brand: str
    model: str
    variant: str | None = None
    release_year: int | None = None
    usable_battery_size: float | None = None
    ac_charger: _Ac | None = None
    dc_charger: _Dc | None = None


class _File(msgspec.Struct, frozen=True):
    data: list[dict[str, object]]


def car_model(
    data: object, make: str, model: str, *, year: int | None = None, capacity_kwh: float | None = None
) -> CarModel | None:
    """Return the model in decoded open-ev-data JSON; None where it is missing, or several entries match and differ.

    `model` may include the variant. Of several years the newest up to `year` is used, of several batteries that of
    `capacity_kwh`. Invalid entries are ignored. Raises ValueError where the data is no such file.
    """
    try:
        file = msgspec.convert(data, _File)
    except msgspec.ValidationError as error:
        raise ValueError(f"the model data is not open-ev-data's JSON ({error}): give ev-data.json as it is published") from None
    matching = [entry for entry in map(_entry, file.data) if entry is not None and _is_called(entry, make, model)]
    if year is not None:
        matching = [entry for entry in matching if entry.release_year is None or entry.release_year <= year]
        newest = max((entry.release_year or 0 for entry in matching), default=0)
        matching = [entry for entry in matching if (entry.release_year or 0) == newest]
    if capacity_kwh is not None:
        matching = [entry for entry in matching if _has_battery(entry, capacity_kwh)]
    models = [_model(entry) for entry in matching]
    return models[0] if models and all(each == models[0] for each in models) else None


def _entry(raw: dict[str, object]) -> _Entry | None:
    try:
        return msgspec.convert(raw, _Entry)
    except msgspec.ValidationError:
        return None


def _is_called(entry: _Entry, make: str, model: str) -> bool:
    names = {entry.model, f"{entry.model} {entry.variant or ''}"}
    return _folded(entry.brand) == _folded(make) and _folded(model) in {_folded(name) for name in names}


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _has_battery(entry: _Entry, capacity_kwh: float) -> bool:
    size = entry.usable_battery_size
    return size is not None and abs(size - capacity_kwh) <= SAME_CAPACITY_SHARE * capacity_kwh


def _model(entry: _Entry) -> CarModel:
    size, ac = entry.usable_battery_size, entry.ac_charger
    phases = None if ac is None else ac.usable_phases
    return CarModel(
        capacity_kwh=size if size is not None and math.isfinite(size) and size > 0 else None,
        phases=phases if phases in (1, 2, 3) else None,
        curve=_measured(entry.dc_charger),
    )


def _measured(dc: _Dc | None) -> PowerCurve | None:
    """Return the measured curve; None for one that the data marks as a default, or an invalid one."""
    if dc is None or dc.is_default_charging_curve:
        return None
    try:
        return curve((point.percentage, point.power * 1000) for point in dc.charging_curve)
    except ValueError:
        return None
