"""What a record is shown as to people: by the commands, on the page, in files."""

from typing import Any

import msgspec

from chargeport.derive.records.records import Record
from chargeport.derive.records.reported import RECORDS
from chargeport.signals.ranks import derived_of
from chargeport.signals.records import ChargeRecord, ChargeRecords, Cost
from chargeport.store.records import VehicleSeries
from chargeport.wire.envelope import iso


def fields(record: Record, shown: ChargeRecord | None = None, *, evidence: bool = False) -> dict[str, Any]:
    """Return all that is known of a record; cost and place as they were `shown` where they are not known here."""
    one = record.session
    place = one.place or (None if shown is None else shown.location)
    is_public = one.is_public if one.is_public is not None or shown is None else shown.isPublicCharger
    low, high = (one.estimated and one.energy_bounds_kwh) or (None, None)
    document = {
        "id": record.id,
        "started_at": iso(one.started_at),
        "ended_at": None if one.is_open else iso(one.ended_at),
        "is_open": one.is_open,
        "duration_s": (one.ended_at - one.started_at) // 1000,
        "energy_added_kwh": None if one.energy_added_kwh is None else round(one.energy_added_kwh, 2),
        "energy_drawn_kwh": None if one.energy_drawn_kwh is None else round(one.energy_drawn_kwh, 2),
        "energy_method": one.energy_method,
        "is_estimated": one.estimated,
        "energy_low_kwh": None if low is None else round(low, 2),
        "energy_high_kwh": None if high is None else round(high, 2),
        "start_soc_percent": one.start_soc,
        "end_soc_percent": one.end_soc,
        "charging_type": one.charging_type,
        "max_power_w": one.max_power_w,
        "odometer_km": one.odometer_km,
        "meter_start_kwh": one.meter_start_kwh,
        "meter_end_kwh": one.meter_end_kwh,
        "place": None if place is None else msgspec.to_builtins(place),
        "is_public": is_public,
        "cost": _cost(one.cost or (None if shown is None else shown.cost)),
        "sources": list(one.sources),
        "note": record.note,
        "made_of": list(record.original_ids),
    }
    if evidence:
        document["rules"] = one.evidence.rule_version
        document["evidence"] = [
            {"fact": fact.fact, "signals": list(fact.signals), "from": iso(fact.first_at), "to": iso(fact.last_at),
             "sightings": fact.sightings}
            for fact in one.evidence.facts
        ]  # fmt: skip
    return document


def shown_of(found: VehicleSeries) -> dict[str, ChargeRecord]:
    """Return the records that the server shows, by id."""
    derived = derived_of(found.series, RECORDS)
    if derived is None or derived.value is None:
        return {}
    return {each.id: each for each in msgspec.json.decode(str(derived.value), type=ChargeRecords).values if each.id is not None}


def _cost(cost: Cost | None) -> dict[str, Any] | None:
    if cost is None or cost.currency is None:
        return None
    return {"currency": cost.currency, "amount": round((cost.energyAmount or 0) + (cost.otherAmount or 0), 2)}


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields on one level: members of members with a name of both, lists as one text."""
    place, cost = row["place"] or {}, row["cost"] or {}
    lists = {name: " ".join(row[name]) for name in ("sources", "made_of")}
    rest = {name: value for name, value in row.items() if name not in {"place", "cost", "evidence", *lists}}
    named = {f"place_{name}": place.get(name) for name in ("name", "address", "latitude", "longitude")}
    return rest | named | {f"cost_{name}": cost.get(name) for name in ("amount", "currency")} | lists
