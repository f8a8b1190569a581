"""Where settings come from: flags, then the environment, then a TOML file.

A setting that is wrong or unknown stops the start with one sentence that names it.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from chargeport.errors import SettingError
from chargeport.settings import Settings, Table

SQLITE: Final = "sqlite:///"
Role = Literal["all", "api", "ingest", "deliver"]


# The short names of the environment; every other setting is CHARGEPORT_<TABLE>_<KEY>.
_SHORT_NAMES: Final = {
    "CHARGEPORT_DATABASE": ("database", "url"),
    "CHARGEPORT_HOST": ("server", "host"),
    "CHARGEPORT_PORT": ("server", "port"),
    "CHARGEPORT_LOG": ("server", "log"),
}


def environment_names() -> dict[str, tuple[str, str]]:
    """Each variable that is read, and the table and key that it sets."""
    names = {
        f"CHARGEPORT_{table}_{key}".upper(): (table, key)
        for table, settings in msgspec.structs.asdict(Settings()).items()
        if isinstance(settings, Table)
        for key, value in msgspec.structs.asdict(settings).items()
        if not isinstance(value, dict)
    }
    return names | _SHORT_NAMES


def load(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[tuple[str, str], Any] | None = None,
) -> Settings:
    """The settings from the file, overridden by the environment, overridden by flags. Raises SettingError."""
    tables = _from_file(file) if file is not None else {}
    if file is not None:
        tables["folder"] = str(file.absolute().parent)
    given = os.environ if environ is None else environ
    for name, (table, key) in environment_names().items():
        if given.get(name, ""):
            _set(tables, table, key, given[name])
            _checked(tables, f"{name} in the environment", strict=False)
    for (table, key), value in (flags or {}).items():
        if value is not None:
            _set(tables, table, key, value)
            _checked(tables, f"--{key}" if table != "database" else "--database", strict=False)
    return _checked(tables, str(file or "the settings"), strict=False)


def _set(tables: dict[str, Any], table: str, key: str, value: Any) -> None:
    if (table, key) == ("server", "trusted_proxies") and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    tables.setdefault(table, {})[key] = value


def _from_file(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingError(f"The settings file {file} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"The settings file {file} is not TOML: {error}.") from error
    _checked(tables, str(file), strict=True)
    return tables


def _checked(tables: dict[str, Any], where: str, *, strict: bool) -> Settings:
    """The settings, if they are right; else one sentence that names the setting and the rule."""
    try:
        return msgspec.convert(tables, Settings, strict=strict)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        name = path.rstrip("`").lstrip(".")
        prefix = f"{name}: " if name else ""
        raise SettingError(f"A setting is wrong ({where}): {prefix}{what}.") from None


def database_file(url: str) -> Path:
    """The file that a database URL names; a plain path is taken as one. Raises SettingError."""
    if url.startswith(SQLITE):
        path = url.removeprefix(SQLITE)
    elif "://" in url:
        raise SettingError(
            f"A setting is wrong: database.url: {url.split('://', maxsplit=1)[0]}:// is not supported: use sqlite:///FILE."
        )
    else:
        path = url
    if not path or path.startswith(":"):
        raise SettingError("A setting is wrong: database.url: a file is wanted, such as sqlite:///chargeport.db.")
    return Path(path)
