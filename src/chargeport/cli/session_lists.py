"""Lists of charging sessions by other programs or people: read into sessions, with a separate check of each row."""

from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from chargeport.cli import list_times, list_vehicles
from chargeport.cli.list_cells import Cells, plain
from chargeport.cli.list_rows import Row, rows_of
from chargeport.cli.local_times import RepeatedTime
from chargeport.derive.records.records import wire_instant
from chargeport.derive.records.reported import OPEN_FOR_MS, RECORDS, from_record
from chargeport.derive.sessions.energy import COUNTER_TOLERANCE
from chargeport.derive.sessions.session import Session
from chargeport.errors import ChargeportError
from chargeport.ingest.times import OLDEST_AT
from chargeport.signals.bodies import is_placeholder
from chargeport.signals.records import ChargeRecord, Cost, Place
from chargeport.signals.violation import Rule, Violation

# Headers are compared without case, punctuation, accents and units; evcc's are in its user's language. The first match counts.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "sessionid", "recordid"),
    "start_date": ("startdate", "date", "day", "datum", "startdatum"),
    "end_date": ("enddate", "enddatum"),
    "start": (
        "startedat",
        "start",
        "starttime",
        "startdate",
        "started",
        "begin",
        "created",
        "chargestart",
        "chargingstart",
        "from",
        "startzeit",
        "date",
        "datum",
        "day",
    ),
    "end": (
        "endedat",
        "end",
        "endtime",
        "enddate",
        "ended",
        "stop",
        "stoptime",
        "finished",
        "chargeend",
        "chargingend",
        "to",
        "endzeit",
    ),
    "duration": ("duration", "chargingtime", "chargingduration", "ladedauer"),
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
        "socbefore",
    ),
    "end_soc": (
        "endsocpercent",
        "endsoc",
        "socend",
        "endbatterylevel",
        "endingbattery",
        "endingsoc",
        "endstateofcharge",
        "socafter",
    ),
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
    "vehicle": ("vehicleid", "vehicle", "vehiclename", "vehicletitle", "fahrzeug", "vin", "carid", "car", "carname"),
}
NUMBERS: Final = (
    "energy",
    "drawn",
    "start_soc",
    "end_soc",
    "odometer",
    "meter_start",
    "meter_end",
    "power",
)
COORDINATES: Final = ("latitude", "longitude")  # they are written with a point, also where amounts have a comma

TIMES_OF_DAY: Final = ("time", "timeofday", "uhrzeit", "startuhrzeit", "starttime")
_YES: Final = {"true": True, "yes": True, "1": True, "t": True, "false": False, "no": False, "0": False, "f": False}


MAX_FUTURE_MS: Final = 24 * 60 * 60_000
"""How far in the future a session may be: the clock or the zone of the program that wrote the list may be wrong."""


class Refused(NamedTuple):
    """A rejected row, and the reason."""

    number: int
    reason: str


class Read(msgspec.Struct, frozen=True):
    """The sessions of a list, the rejected rows, unknown headers, and the number of rows of other vehicles, by name."""

    sessions: list[Session]
    refused: list[Refused]
    unknown: list[str]
    others: Mapping[str, int] = {}


