"""Build the sources of `[[sources]]`. An invalid setting stops the start with one sentence."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module, metadata
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chargeport.attempts import FailedAttempts
from chargeport.clock import Clock
from chargeport.dialects.table import Dialect
from chargeport.dialects.topics import TopicPattern
from chargeport.errors import SettingError, instead_of
from chargeport.runtime.source_status import SourceStatus
from chargeport.sources.base import Charging, Memory, Refused, Source, SourceContext, SourceError, SourceType

GROUP: Final = "chargeport.sources"
"""The entry-point group in which other packages provide source types."""

_BUILT_IN: Final = {
    "home_assistant": ("home_assistant", "HOME_ASSISTANT"),
    "kafka": ("kafka", "KAFKA"),
    "mqtt": ("mqtt.source", "TYPE"),
    "nats": ("nats", "NATS"),
    "ocpp": ("ocpp.source", "TYPE"),
    "polling": ("polling", "POLLING"),
    "recording": ("replay", "RECORDING"),
}
"""Our own types by name: the module below `chargeport.sources` that is loaded when needed, and the name of the type in it."""


class CommonKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of every source."""

    name: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="What `meta.source` shows; letters, digits, - _ .")
    ]
    type: Annotated[str, Meta(description="The type of source, which is its transport.")]
    dialect: Annotated[str | None, Meta(description="The dialect of its messages; most types have one of their own.")] = None
    topics: Annotated[
        list[str], Meta(description="Instead of the dialect's: `home/{vehicle}/{field}`; `{field...}` is all remaining levels.")
    ] = []
    vehicle: Annotated[str | None, Meta(description="The one car that all messages are about: id, VIN or alias.")] = None
    record: Annotated[str | None, Meta(description="Folder for a recording of all received messages, redacted.")] = None


class Built(msgspec.Struct, frozen=True):
    """A source, ready to run, with its dialect and status."""

    source: Source
    dialect: Dialect
    status: SourceStatus
    record: str | None = None


class Plugins(msgspec.Struct, frozen=True):
    """The source types of other packages by name, and the reasons of those that can't be used."""

    types: dict[str, SourceType]
    broken: dict[str, str]


def built_in(name: str) -> SourceType | None:
    """Return our source type with this name."""
    if name not in _BUILT_IN:
        return None
    module, constant = _BUILT_IN[name]
    type_: SourceType = getattr(import_module(f"chargeport.sources.{module}"), constant)
    return type_


@cache
def plugins() -> Plugins:
    """Return the source types of installed packages. A broken one is an error only for settings that name it."""
    found = Plugins({}, {})
    for entry in metadata.entry_points(group=GROUP):
        package = entry.dist.name if entry.dist is not None else "another package"
        try:
            kind = entry.load()
        except Exception as error:  # noqa: BLE001  (code of other packages)
            found.broken[entry.name] = f"{package} offers it, but can't be loaded: {error}"
            continue
        if not isinstance(kind, SourceType) or kind.name != entry.name:
            found.broken[entry.name] = f"{package} offers it, but as no SourceType of this name"
        elif kind.name in found.types or kind.name in _BUILT_IN:
            found.broken.setdefault(entry.name, f"{package} offers it, but there is one already")
        else:
            found.types[kind.name] = kind
    return found


def source_types() -> dict[str, SourceType]:
    """Return all our source types by name."""
    return {name: kind for name in _BUILT_IN if (kind := built_in(name)) is not None}


class Builder:
    """Build sources from settings."""

    def __init__(
        self,
        dialects: Mapping[str, Dialect],
        clock: Clock,
        memory: Callable[[str], Memory],
        charging: Charging,
        *,
        refused: Refused,
        attempts: FailedAttempts,
    ) -> None:
        """Prepare the builder.

        `memory` returns the memory of a source by its name; `charging` returns whether a car charges; `refused` is called with
        wrong credentials, `attempts` counts them.
        """
        self._refused = refused
        self._attempts = attempts
        self._dialects = dialects
        self._clock = clock
        self._memory = memory
        self._charging = charging

    def build(self, tables: Sequence[Mapping[str, Any]]) -> list[Built]:
        """Return the sources of all tables, in their order. Raises SettingError."""
        built: list[Built] = []
        for number, table in enumerate(tables):
            where = f"sources[{number}]"
            new = self._build(table, where)
            if any(new.source.name == other.source.name for other in built):
                raise SettingError(f"{where}.name: {new.source.name!r} is the name of another source already.")
            built.append(new)
        return built

    def _build(self, table: Mapping[str, Any], where: str) -> Built:
        common, own = _split(table, where)
        kind = built_in(common.type) or plugins().types.get(common.type)
        if kind is None:
            known = sorted({*_BUILT_IN, *plugins().types})
            why = plugins().broken.get(common.type, f"it is no type of source: {instead_of(common.type, known)}")
            raise SettingError(f"{where}.type: {common.type!r}: {why}.")
        dialect = self._dialect(common, kind, where)
        settings = _converted(own, kind.settings, f"{where} ({common.name})")
        status = SourceStatus(common.name, kind.name, dialect.name, self._clock)
        context = SourceContext(
            name=common.name, dialect=dialect.name, clock=self._clock, memory=self._memory(common.name), status=status,
            charging=self._charging, topics=_filters(dialect), vehicle=common.vehicle, refused=self._refused,
            attempts=self._attempts,
        )  # fmt: skip
        try:
            return Built(kind.build(settings, context), dialect, status, common.record)
        except SourceError as error:
            raise SettingError(f"{where} ({common.name}): {error}") from error
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise SettingError(f"{where} ({common.name}): {kind.name} can't be made: {what}.") from error

    def _dialect(self, common: CommonKeys, kind: SourceType, where: str) -> Dialect:
        name = common.dialect or kind.dialect
        if name is None or name not in self._dialects:
            what = "is needed" if name is None else f"{name!r} is no dialect"
            raise SettingError(f"{where}.dialect: {what}: {instead_of(name or '', sorted(self._dialects))}.")
        dialect = self._dialects[name]
        if not common.topics:
            return dialect
        try:
            return msgspec.structs.replace(dialect, topics=tuple(TopicPattern.parse(topic) for topic in common.topics))
        except ValueError as error:
            raise SettingError(f"{where}.topics: {error}.") from None


def _filters(dialect: Dialect) -> tuple[str, ...]:
    """Return the topics of a dialect as MQTT filters."""
    return tuple(dict.fromkeys(pattern.filter for pattern in (*dialect.topics, *dialect.status, *dialect.heartbeats)))


def _split(table: Mapping[str, Any], where: str) -> tuple[CommonKeys, dict[str, Any]]:
    names = set(CommonKeys.__struct_fields__)
    common = _converted({key: value for key, value in table.items() if key in names}, CommonKeys, where)
    return common, {key: value for key, value in table.items() if key not in names}


def _converted(table: Mapping[str, Any], into: type[msgspec.Struct], where: str) -> Any:
    if unknown := sorted(table.keys() - {field.encode_name for field in msgspec.structs.fields(into)}):
        known = [field.encode_name for field in msgspec.structs.fields(CommonKeys)] if into is not CommonKeys else []
        known += [field.encode_name for field in msgspec.structs.fields(into)]
        raise SettingError(f"{where}: {unknown[0]!r} is no key here: {instead_of(unknown[0], known)}.")
    try:
        return msgspec.convert(table, into, strict=True)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        name = path.rstrip("`")
        raise SettingError(f"{where}{name}: {what}.") from None
