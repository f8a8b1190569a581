"""The charging sessions of some vehicles as rows, as far as the caller may see them and they fit what he asks for."""

from collections.abc import Sequence
from typing import Any, Final

from chargeport.api import instants, paging
from chargeport.api.request import Request
from chargeport.derivation.record_fields import fields, shown_of
from chargeport.errors import MALFORMED, Problem
from chargeport.signals.definition import Permission
from chargeport.wire.envelope import iso

VEHICLE, FROM, TO, PLACE, TYPE = "filter[vehicleId]", "filter[from]", "filter[to]", "filter[place]", "filter[type]"
FORM, ORDER = "format", "order"
FORMS: Final = ("json", "csv", "parquet")
TYPES: Final = ("AC", "DC")
BY_TIME, BY_VEHICLE = "time", "vehicle"
ORDERS: Final = (BY_TIME, BY_VEHICLE)

Row = dict[str, Any]


def parameters_of(request: Request) -> dict[str, str]:
    """Return the query, with its instants as the wire writes them. Raises Problem (400)."""
    paging.only_filters(request.query, VEHICLE, FROM, TO, PLACE, TYPE)
    parameters = dict(request.query)
    for name, values in ((FORM, FORMS), (TYPE, TYPES), (ORDER, ORDERS)):
        if name in parameters and parameters[name] not in values:
            raise Problem(MALFORMED, f"{name} is one of {', '.join(values)}, not {parameters[name][:40]!r}.")
    return parameters | {name: iso(instants.instant(name, parameters[name])) for name in (FROM, TO) if name in parameters}


async def rows_of(request: Request, vehicle_ids: Sequence[str], parameters: dict[str, str]) -> list[Row]:
    """Return the sessions of these vehicles that fit, in the order of the vehicles and of their begin.

    Places are there if the caller may see them.
    """
    allowed = await request.context.access.permissions_on(await request.grant(), vehicle_ids, request.user_id)
    readable = [vehicle_id for vehicle_id in vehicle_ids if Permission.READ_CHARGE_RECORDS in allowed.get(vehicle_id, ())]
    series = await request.context.store.readings.signals_of(readable)
    rows = list[Row]()
    for vehicle_id, found in ((id_, series[id_]) for id_ in readable if id_ in series):
        shown = shown_of(found)
        hidden = {} if Permission.READ_CHARGE_LOCATIONS in allowed[vehicle_id] else {"place": None}
        made = [fields(record, shown.get(record.id), evidence=True) for record in await request.context.sessions.records(found)]
        own = [row | {"vehicle_id": vehicle_id} | hidden for row in made]
        rows += sorted((row for row in own if _fits(row, parameters)), key=lambda row: str(row["started_at"]))
    return rows


def _fits(row: Row, parameters: dict[str, str]) -> bool:
    started = row["started_at"]
    if FROM in parameters and started < parameters[FROM]:
        return False
    if TO in parameters and started >= parameters[TO]:
        return False
    place = (row["place"] or {}).get("name") or ""
    return parameters.get(PLACE, place) == place and parameters.get(TYPE, row["charging_type"]) == row["charging_type"]