def read(
    text: str,
    source: str,
    at: int,
    *,
    columns: Mapping[str, str],
    zone: ZoneInfo | None,
    currency: str | None,
    time_format: str | None = None,
    names: Collection[str] = (),
) -> Read:
    """Read a list that is CSV or JSON. `columns` has the headers of members of COLUMNS that have no known header.

    Times are in the format `time_format`, or in ISO 8601; those without a zone are in `zone`. `currency` is that of costs
    without one. Of several vehicles, the rows of the one with these `names` are read. Raises ChargeportError.
    """
    rows, headers, chosen = _table(text, columns)
    if not rows:
        return Read([], [], [])
    time_of_day = next((name for name in headers if plain(name) in TIMES_OF_DAY), None)
    dated = list_times.with_dates(rows, chosen, time_of_day, time_format)
    rows, chosen = list(dated.rows), chosen | {"start": dated.start}
    begun, ended = list_times.starts_and_ends(dated, chosen.get("end"), time_format, zone)
    cells = Cells.of(row.cells.get(chosen[name]) for row in rows for name in (*NUMBERS, "cost") if name in chosen)
    has_shares = _has_shares(
        [row.cells.get(chosen[name]) for row in rows for name in ("start_soc", "end_soc") if name in chosen]
    )
    own = list_vehicles.chosen([_vehicle(row, chosen) for row in rows], names)
    sessions, refused = [], []
    for row in compress(rows, own.is_own):
        try:
            values = _values(row, chosen, cells, currency)
            if has_shares:
                values |= {name: 100 * values[name] for name in ("start_soc", "end_soc") if name in values}
            times = begun[row.number], ended[row.number]
            if any(isinstance(each, RepeatedTime) for each in times):
                times = list_times.told_apart(*times, _lasted_s(values, chosen, cells))
            start, end = _instant(times[0], "start", at), _instant(times[1], "end", at)
            if start is not None and end is None and "duration" in values:
                end = start + round(cells.seconds(values["duration"], chosen["duration"]) * 1000)
            sessions.append(_session(values | {"start": start, "end": end}, source, at))
        except Violation as violation:
            refused.append(Refused(row.number, violation.detail))
    known = set(chosen.values())
    return Read(sessions, refused, [name for name in headers if name not in known], own.others)


def _table(text: str, columns: Mapping[str, str]) -> tuple[list[Row], list[str], dict[str, str]]:
    """Return the rows of a list, its headers, and the header of each member. Raises ChargeportError."""
    rows = list(rows_of(text))
    if not rows:
        raise ChargeportError("The file holds no sessions: a header and lines of CSV are wanted, or a JSON array of objects.")
    headers = list(dict.fromkeys(name for row in rows for name in row.cells))
    chosen = _chosen(headers, columns)
    if "charging_state" in {name.strip().lower() for name in headers} and plain(chosen.get("start", "")) in ("", "date"):
        rows = _of_minutes(rows)
        headers = list(rows[0].cells) if rows else []
        chosen = _chosen(headers, {})
    if rows and "start" not in chosen:
        raise ChargeportError(
            f"No column has the start of a session: --column start=NAME, of {', '.join(map(repr, headers[:20]))}."
        )
    return rows, headers, chosen


def _has_shares(charge: Sequence[Any]) -> bool:
    """Return whether the states of charge of a list are shares: none is above 1 or has a percent sign, one is in between."""
    try:
        found = [float(str(value).strip().replace(",", ".")) for value in charge if value not in (None, "")]
    except ValueError:
        return False
    return all(0 <= share <= 1 for share in found) and any(0 < share < 1 for share in found)


def _vehicle(row: Row, chosen: Mapping[str, str]) -> str | None:
    """Return the vehicle that a row names."""
    text = str(row.cells.get(chosen.get("vehicle", "")) or "").strip()
    return None if is_placeholder(text) else text


