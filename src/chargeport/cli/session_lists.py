"""Lists of charging sessions that other programs, or people, keep: read into sessions, each row checked for itself."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from chargeport.cli.local_times import instants, written
from chargeport.derive.records.records import wire_instant
from chargeport.derive.records.reported import OPEN_FOR_MS, RECORDS, from_record
from chargeport.derive.sessions.session import Session
from chargeport.errors import ChargeportError
from chargeport.signals.bodies import is_placeholder
from chargeport.signals.records import ChargeRecord, Cost, Place
from chargeport.signals.violation import Rule, Violation

# Headers are compared without case, signs, accented letters and units; evcc's are in its user's language. The first counts.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "sessionid", "recordid"),
    "start": ("startedat", "start", "starttime", "startdate", "started", "begin", "created", "from", "startzeit", "date"),
    "end": ("endedat", "end", "endtime", "enddate", "ended", "stop", "stoptime", "finished", "to", "endzeit"),
    "duration": ("durations", "durationseconds", "duration", "chargingtime", "chargingduration", "ladedauer"),
    "energy": ("energyadded", "chargedenergy", "chargeenergyadded", "kwhadded", "energy", "energie", "kwh", "charged"),
    "drawn": ("energydrawn", "chargeenergyused", "kwhused", "energyused"),
    "start_soc": (
        "startsocpercent",
        "startsoc",
        "socstart",
        "startbatterylevel",
        "startingbattery",
        "startingsoc",
        "startstateofcharge",
    ),
    "end_soc": ("endsocpercent", "endsoc", "socend", "endbatterylevel", "endingbattery", "endingsoc", "endstateofcharge"),
    "odometer": ("odometer", "mileage", "kilometerstand"),
    "meter_start": ("meterstart", "anfangszhlerstand"),
    "meter_end": ("meterend", "meterstop", "endzhlerstand"),
    "cost": ("costamount", "cost", "price", "totalcost", "chargecost", "preis"),
    "currency": ("costcurrency", "currency"),
    "type": ("chargingtype", "type"),
    "public": ("ispublic", "ispubliccharger", "public"),
    "place": ("placename", "location", "loadpoint", "chargingpoint", "ladepunkt", "place", "site"),
    "address": ("placeaddress", "address"),
    "latitude": ("placelatitude", "latitude", "lat"),
    "longitude": ("placelongitude", "longitude", "lon", "lng"),
    "estimated": ("isestimated",),
    "power": ("maxpowerw",),
}
NUMBERS: Final = (
    "energy",
    "drawn",
    "start_soc",
    "end_soc",
    "odometer",
    "meter_start",
    "meter_end",
    "cost",
    "power",
    "duration",
)

KM_A_MILE: Final = 1.609344
_UNITS: Final = {"wh": 0.001, "mwh": 1000.0, "mi": KM_A_MILE, "miles": KM_A_MILE}
_UNIT_OF_CELL: Final = re.compile(r"(?<=[\d\s])(kwh|wh|mwh|km|mi|miles|%)$", re.IGNORECASE)
_GROUP_SIGNS: Final = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?!\d))")
_UNIT: Final = re.compile(r"[(\[]\s*([^)\]]*?)\s*[)\]]\s*$|_(kwh|wh|mwh|km|mi|miles)$", re.IGNORECASE)
_SIGNS: Final = " €$\u00a3"
_CLOCK: Final = re.compile(r"(\d+):(\d\d):(\d\d)")  # of a duration
_SPOKEN: Final = re.compile(  # a duration as evcc and TeslaFi write it: 3h5m10s, 3 hours 5 mins
    r"(?:(\d+)\s*h(?:ours?|rs?)?)?\s*(?:(\d+)\s*m(?:in(?:ute)?s?)?)?\s*(?:(\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?)?", re.IGNORECASE
)
_GROUPED: Final = re.compile(r"-?\d{1,3}(?:(?:\.\d{3})+,|(?:,\d{3})+\.)\d+")  # 1.021,55 or 1,021.55
SECONDS_LONG: Final = 10  # digits of the seconds since 1970, from 2001 to 2286
_EPOCH: Final = re.compile(r"\d{10}|\d{13}")
_YES: Final = {"true": True, "yes": True, "1": True, "t": True, "false": False, "no": False, "0": False, "f": False}


class Row(NamedTuple):
    """A row of a list: its number in the file, and its cells by header."""

    number: int
    cells: Mapping[str, Any]


class Refused(NamedTuple):
    """A row that can't be taken, and why."""

    number: int
    reason: str


