"""Load the settings: from flags, then the environment, then a TOML file.

An invalid or unknown setting stops the start with one sentence that names it.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec

from chargeport.errors import SettingError, instead_of
from chargeport.settings import Settings, Table
from chargeport.sources.base import SourceError
from chargeport.sources.extras import secret
from chargeport.store.encryption import Encryption

FILE_NAME: Final = "chargeport.toml"
"""The settings file in the working directory, which is read unless another file is named."""
Role = Literal["all", "api", "ingest", "deliver"]


_PREFIX: Final = "CHARGEPORT_"
# The short names of the environment; every other setting is CHARGEPORT_<TABLE>_<KEY>.
_SHORT_NAMES: Final = {
    "CHARGEPORT_DATABASE": ("database", "url"),
    "CHARGEPORT_HOST": ("server", "host"),
    "CHARGEPORT_PORT": ("server", "port"),
    "CHARGEPORT_LOG": ("server", "log"),
}


_DEFAULTS: Final[dict[tuple[str, str], Any]] = {
    (table, key): value
    for table, settings in msgspec.structs.asdict(Settings()).items()
    if isinstance(settings, Table)
    for key, value in msgspec.structs.asdict(settings).items()
    if not isinstance(value, dict)
}


def environment_names() -> dict[str, tuple[str, str]]:
    """Return the variables that are read, with the table and key that each sets."""
    return {f"{_PREFIX}{table}_{key}".upper(): (table, key) for table, key in _DEFAULTS} | _SHORT_NAMES


def settings_file(named: Path | None) -> Path | None:
    """Return the settings file: the named one, else ./chargeport.toml if it exists."""
    if named is not None:
        return named
    default = Path(FILE_NAME)
    return default if default.is_file() else None


def load(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[tuple[str, str], Any] | None = None,
) -> Settings:
    """Return the settings from the file, overridden by the environment, overridden by flags. Raises SettingError.

    Without `file`, no file is read: `settings_file` returns the default.
    """
    tables = _from_file(file) if file is not None else {}
    if file is not None:
        tables["folder"] = str(file.absolute().parent)
    variables = os.environ if environ is None else environ
    for name, (table, key) in environment_names().items():
        if variables.get(name, ""):
            _set(tables, table, key, variables[name])
            _checked(tables, f"{name} in the environment", strict=False)
    for (table, key), value in (flags or {}).items():
        if value is not None:
            _set(tables, table, key, value)
            _checked(tables, f"--{key}" if table != "database" else "--database", strict=False)
    return _checked(tables, str(file or "the settings"), strict=False)


def misspelt_variables(environ: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Yield each unknown variable with a name similar to that of a setting, and that name."""
    known = {name.removeprefix(_PREFIX): name for name in environment_names()}
    for name in os.environ if environ is None else environ:
        bare = name.removeprefix(_PREFIX)
        if name.startswith(_PREFIX) and bare not in known:
            yield from ((name, known[near]) for near in get_close_matches(bare, known, n=1, cutoff=0.7))


def _set(tables: dict[str, Any], table: str, key: str, value: Any) -> None:
    """Set one setting. A list is a text with commas between its members."""
    if isinstance(_DEFAULTS.get((table, key)), list) and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    tables.setdefault(table, {})[key] = value


def _from_file(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingError(f"the file can't be read: {error.strerror}.", str(file)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"the file is not TOML: {error}.", str(file)) from error
    if "folder" in tables:
        raise SettingError(f"{_unknown_key('', 'folder')}.", str(file))
    _checked(tables, str(file), strict=True)
    return tables


def _checked(tables: dict[str, Any], where: str, *, strict: bool) -> Settings:
    """Return the settings. Raises SettingError, which names the setting and the rule."""
    try:
        return msgspec.convert(tables, Settings, strict=strict)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        name = path.rstrip("`").lstrip(".")
        raise SettingError(f"{_explained(name, what)}.", where) from None


_UNKNOWN: Final = re.compile("Object contains unknown field `(.*)`", re.DOTALL)
_INVALID_CHOICE: Final = re.compile("Invalid enum value '(.*)'", re.DOTALL)


def _explained(path: str, what: str) -> str:
    """Return an error of msgspec at a path as a sentence, with allowed values if they are known."""
    if unknown := _UNKNOWN.fullmatch(what):
        return _unknown_key(path, unknown[1])
    kind = _kind_at(path)
    if (invalid := _INVALID_CHOICE.fullmatch(what)) and get_origin(kind) is Literal:
        return f"{path}: {invalid[1]!r} is none of its values: {instead_of(invalid[1], get_args(kind))}"
    if what == "Expected `array`, got `object`" and path.isidentifier():
        return f"{path}: there may be several: write [[{path}]]"
    return f"{path}: {what}" if path else what


def _unknown_key(path: str, key: str) -> str:
    """Describe an unknown key at this path; name the table of a key that is in another one."""
    name = f"{path}.{key}" if path else key
    tables = [table for table, kind in _keys(Settings).items() if not path and key in _keys(kind)]
    if tables:
        return f"{name} is no setting here: it belongs under [{tables[0]}]"
    return f"{name} is no setting: {instead_of(key, _keys(_kind_at(path)))}"


def _kind_at(path: str) -> Any:
    """Return the type of the settings at a path such as `vehicles[0]`."""
    kind: Any = Settings
    for name in re.findall(r"[^.\[\]]+(?=$|[.\[])", path):
        kind = _keys(kind).get(name)
        while get_origin(kind) in (Annotated, list, UnionType):
            kind = get_args(kind)[0]
    return kind


def _keys(kind: Any) -> dict[str, Any]:
    """Return the keys of a table and their types; none of another type. `folder` is no key of the file."""
    if not (isinstance(kind, type) and issubclass(kind, Table)):
        return {}
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind) if field.name != "folder"}


def encryption(settings: Settings) -> Encryption:
    """Return the encryption of secrets at rest, which reads the keys when it needs them. Raises SettingError."""
    reference = settings.database.key

    def keys() -> str | None:
        try:
            return None if reference is None else secret("database.key", reference)
        except SourceError as error:
            raise SettingError(str(error)) from error

    return Encryption(keys)
