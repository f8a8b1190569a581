"""Charging sessions over the API: sessions with all details, totals, files, and people's edits."""

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from chargeport.api import cursors, instants, paging, record_rows
from chargeport.api.record_rows import BY_VEHICLE, FORM, ORDER, VEHICLE, Row, parameters_of, rows_of
from chargeport.api.records_by_vehicle import list_by_vehicle
from chargeport.api.request import Request
from chargeport.api.request_body import json_body
from chargeport.api.response import Header, Response, answer, json_answer, packed_answer
from chargeport.api.vehicles import AT_ONCE
from chargeport.derivation import record_changes
from chargeport.derive.records.edits import Annotate, Change, Edit, Merge, Remove, Seen, Split, without_place
from chargeport.errors import MALFORMED, PERMISSION, VEHICLE_NOT_FOUND, ChargeportError, NotFoundError, Problem
from chargeport.signals.definition import READS, Permission
from chargeport.signals.documents import MAX_TEXT, ChargingType
from chargeport.signals.records import MAX_AMOUNT, MAX_ENERGY_KWH, MAX_READING, ChargeRecord, Cost, Place
from chargeport.store.audit import Act
from chargeport.store.records import VehicleSeries
from chargeport.wire.encoding import encode
from chargeport.wire.envelope import iso

ZONE: Final = "zone"
MAX_SIZE: Final = 500
MAX_VEHICLES: Final = 500
MAX_BYTES: Final = 65_536


async def list_records(request: Request) -> Response:
    """Return the sessions of the application's vehicles, newest first, with totals of all that match."""
    grant = await request.allowed(Permission.READ_CHARGE_RECORDS)
    parameters, page = parameters_of(request), paging.requested_page(request.query, default_size=100, max_size=MAX_SIZE)
    form, zone = parameters.get(FORM, "json"), _zone(parameters.get(ZONE, "UTC"))
    if parameters.get(ORDER) == BY_VEHICLE:
        return await list_by_vehicle(request, parameters, page.size)
    if cursors.NAME in parameters:
        raise cursors.unknown(parameters[cursors.NAME])
    vehicles = await request.context.fleet.vehicles(grant)
    if (ids := parameters.get(VEHICLE)) is not None:
        named = set(ids.split(","))
        vehicles = [vehicle for vehicle in vehicles if vehicle.id in named]
        if len(vehicles) < len(named):
            raise Problem(VEHICLE_NOT_FOUND, f"{VEHICLE}: no vehicle with this id is connected to the application.")
    if len(vehicles) > MAX_VEHICLES:
        way_out = f"select vehicles with {VEHICLE}, or use {ORDER}={BY_VEHICLE}"
        raise Problem(MALFORMED, f"{len(vehicles)} vehicles are more than {MAX_VEHICLES}: {way_out}.")
    rows = list[Row]()
    for start in range(0, len(vehicles), AT_ONCE):
        rows += await rows_of(request, [vehicle.id for vehicle in vehicles[start : start + AT_ONCE]], parameters)
    rows.sort(key=lambda row: str(row["started_at"]), reverse=True)
    if form != "json":
        whose = vehicles[0].id if len(vehicles) == 1 else ""
        await request.context.store.audit.add(Act.EXPORTED, whose, f"{len(rows)} records as {form}")
        return _file(request, form, rows)
    data, path, totals = rows[page.offset : page.offset + page.size], f"{request.base}/records", _totals(rows, zone)
    body = encode(paging.listed(path, data, page, len(rows), request.query, totals=totals))
    return packed_answer(request.header(b"accept-encoding"), body, request.request_id)


async def list_edits(request: Request) -> Response:
    """Return the edits of a vehicle's sessions, oldest first."""
    found = await _of_path(request, Permission.READ_CHARGE_RECORDS)
    allowed = await request.context.access.permissions(await request.grant(), found.vehicle.id, request.user_id)
    sees_places = Permission.READ_CHARGE_LOCATIONS in allowed
    edits = await request.context.store.sessions.edits(found.vehicle.id)
    data = [
        {"number": edit.number, "madeAt": iso(edit.made_at), "edit": _shown_edit(edit.body, sees_places=sees_places)}
        for edit in edits
    ]
    return json_answer(200, {"data": data}, request.request_id)


def _shown_edit(body: str, *, sees_places: bool) -> Any:
    return msgspec.Raw(body.encode()) if sees_places else without_place(msgspec.json.decode(body, type=Change))