class Read(msgspec.Struct, frozen=True):
    """The sessions of a list, the rows that were refused, and headers that mean nothing here."""

    sessions: list[Session]
    refused: list[Refused]
    unknown: list[str]


def read(
    text: str,
    source: str,
    at: int,
    *,
    columns: Mapping[str, str],
    zone: ZoneInfo | None,
    currency: str | None,
    time_format: str | None = None,
) -> Read:
    """Read a list that is CSV or JSON. `columns` has the header of a member of COLUMNS, where it is not a known one.

    Times are written as `time_format` says, or as in ISO 8601; those without a zone are in `zone`. `currency` is of costs that
    name none. Raises ChargeportError.
    """
    rows = list(_rows(text))
    if not rows:
        raise ChargeportError("The file holds no sessions: a header and lines of CSV are wanted, or a JSON array of objects.")
    headers = list(dict.fromkeys(name for row in rows for name in row.cells))
    chosen = _chosen(headers, columns)
    if "charging_state" in {name.strip().lower() for name in headers} and _plain(chosen.get("start", "")) in ("", "date"):
        rows = _of_minutes(rows)
        headers = list(rows[0].cells) if rows else []
        chosen = _chosen(headers, {})
    if rows and "start" not in chosen:
        raise ChargeportError(
            f"No column says when a session began: --column start=NAME, of {', '.join(map(repr, headers[:20]))}."
        )
    times = [(row, _time(row.cells.get(chosen["start"]), time_format)) for row in rows]
    ends = [(row, _time(row.cells.get(chosen.get("end", "")), time_format)) for row in rows]
    begun = {row.number: instant for row, instant in instants(times, zone)}
    ended = {row.number: instant for row, instant in instants(ends, zone)}
    sessions, refused = [], []
    for row in rows:
        try:
            values = _values(row, chosen)
            values["start"], values["end"] = _instant(begun[row.number], "start"), _instant(ended[row.number], "end")
            sessions.append(_session(values, source, at, currency))
        except Violation as violation:
            refused.append(Refused(row.number, violation.detail))
    known = set(chosen.values())
    return Read(sessions, refused, [name for name in headers if name not in known])


def _rows(text: str) -> Iterator[Row]:
    if text.lstrip()[:1] in ("[", "{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ChargeportError(f"The file is not JSON: {error}.") from None
        while isinstance(found, dict):
            found = next((value for value in found.values() if isinstance(value, list)), [found])
        yield from (Row(number, element) for number, element in enumerate(found, 1) if isinstance(element, dict))
        return
    lines = csv.reader(io.StringIO(text), delimiter=_delimiter(text))
    header = next(lines, [])
    for cells in lines:
        if any(cell.strip() for cell in cells):
            yield Row(lines.line_num, dict(zip(header, cells, strict=False)))


def _delimiter(text: str) -> str:
    first = text.splitlines()[0] if text else ""
    return max(",;\t", key=first.count)


def _plain(header: str) -> str:
    without_unit = _UNIT.sub("", header.strip())
    return re.sub(r"[^a-z0-9]", "", without_unit.lower())


def _chosen(headers: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return which header stands for which member. Raises ChargeportError for one that is not there."""
    by_plain: dict[str, str] = {}
    for header in headers:
        by_plain.setdefault(_plain(header), header)
    found = {}
    for name, known in COLUMNS.items():
        if name in columns:
            if columns[name] not in headers:
                raise ChargeportError(f"--column {name}={columns[name]}: the file has no such column.")
            found[name] = columns[name]
        else:
            found |= next(({name: by_plain[plain]} for plain in known if plain in by_plain), {})
    return found


def _time(value: Any, form: str | None) -> datetime | Violation | None:
    if value is None or (isinstance(value, str) and (not value.strip() or value.startswith("0001-01-01"))):
        return None
    if form is None and _EPOCH.fullmatch(text := str(value).strip()):
        return datetime.fromtimestamp(int(text) / (1 if len(text) == SECONDS_LONG else 1000), UTC)
    found = written(str(value), form)
    if found is not None:
        return found
    way_out = "write 2026-05-01 09:59:58, or say how it is written, as --time-format '%d.%m.%Y %H:%M:%S'"
    return Violation(Rule.BAD_FORMAT, f"{str(value)[:40]!r} is no time: {way_out}", "time")


def _instant(found: int | Violation | None, name: str) -> int | None:
    if isinstance(found, Violation):
        raise Violation(found.rule, f"{name}: {found.detail}", name)
    return found


def _values(row: Row, chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return the members of a row, numbers as numbers in our units. Raises Violation."""
    values: dict[str, Any] = {}
    for name, header in chosen.items():
        value = row.cells.get(header)
        if value is None or (isinstance(value, str) and is_placeholder(value)):
            continue
        values[name] = _number(value, header) if name in NUMBERS else str(value).strip()
    return values


def _number(value: Any, header: str) -> float:
    text = _GROUP_SIGNS.sub("", str(value).strip()).strip(_SIGNS)
    unit = _UNIT_OF_CELL.search(text) or _UNIT.search(header.strip())
    text = _UNIT_OF_CELL.sub("", text).strip(_SIGNS)
    if (clock := _CLOCK.fullmatch(text)) is not None:
        return float(int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3]))
    if text and (spoken := _SPOKEN.fullmatch(text)) is not None:
        return int(spoken[1] or 0) * 3600 + int(spoken[2] or 0) * 60 + float(spoken[3] or 0)
    if _GROUPED.fullmatch(text):  # the sign that comes last, and once, is the decimal one
        text = text.replace(min(",.", key=text.rfind), "")
    if re.fullmatch(r"-?\d+,\d+", text):
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise Violation(Rule.BAD_FORMAT, f"{header}: {text[:40]!r} is no number", header)
    name = "" if unit is None else next((each for each in unit.groups() if each), "")
    return number * _UNITS.get(name.strip().lower(), 1.0)


