"""Parsers of options and arguments: each error describes what is accepted."""

import re
import uuid
from typing import Final
from urllib.parse import urlsplit

import typer

from chargeport.cli import times
from chargeport.ingest.times import observed_at
from chargeport.signals import instants
from chargeport.signals.definition import Permission
from chargeport.store.records import is_vin

MAX_LABEL: Final = 128  # characters of a name, an alias, a user id
FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2100
MAX_SHOWN: Final = 40  # characters of what was typed, quoted in an error

LAST_AT: Final = 4_102_444_800_000  # 2100-01-01

_SCRIPTS: Final = frozenset({"javascript", "data", "file", "vbscript", "blob", "about"})
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def label(text: str) -> str:
    """Return a name: 1 to 128 printable characters, without surrounding spaces. Raises BadParameter."""
    stripped = text.strip()
    if not 0 < len(stripped) <= MAX_LABEL or not stripped.isprintable():
        raise typer.BadParameter(f"{quoted(text)} is not 1 to {MAX_LABEL} printable characters.")
    return stripped


def redirect(text: str) -> str:
    """Return a redirect URI, of the web or of an app's own scheme, without a fragment. Raises BadParameter."""
    address = text.strip()
    parts = urlsplit(address)
    is_web = parts.scheme in ("http", "https")
    if not address.isprintable() or " " in address or not parts.scheme or parts.fragment or "#" in address:
        raise typer.BadParameter(f"{quoted(text)} is no address to send people back to: https://HOST/PATH, or scheme://PATH.")
    if parts.scheme in _SCRIPTS or (is_web and not parts.hostname):
        raise typer.BadParameter(f"{quoted(text)} can't be an address to send people back to.")
    return address


def vin(text: str) -> str:
    """Return a VIN in capitals. Raises BadParameter."""
    capitals = text.strip().upper()
    if not is_vin(capitals):
        raise typer.BadParameter(f"{quoted(text)} is no VIN: it has 17 letters and digits, without I, O and Q.")
    return capitals


def uuid_text(text: str) -> str:
    """Return a UUID as text, in small letters and with hyphens. Raises BadParameter."""
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise typer.BadParameter(f"{quoted(text)} is no UUID: leave the option out to get a new one.") from None


def year(text: str) -> int:
    """Return a model year. Raises BadParameter."""
    if not text.isascii() or not text.isdigit() or not FIRST_YEAR <= int(text[:5]) <= LAST_YEAR:
        raise typer.BadParameter(f"{quoted(text)} is no model year: it is from {FIRST_YEAR} to {LAST_YEAR}.")
    return int(text)


def permission(text: str) -> Permission:
    """Return a permission by its name. Raises BadParameter."""
    try:
        return Permission(text.strip().lower())
    except ValueError:
        raise typer.BadParameter(f"{quoted(text)} is no permission: there are {', '.join(Permission)}.") from None


def speed(text: str) -> float:
    """Return a factor of speed, from 0.1 to 3600. Raises BadParameter."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0.1 <= value <= 3600:  # noqa: PLR2004  (false for NaN, too)
        raise typer.BadParameter(f"{quoted(text)} is not a number from 0.1 to 3600.")
    return value


def instant(text: str) -> int:
    """Parse a day (its beginning, UTC) or an instant, ISO 8601 or as in tables; return ms since 1970. Raises BadParameter."""
    stripped = text.strip()
    if (local := times.parse(stripped)) is not None:
        return local
    day = f"{stripped}T00:00Z" if _DAY.fullmatch(stripped) else stripped
    try:
        return observed_at(int(day) if day.isascii() and day.isdigit() else day, LAST_AT, 0)
    except ValueError:
        raise typer.BadParameter(f"{quoted(text)} is no time: write 2026-05-01 or 2026-05-01T09:59:58Z.") from None


def seconds(name: str, text: str) -> float:
    """Return a duration in ISO 8601, in seconds. Raises BadParameter."""
    length_ms = instants.duration_ms(text.strip().upper())
    if length_ms is None:
        raise typer.BadParameter(f"{name}: {quoted(text)} is no duration: write PT90S, PT30M, PT8H or P1D.")
    return length_ms / 1000


def quoted(text: str) -> str:
    """Return the typed text in quotes, shortened, with control characters escaped."""
    return repr(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…")