async def change_records(request: Request) -> Response:
    """Store a person's change of a vehicle's sessions."""
    found = await _of_path(request, Permission.MANAGE)
    wish: Wish = await json_body(request, Wish, MAX_BYTES, wrong="The body is no change of a session")
    try:
        number = await _kept(request, found, wish)
    except (ChargeportError, NotFoundError) as error:
        raise Problem(MALFORMED, str(error)) from None
    return json_answer(201, {"data": {"number": number}}, request.request_id)


_Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
_Energy = Annotated[float, Meta(ge=0, le=MAX_ENERGY_KWH)]
_Instant = Annotated[datetime, Meta(extra_json_schema={"pattern": instants.RFC3339_PATTERN})]
_Percent = Annotated[float, Meta(ge=0, le=100)]
_Reading = Annotated[float, Meta(ge=0, le=MAX_READING)]


class Paid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cost of a session."""

    amount: Annotated[float, Meta(ge=0, le=MAX_AMOUNT)]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class _Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A change as the API accepts it; `type` is its kind."""


class SplitWish(_Wish, frozen=True, tag="split"):
    """Split a record in two: the second begins at an instant."""

    record: str
    at: _Instant

    def edit(self, found: list[Seen]) -> Edit:
        """Return the edit of what was found."""
        return Split(found[0], _at(self.at))


class MergeWish(_Wish, frozen=True, tag="merge"):
    """Merge several records into one."""

    records: tuple[str, ...]

    def edit(self, found: list[Seen]) -> Edit:
        """Return the edit of what was found."""
        return Merge(tuple(found))


class RemoveWish(_Wish, frozen=True, tag="remove"):
    """Hide a record."""

    record: str

    def edit(self, found: list[Seen]) -> Edit:
        """Return the edit of what was found."""
        return Remove(found[0])


class AnnotateWish(_Wish, frozen=True, tag="annotate"):
    """Correct members of a record; the others are not changed."""

    record: str
    note: _Text | None = None
    place: _Text | None = None
    is_public: bool | None = None
    energy_added_kwh: _Energy | None = None
    cost: Paid | None = None

    def edit(self, found: list[Seen]) -> Edit:
        """Return the edit of what was found."""
        return Annotate(
            record=found[0], note=self.note, place_name=self.place, is_public=self.is_public, cost=_cost(self.cost),
            energy_added_kwh=self.energy_added_kwh,
        )  # fmt: skip


class AddWish(_Wish, frozen=True, tag="add"):
    """Add a session that no source reported."""

    started_at: _Instant
    ended_at: _Instant
    energy_added_kwh: _Energy | None = None
    energy_drawn_kwh: _Energy | None = None
    start_soc_percent: _Percent | None = None
    end_soc_percent: _Percent | None = None
    odometer_km: _Reading | None = None
    meter_start_kwh: _Reading | None = None
    meter_end_kwh: _Reading | None = None
    charging_type: ChargingType | None = None
    place: _Text | None = None
    is_public: bool | None = None
    cost: Paid | None = None
    note: _Text | None = None


class UndoWish(_Wish, frozen=True, tag="undo"):
    """Undo the change of this number."""

    number: Annotated[int, Meta(ge=1, le=1 << 53)]


Wish = SplitWish | MergeWish | RemoveWish | AnnotateWish | AddWish | UndoWish


async def _kept(request: Request, found: VehicleSeries, wish: Wish) -> int:
    store, now, vehicle_id = request.context.store, request.context.clock.now(), found.vehicle.id
    if isinstance(wish, UndoWish):
        return await record_changes.take_back(store, vehicle_id, wish.number, now)
    if isinstance(wish, AddWish):
        place = None if wish.place is None else Place(name=wish.place)
        record = ChargeRecord(
            iso(_at(wish.started_at)), iso(_at(wish.ended_at)), wish.start_soc_percent, wish.end_soc_percent,
            wish.energy_added_kwh, wish.is_public, wish.charging_type, _cost(wish.cost), place,
            odometer=wish.odometer_km, meterStart=wish.meter_start_kwh, meterEnd=wish.meter_end_kwh,
        )  # fmt: skip
        edit = record_changes.by_hand(vehicle_id, record, now, note=wish.note, drawn_kwh=wish.energy_drawn_kwh)
        return await store.sessions.add_edit(vehicle_id, now, msgspec.json.encode(edit).decode())
    ids = wish.records if isinstance(wish, MergeWish) else (wish.record,)
    if isinstance(wish, MergeWish) and len(set(ids)) < 2:  # noqa: PLR2004  (one is merged with nothing)
        raise ChargeportError("records: at least two are needed.")
    of = record_changes.Of(vehicle_id, await request.context.sessions.records(found))
    return await record_changes.keep(store, of, ids, wish.edit, now)