def _chosen(headers: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return the header of each member. Raises ChargeportError for a missing header."""
    by_plain: dict[str, str] = {}
    for header in headers:
        by_plain.setdefault(plain(header), header)
    found = {}
    for name, known in COLUMNS.items():
        if name in columns:
            if columns[name] not in headers:
                raise ChargeportError(f"--column {name}={columns[name]}: the file has no such column.")
            found[name] = columns[name]
        else:
            found |= next(({name: by_plain[each]} for each in known if each in by_plain), {})
    return found


def _instant(found: int | Violation | None, name: str, now: int) -> int | None:
    """Return a plausible instant of a session. Raises Violation."""
    if isinstance(found, Violation):
        raise Violation(found.rule, f"{name}: {found.detail}", name)
    if found is not None and found > now + MAX_FUTURE_MS:
        raise Violation(Rule.IN_THE_FUTURE, f"{name}: {wire_instant(found)} is in the future", name)
    if found is not None and found < OLDEST_AT:
        raise Violation(Rule.TOO_OLD, f"{name}: {wire_instant(found)} lies before the year 2000", name)
    return found


def _values(row: Row, chosen: Mapping[str, str], cells: Cells, currency: str | None) -> dict[str, Any]:
    """Return the members of a row: numbers in our units, a cost with its currency. Raises Violation."""
    values: dict[str, Any] = {}
    for name, header in chosen.items():
        value = row.cells.get(header)
        if value is not None and not (isinstance(value, str) and is_placeholder(value)):
            own = Cells() if name in COORDINATES else cells
            values[name] = own.number(value, header) if name in (*NUMBERS, *COORDINATES) else str(value).strip()
    if "cost" in values:
        values["cost"] = cells.money(values["cost"], chosen["cost"], values.get("currency", currency))
    return values


def _lasted_s(values: Mapping[str, Any], chosen: Mapping[str, str], cells: Cells) -> float | None:
    """Return the duration of a row in seconds; None where it is unknown."""
    try:
        return cells.seconds(values["duration"], chosen["duration"]) if "duration" in values else None
    except Violation:
        return None


def _session(values: Mapping[str, Any], source: str, at: int) -> Session:
    """Return a row as a session. Raises Violation if it breaks a rule of charge records."""
    start, end, paid = values["start"], values["end"], values.get("cost")
    if start is None:
        raise Violation(Rule.MISSING, "its start is missing", "start")
    kind = str(values.get("type", "")).upper()
    place, cost = _place(values), None if paid is None or paid.currency is None else Cost(paid.currency, paid.amount)
    meter_start, meter_end = _meter(values)
    record = ChargeRecord(
        startTime=wire_instant(start),
        endTime=None if end is None else wire_instant(end),
        startStateOfCharge=values.get("start_soc"),
        endStateOfCharge=values.get("end_soc"),
        energyAdded=values.get("energy"),
        isPublicCharger=_YES.get(str(values.get("public", "")).lower()),
        chargingType=msgspec.convert(kind, type=Any) if kind in ("AC", "DC") else None,
        cost=cost,
        location=None if place == Place() else place,
        id=values.get("id"),
        odometer=values.get("odometer") or None,  # evcc writes 0 while it is not known
        meterStart=meter_start,
        meterEnd=meter_end,
    )
    try:
        record.check(RECORDS.code)
    except Violation as violation:
        member = violation.path.rpartition(".")[2]
        raise Violation(violation.rule, f"{member}: {violation.detail}", member) from None
    session = from_record(record, source, min(at, start + OPEN_FOR_MS))
    assert session is not None  # noqa: S101  (it has a start)
    return msgspec.structs.replace(
        session,
        energy_drawn_kwh=values.get("drawn"),
        max_power_w=values.get("power"),
        estimated=_YES.get(str(values.get("estimated", "")).lower(), False),
    )


def _meter(values: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the readings of the meter; 0 is one at the start only, where the end shows what was charged since."""
    start, end, kwh = values.get("meter_start"), values.get("meter_end") or None, values.get("energy")
    low, high = COUNTER_TOLERANCE.bounds_kwh(kwh or 0.0)
    is_read = start != 0 or (end is not None and (kwh is None or low <= end <= high))
    return start if is_read else None, end


def _place(values: Mapping[str, Any]) -> Place:
    """Return the place of a row; 0, 0 means that the coordinates are unknown."""
    latitude, longitude = values.get("latitude"), values.get("longitude")
    if not (latitude or longitude):
        latitude = longitude = None
    return Place(values.get("place"), values.get("address"), latitude, longitude)


def _of_minutes(rows: Sequence[Row]) -> list[Row]:
    """Return the sessions of TeslaFi's table, which has a row for each minute that states whether the car charges."""
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
