"""A user's own dialect in TOML: rows like those of the built-in dialects, checked before they are used."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chargeport.dialects.all import ALL
from chargeport.dialects.field_values import folded
from chargeport.dialects.plain import beside_currents, dimension_of, signal_row, takes_number
from chargeport.dialects.table import Dialect, Gate, Row, dialect
from chargeport.dialects.topics import TopicPattern
from chargeport.dialects.user_form import Form, reader
from chargeport.errors import instead_of
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind, Signal
from chargeport.signals.units import factor_to_wire, spellings
from chargeport.signals.violation import Violation

_KEYS: Final = {
    "name": str, "topics": list, "base": str, "payload": str, "vehicle": str, "time": str, "time_unit": str, "ignored": list,
    "rows": list,
}  # fmt: skip
_ROW_KEYS: Final = {
    "field": str, "signal": str, "unit": str, "scale": float, "floor": float, "gate": str, "words": dict, "note": str,
}  # fmt: skip
_CHOICES: Final = {"payload": ("json", "text", "object"), "time_unit": ("ms", "s", "iso"), "gate": tuple(Gate)}
_NAMES: Final = {str: "a text", list: "a list", dict: "a table", float: "a number"}


class DialectError(ValueError):
    """A user's dialect is invalid; the text names the file, the row, the key, and the rule that it breaks."""


def from_file(path: Path) -> Dialect:
    """Return the dialect in a TOML file. Raises DialectError."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DialectError(f"{path}: can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DialectError(f"{path}: is no TOML: {error}") from None
    return from_table(table, str(path))


def from_table(table: Mapping[str, Any], where: str) -> Dialect:
    """Return the dialect that a table describes; `where` names it in errors. Raises DialectError."""
    _check(table, _KEYS, where)
    name = table.get("name")
    if not name or not name.replace("_", "").isalnum() or not name.isascii():
        raise DialectError(f"{where}: name: letters, digits and _ are wanted, such as mybox")
    if name in ALL:
        raise DialectError(
            f"{where}: name: {name!r} is a dialect already: take another, and write base = {name!r} to start from it"
        )
    base = _base(table, where)
    rows = [_row(row, f"{where}: rows[{index}]") for index, row in enumerate(table.get("rows", []), 1)]
    if not rows and base is None:
        raise DialectError(f"{where}: rows: at least one row is wanted: [[rows]] with field and signal")
    form = _form(table, where, base)
    ignored = _texts(table, "ignored", where)
    try:
        return dialect(
            name,
            *_base_rows(base, rows, ignored),
            *beside_currents(rows),
            ignored=_ignored(base, rows, ignored),
            topics=_topics(table, where, base),
            status=() if base is None else tuple(pattern.text for pattern in base.status),
            heartbeats=() if base is None else tuple(pattern.text for pattern in base.heartbeats),
            relevant=None if base is None else base.relevant,
            lasting=frozenset() if base is None else base.remembered - base.ends_with_plug,
            whole_car=None if base is None else base.whole_car,
            read=base.read if base is not None and form is None else reader(form or Form("json")),
            not_capable=None if base is None else base.not_capable,
        )
    except ValueError as error:
        raise DialectError(f"{where}: {error}") from None


def _check(table: Any, keys: Mapping[str, type], where: str) -> None:
    """Check that every key is known and its value of the right type. Raises DialectError."""
    if not isinstance(table, Mapping):
        raise DialectError(f"{where}: a table is wanted, not {str(table)[:40]!r}")
    for key, value in table.items():
        if key not in keys:
            raise DialectError(f"{where}: {key}: is no key here: {instead_of(str(key), keys)}")
        expected = keys[key]
        fits = (
            isinstance(value, int | float) and not isinstance(value, bool) if expected is float else isinstance(value, expected)
        )
        if not fits:
            raise DialectError(f"{where}: {key}: {_NAMES[expected]} is wanted, not {str(value)[:40]!r}")
        if key in _CHOICES and value not in _CHOICES[key]:
            raise DialectError(f"{where}: {key}: {value[:40]!r} is none of {', '.join(_CHOICES[key])}")


def _base(table: Mapping[str, Any], where: str) -> Dialect | None:
    name = table.get("base")
    if name is not None and name not in ALL:
        raise DialectError(f"{where}: base: {name[:40]!r} is no dialect: {instead_of(name, sorted(ALL))}")
    return None if name is None else ALL[name]


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    texts = table.get(key, [])
    for index, text in enumerate(texts, 1):
        if not isinstance(text, str) or not text:
            raise DialectError(f"{where}: {key}[{index}]: a text is wanted, not {str(text)[:40]!r}")
        if key == "ignored" and "*" in text[:-1]:
            raise DialectError(f"{where}: {key}[{index}]: {text[:40]!r}: * is allowed at the end only")
    return tuple(texts)


def _topics(table: Mapping[str, Any], where: str, base: Dialect | None) -> tuple[str, ...]:
    topics = _texts(table, "topics", where)
    for index, topic in enumerate(topics, 1):
        try:
            TopicPattern.parse(topic)
        except ValueError as error:
            raise DialectError(f"{where}: topics[{index}]: {error}") from None
    return topics or tuple(pattern.text for pattern in (base.topics if base is not None else ()))


def _form(table: Mapping[str, Any], where: str, base: Dialect | None) -> Form | None:
    """Return the form of deliveries; None for that of the base. Raises DialectError."""
    if table.keys() & {"payload", "vehicle", "time", "time_unit"}:
        if "time_unit" in table and "time" not in table:
            raise DialectError(f"{where}: time_unit: is of no use without time, the field that has the time")
        payload = table.get("payload", "object" if table.keys() & {"vehicle", "time"} else "json")
        if payload != "object" and table.keys() & {"vehicle", "time"}:
            raise DialectError(f"{where}: payload: one value has no other fields: vehicle and time want payload = 'object'")
        return Form(payload, table.get("vehicle"), table.get("time"), table.get("time_unit"))
    return None if base is not None else Form("json")


def _row(table: Any, where: str) -> Row:
    """Return the row that a table describes. Raises DialectError."""
    _check(table, _ROW_KEYS, where)
    for key in ("field", "signal"):
        if not table.get(key):
            raise DialectError(f"{where}: {key}: is missing")
    where = f"{where} ({table['field'][:60]})"
    code = table["signal"]
    if code not in BY_CODE:
        close = next((known for known in BY_CODE if known.partition("-")[2] == code), None)
        hint = f"write {close}" if close else f"there are {', '.join(BY_CODE)}"
        raise DialectError(f"{where}: signal: {code[:40]!r} is no signal: {hint}")
    signal = BY_CODE[code]
    _check_amount(table, signal, where)
    words = _words(table, signal, where)
    try:
        return signal_row(
            table["field"], code, table.get("unit"), scale=table.get("scale"), words=words, floor=table.get("floor"),
            gate=Gate(table.get("gate", Gate.ALWAYS)), note=table.get("note", ""),
        )  # fmt: skip
    except ValueError as error:
        raise DialectError(f"{where}: {error}") from None


def _check_amount(table: Mapping[str, Any], signal: Signal, where: str) -> None:
    """Check that a unit is one of the signal's, and that scale and floor are for numbers. Raises DialectError."""
    unit = table.get("unit")
    dimension = dimension_of(signal.code)
    if unit is not None and dimension is None:
        raise DialectError(f"{where}: unit: {signal.code} has none: leave it out")
    if unit is not None and dimension is not None and factor_to_wire(dimension, unit) is None:
        raise DialectError(f"{where}: unit: {unit[:40]!r} is no unit of {dimension}: use {', '.join(spellings(dimension))}")
    if "scale" in table and not (takes_number(signal.code) and table["scale"] and math.isfinite(table["scale"])):
        raise DialectError(f"{where}: scale: a number other than 0 is wanted, and only for a signal that is a number")
    if "floor" in table and (signal.kind is not Kind.QUANTITY or not 0 <= table["floor"] < math.inf):
        raise DialectError(f"{where}: floor: a number from 0 up is wanted, and only for a signal that has a unit")