def _cost(paid: Paid | None) -> Cost | None:
    return None if paid is None else Cost(paid.currency, paid.amount)


def _at(instant: datetime) -> int:
    if instant.tzinfo is None:
        raise ChargeportError("An instant needs its zone, as in 2026-05-01T10:00:00Z.")
    at = round(instant.timestamp() * 1000)
    if not 0 <= at <= instants.LATEST_AT:  # with its zone it may be outside of the calendar
        raise ChargeportError("An instant must be between 1970 and 9999, such as 2026-05-01T10:00:00Z.")
    return at


async def _of_path(request: Request, permission: Permission) -> VehicleSeries:
    grant = await request.allowed(permission)
    allowed = await request.context.access.permissions(grant, request.path("vehicle_id"), request.user_id)
    if permission in READS and permission not in allowed:
        raise Problem(
            PERMISSION, f"This needs the permission {permission}, which the connection with the vehicle does not have."
        )
    found = await request.context.store.readings.signals(request.path("vehicle_id"))
    if found is None:
        raise Problem(VEHICLE_NOT_FOUND, "No vehicle with this id is known to this server.")
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Problem(MALFORMED, f"{ZONE}: {name[:60]!r} is no time zone: write one such as Europe/Berlin.") from None


def _totals(rows: list[Row], zone: ZoneInfo) -> dict[str, Any]:
    """Return the sums of all rows, and by month, vehicle and place."""

    def month(row: Row) -> str:
        return datetime.fromisoformat(row["started_at"]).replace(tzinfo=UTC).astimezone(zone).strftime("%Y-%m")

    def grouped(key: Any) -> list[Row]:
        groups: dict[Any, list[Row]] = {}
        for row in rows:
            groups.setdefault(key(row), []).append(row)
        return [{"key": name, **_sum(part)} for name, part in groups.items()]

    return {
        "all": _sum(rows),
        "byMonth": grouped(month),
        "byVehicle": grouped(lambda row: row["vehicle_id"]),
        "byPlace": grouped(lambda row: (row["place"] or {}).get("name")),
    }


def _sum(rows: Iterable[Row]) -> dict[str, Any]:
    """Return the number of sessions, their energy, losses and cost; unknown values are not in the sums, and are counted."""
    rows = list(rows)
    added = [row["energy_added_kwh"] for row in rows if row["energy_added_kwh"] is not None]
    drawn = [row["energy_drawn_kwh"] for row in rows if row["energy_drawn_kwh"] is not None]
    both = [row for row in rows if row["energy_added_kwh"] is not None and row["energy_drawn_kwh"] is not None]
    cost: dict[str, float] = {}
    for row in rows:
        if row["cost"] is not None:
            cost[row["cost"]["currency"]] = round(cost.get(row["cost"]["currency"], 0.0) + row["cost"]["amount"], 2)
    return {
        "sessions": len(rows),
        "duration_s": sum(row["duration_s"] for row in rows),
        "energy_added_kwh": round(sum(added), 2) if added else None,
        "energy_drawn_kwh": round(sum(drawn), 2) if drawn else None,
        "losses_kwh": round(sum(row["energy_drawn_kwh"] - row["energy_added_kwh"] for row in both), 2) if both else None,
        "cost": [{"currency": name, "amount": amount} for name, amount in sorted(cost.items())],
        "without_energy": len(rows) - len(added),
        "without_drawn": len(rows) - len(drawn),
        "without_cost": sum(row["cost"] is None for row in rows),
    }


def _file(request: Request, form: str, rows: list[Row]) -> Response:
    """Return the rows as a file to download."""
    output = io.BytesIO()
    with record_rows.opened_file(form, output) as sink:
        sink(rows)
    named: Header = (b"content-disposition", f'attachment; filename="{record_rows.FILE_NAME.format(form)}"'.encode())
    return answer(200, output.getvalue(), request.request_id, named, kind=record_rows.FILE_KINDS[form])
