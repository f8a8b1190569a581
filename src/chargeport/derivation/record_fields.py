"""The fields of a record in commands, on the page and in files."""

from typing import Any

import msgspec

from chargeport.derive.records.records import Record
from chargeport.derive.records.reported import RECORDS
from chargeport.signals.ranks import derived_of
from chargeport.signals.records import ChargeRecord, ChargeRecords, Cost
from chargeport.store.records import VehicleSeries
from chargeport.wire.envelope import iso


def fields(record: Record, shown: ChargeRecord | None = None, *, evidence: bool = False) -> dict[str, Any]:
    """Return all fields of a record; `shown`, its published form, fills in cost and place where they are not known."""
    session = record.session
    place = session.place or (None if shown is None else shown.location)
    is_public = session.is_public if session.is_public is not None or shown is None else shown.isPublicCharger
    low, high = (session.estimated and session.energy_bounds_kwh) or (None, None)
    document = {
        "id": record.id,
        "started_at": iso(session.started_at),
        "ended_at": None if session.is_open else iso(session.ended_at),
        "is_open": session.is_open,
        "duration_s": (session.ended_at - session.started_at) // 1000,
        "energy_added_kwh": None if session.energy_added_kwh is None else round(session.energy_added_kwh, 2),
        "energy_drawn_kwh": None if session.energy_drawn_kwh is None else round(session.energy_drawn_kwh, 2),
        "energy_method": session.energy_method,
        "is_estimated": session.estimated,
        "energy_low_kwh": None if low is None else round(low, 2),
        "energy_high_kwh": None if high is None else round(high, 2),
        "start_soc_percent": session.start_soc,
        "end_soc_percent": session.end_soc,
        "charging_type": session.charging_type,
        "max_power_w": session.max_power_w,
        "odometer_km": session.odometer_km,
        "meter_start_kwh": session.meter_start_kwh,
        "meter_end_kwh": session.meter_end_kwh,
        "place": None if place is None else msgspec.to_builtins(place),
        "is_public": is_public,
        "cost": _cost(session.cost or (None if shown is None else shown.cost)),
        "sources": list(session.sources),
        "note": record.note,
        "made_of": list(record.original_ids),
    }
    if evidence:
        document["rules"] = session.evidence.rule_version
        document["evidence"] = [
            {"fact": fact.fact, "signals": list(fact.signals), "from": iso(fact.first_at), "to": iso(fact.last_at),
             "sightings": fact.sightings}
            for fact in session.evidence.facts
        ]  # fmt: skip
    return document


def shown_of(found: VehicleSeries) -> dict[str, ChargeRecord]:
    """Return the published records, by id."""
    derived = derived_of(found.series, RECORDS)
    if derived is None or derived.value is None:
        return {}
    values = msgspec.json.decode(str(derived.value), type=ChargeRecords).values
    return {record.id: record for record in values if record.id is not None}


def _cost(cost: Cost | None) -> dict[str, Any] | None:
    if cost is None or cost.currency is None:
        return None
    return {"currency": cost.currency, "amount": round((cost.energyAmount or 0) + (cost.otherAmount or 0), 2)}


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields on session level: nested members as `place_name`, lists as session text."""
    place, cost = row["place"] or {}, row["cost"] or {}
    lists = {name: " ".join(row[name]) for name in ("sources", "made_of")}
    rest = {name: value for name, value in row.items() if name not in {"place", "cost", "evidence", *lists}}
    named = {f"place_{name}": place.get(name) for name in ("name", "address", "latitude", "longitude")}
    return rest | named | {f"cost_{name}": cost.get(name) for name in ("amount", "currency")} | lists