def _words(table: Mapping[str, Any], signal: Signal, where: str) -> dict[str, Any] | None:
    """Return the `words` of a row with their values, None for an empty text; None without `words`. Raises DialectError."""
    if "words" not in table:
        return None
    if signal.kind is Kind.DOCUMENT or {"unit", "scale", "floor"} & table.keys():
        raise DialectError(f"{where}: words: not for {signal.code}, and not beside unit, scale, floor")
    found = {word: None if value == "" else value for word, value in table["words"].items()}
    for word, value in found.items():
        try:
            if value is not None:
                bodies.parse(signal, {"value": value})
        except Violation as error:
            raise DialectError(f"{where}: words.{word}: {error.detail}") from None
    if not found or len({folded(word) for word in found}) != len(found):
        raise DialectError(f"{where}: words: at least one is wanted, and case, -, _ and spaces do not distinguish words")
    return found


def _base_rows(base: Dialect | None, rows: list[Row], ignored: tuple[str, ...]) -> list[Row]:
    """Return the base's rows, except those that the user replaces or ignores."""
    if base is None:
        return []
    own = {(row.fields[0], row.signal) for row in rows}
    return [row for row in base.rows if (row.fields[0], row.signal) not in own and not set(row.fields) & set(ignored)]


def _ignored(base: Dialect | None, rows: list[Row], ignored: tuple[str, ...]) -> frozenset[str]:
    """Return the fields that the user ignores, and those that the base ignores and the user has no row for."""
    if base is None:
        return frozenset(ignored)
    own = {field for row in rows for field in row.fields}
    return frozenset(ignored) | (base.ignored - own) | {f"{prefix}*" for prefix in base.ignored_under}
