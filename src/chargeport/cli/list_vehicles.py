"""The vehicle of each row of a list of sessions: a list of evcc or of a charger may have those of several vehicles."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from chargeport.cli.finding import called
from chargeport.errors import ChargeportError
from chargeport.store.records import Vehicle

NO_NAME = "no name"


class Chosen(NamedTuple):
    """Whether each row is of the vehicle, and the number of rows of other vehicles, by name."""

    is_own: list[bool]
    others: Mapping[str, int]


def names_of(vehicle: Vehicle) -> set[str]:
    """Return the names by which a list may mean a vehicle, in lower case: an alias also without the source before it."""
    aliases = [part for alias in vehicle.aliases for part in (alias, alias.partition(":")[2])]
    named = (vehicle.id, vehicle.vin, vehicle.model, called(vehicle), *aliases)
    return {_folded(name) for name in named if name}


def chosen(named: Sequence[str | None], names: Collection[str]) -> Chosen:
    """Choose the rows of the vehicle with these names, from the vehicle that each row names (None: it names none).

    Rows that all name one vehicle, or none, are of the vehicle that the person names. Raises ChargeportError if there are
    several and none of them has one of the names.
    """
    found = dict.fromkeys(name for name in named if name is not None)
    if not any(_folded(name) in names for name in found):
        if len(found) > 1:
            listed = ", ".join(map(repr, found))
            way_out = "name the vehicle as the list does, with chargeport vehicle edit VEHICLE --alias NAME"
            raise ChargeportError(f"These are sessions of {listed}: {way_out}.")
        return Chosen([True] * len(named), {})
    is_own = [name is not None and _folded(name) in names for name in named]
    others = Counter(name or NO_NAME for name, own in zip(named, is_own, strict=True) if not own)
    return Chosen(is_own, dict(others))


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
