"""The dialects and preferences that are in force: the built-in ones, and those of the settings."""

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from chargeport.dialects import user
from chargeport.dialects.all import ALL
from chargeport.dialects.table import Dialect
from chargeport.errors import SettingError
from chargeport.settings import Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal

STATIONS: Final = frozenset({"evcc", "ocpp"})
"""Dialects of what stands on the charger's side of the cable."""


def dialects(own: Iterable[Mapping[str, Any] | str], folder: str) -> dict[str, Dialect]:
    """Return all dialects by name; the settings' own are tables, or files named from `folder`. Raises SettingError."""
    known = dict(ALL)
    for number, table in enumerate(own):
        where = f"dialects[{number}]"
        try:
            each = user.from_file(Path(folder) / table) if isinstance(table, str) else user.from_table(table, where)
        except ValueError as error:
            raise SettingError(f"{error}") from error
        if each.name in known:
            raise SettingError(f"{where}: there is a dialect {each.name!r} already: choose another name.")
        known[each.name] = each
    return known


def ordered(order: Mapping[str, Sequence[str]], sources: Container[str]) -> dict[Signal, Sequence[str]]:
    """Return the settings' precedence by signal, of these `sources`. Raises SettingError."""
    for code, names in order.items():
        if code not in BY_CODE:
            raise SettingError(f"precedence.order: {code!r} is no signal: see docs/reference/signals.md.")
        for name in names:
            if name not in sources:
                raise SettingError(f"precedence.order: {code}: no source is called {name!r}.")
    return {BY_CODE[code]: names for code, names in order.items()}


def stations(settings: Settings) -> frozenset[str]:
    """Return the names of the sources on the charger's side: by their dialect, or because they stand at a place."""
    at_places = {name for place in settings.places for name in place.sources}
    by_dialect = {
        str(each["name"]) for each in settings.sources if each.get("dialect", each.get("type")) in STATIONS and "name" in each
    }
    return STATIONS | at_places | by_dialect