def _session(values: Mapping[str, Any], source: str, at: int, currency: str | None) -> Session:
    """Return a row as a session. Raises Violation where a rule of charge records is broken."""
    start, end = values.get("start"), values.get("end")
    if start is None:
        raise Violation(Rule.MISSING, "it does not say when it began", "start")
    if end is None and values.get("duration"):
        end = start + round(values["duration"] * 1000)
    paid = values.get("cost")
    coin = values.get("currency") or currency
    kind = str(values.get("type", "")).upper()
    place = Place(
        values.get("place"), values.get("address"), *(_degrees(values.get(name)) for name in ("latitude", "longitude"))
    )
    record = ChargeRecord(
        startTime=wire_instant(start),
        endTime=None if end is None else wire_instant(end),
        startStateOfCharge=values.get("start_soc"),
        endStateOfCharge=values.get("end_soc"),
        energyAdded=values.get("energy"),
        isPublicCharger=_YES.get(str(values.get("public", "")).lower()),
        chargingType=msgspec.convert(kind, type=Any) if kind in ("AC", "DC") else None,
        cost=None if paid is None or coin is None else Cost(coin, paid),
        location=None if place == Place() else place,
        id=values.get("id"),
        odometer=values.get("odometer"),
        meterStart=values.get("meter_start"),
        meterEnd=values.get("meter_end"),
    )
    record.check(RECORDS.code)
    session = from_record(record, source, min(at, start + OPEN_FOR_MS))
    assert session is not None  # noqa: S101  (it has a start)
    return msgspec.structs.replace(
        session,
        energy_drawn_kwh=values.get("drawn"),
        max_power_w=values.get("power"),
        estimated=_YES.get(str(values.get("estimated", "")).lower(), False),
    )


def _degrees(value: str | None) -> float | None:
    return None if value is None else _number(value, "degrees")


def _of_minutes(rows: Sequence[Row]) -> list[Row]:
    """Return the sessions of TeslaFi's table, which has a row for each minute with whether the car charges."""
    found: list[Row] = []
    group: list[Row] = []
    for row in [*rows, None]:
        cells = {} if row is None else {name.strip().lower(): value for name, value in row.cells.items()}
        if row is not None and str(cells.get("charging_state", "")).strip() == "Charging":
            group.append(Row(row.number, cells))
            continue
        if group:
            found.append(_of_group(group, cells if cells.get("charging_state") in ("Complete", "Stopped") else {}))
        group = []
    return found


def _of_group(group: Sequence[Row], after: Mapping[str, Any]) -> Row:
    first, last = group[0].cells, group[-1].cells
    ended = after or last
    return Row(
        group[0].number,
        {
            "start": first.get("date"),
            "end": ended.get("date"),
            "energy": ended.get("charge_energy_added") or last.get("charge_energy_added"),
            "start_soc": first.get("battery_level"),
            "end_soc": ended.get("battery_level") or last.get("battery_level"),
            "odometer (mi)": first.get("odometer"),
            "location": first.get("location") or first.get("tagged_location"),
            "type": "DC" if str(first.get("fast_charger_present", "")).strip().lower() in ("1", "true") else None,
        },
    )
