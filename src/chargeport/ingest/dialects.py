"""The dialects and the precedence of sources: built-in ones, and those of the settings."""

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
"""Dialects of sources on the charger's side."""


def dialects(own: Iterable[Mapping[str, Any] | str], folder: str) -> dict[str, Dialect]:
    """Return all dialects by name. `own` are tables, or names of files in `folder`. Raises SettingError."""
    known = dict(ALL)
    for number, table in enumerate(own):
        where = f"dialects[{number}]"
        try:
            dialect = user.from_file(Path(folder) / table) if isinstance(table, str) else user.from_table(table, where)
        except ValueError as error:
            raise SettingError(f"{error}") from error
        if dialect.name in known:
            raise SettingError(f"{where}: there is a dialect {dialect.name!r} already: choose another name.")
        known[dialect.name] = dialect
    return known


def ordered(order: Mapping[str, Sequence[str]], sources: Container[str]) -> dict[Signal, Sequence[str]]:
    """Return the settings' order of sources by signal. Raises SettingError for a source that is not among `sources`."""
    for code, names in order.items():
        if code not in BY_CODE:
            raise SettingError(f"precedence.order: {code!r} is no signal: see docs/reference/signals.md.")
        for name in names:
            if name not in sources:
                raise SettingError(f"precedence.order: {code}: no source is called {name!r}.")
    return {BY_CODE[code]: names for code, names in order.items()}


def stations(settings: Settings) -> frozenset[str]:
    """Return the names of the sources on the charger's side: by their dialect, or because a place lists them."""
    at_places = {name for place in settings.places for name in place.sources}
    by_dialect = {
        str(source["name"])
        for source in settings.sources
        if source.get("dialect", source.get("type")) in STATIONS and "name" in source
    }
    return STATIONS | at_places | by_dialect
