"""Examples in the OpenAPI document: complete documents with the catalogue's examples."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from chargeport.api import cursors, history
from chargeport.api.aggregation import Bucket
from chargeport.api.operator_examples import AT, BASE, OF
from chargeport.api.route import VEHICLE_ID
from chargeport.derivation.provenance import PROVENANCE
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Permission, Signal, Value
from chargeport.signals.effective import Ranks, effective
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import State
from chargeport.signals.sweep import Step
from chargeport.store.records import RunStart, Vehicle
from chargeport.wire.envelope import View, vehicle_resource

VEHICLE: Final = Vehicle(id=VEHICLE_ID, make="ACME", model="Bolt One", year=2026, powertrain="BEV")
_EVERYTHING: Final = frozenset(Permission)


def _state(signal: Signal) -> State:
    return State(signal, bodies.parse(signal, signal.example), AT, AT, AT + 3_250, "http")


def _document(*states: State) -> dict[str, Any]:
    """Return the document of the first state's signal, given all the states."""
    found = effective(states[0].signal, {state.signal.key: (state,) for state in states}, Ranks(), AT + 5_000)
    assert found is not None  # noqa: S101  (a state is given)
    return msgspec.json.decode(View(VEHICLE, _EVERYTHING, BASE, PROVENANCE).single(found))  # type: ignore[no-any-return]


def _single_examples() -> dict[str, Any]:
    """Return an example of each signal, then of signals without a valid value."""
    examples = {signal.code: {"value": _document(_state(signal))} for signal in CATALOGUE}
    port = BY_CODE["charge-chargeportstatuscolor"]
    absent = State(port, absence=AbsenceReason.NOT_CAPABLE, absence_at=AT, absence_received_at=AT, absence_source="http")
    charging = State(BY_CODE["charge-ischarging"], False, AT + 1000, AT + 1000, AT + 1000, "http")
    return examples | {
        "not capable": {"value": _document(absent)},
        "session over": {"value": _document(_state(BY_CODE["charge-wattage"]), charging)},
    }


def _list_example() -> dict[str, Any]:
    documents = [_document(_state(signal)) for signal in sorted(CATALOGUE, key=lambda signal: signal.code)]
    return {
        "data": [document["data"] for document in documents],
        "meta": {"totalCount": len(documents), "pageSize": len(documents), "pageNumber": 1},
        "links": {"self": f"{BASE}/v3/vehicles/{VEHICLE.id}/signals"},
        "included": documents[0]["included"],
    }


def _fleet_example() -> dict[str, Any]:
    """Return a page of one vehicle with two signals."""
    documents = [_document(_state(BY_CODE[code])) for code in ("charge-ischarging", "charge-wattage")]
    path = f"{BASE}/v3/signals?filter%5Bcode%5D=charge-ischarging%2Ccharge-wattage"
    relation = {"relationships": {"vehicle": {"data": {"id": VEHICLE.id, "type": "vehicle"}}}}
    return {
        "data": [document["data"] | relation for document in documents],
        "meta": {"count": 2, "pageSize": 100},
        "links": {"self": path, "next": f"{path}&page%5Bcursor%5D={cursors.of_vehicle(VEHICLE.id)}"},
        "included": {"vehicles": [documents[0]["included"]["vehicle"]]},
    }


def _history_examples() -> dict[str, Any]:
    """Return changes of a number, one of which is an absence; then buckets of a number and of a flag."""
    power, charging = BY_CODE["charge-wattage"], BY_CODE["charge-ischarging"]
    gone_at, reason = AT + 120_000, AbsenceReason.UNREADABLE
    gone = State(power, source="http", position=9, absence=reason, absence_at=gone_at, absence_received_at=gone_at + 3_250)
    steps = [Step(AT, State(power, 7200, AT, AT, AT + 3_250, "http", 7), 7200, None), Step(gone_at, gone, None, reason)]
    path = f"{BASE}/v3/vehicles/{VEHICLE.id}/signals/{power.code}/values"
    cursor = cursors.of_change(RunStart(gone_at, gone.position))
    changes = [msgspec.json.decode(history.change_json(power, step, _EVERYTHING)) for step in steps]
    grid = [_bucket(power, {7200: 600_000, 3600: 300_000}), _bucket(charging, {True: 675_000, False: 225_000})]
    return {
        "changes": _history(changes, path, "", f"?page%5Bcursor%5D={cursor}"),
        "intervals of a number": _history(grid[:1], path, "?resolution=PT15M", None),
        "intervals of a flag": _history(grid[1:], path.replace(power.code, charging.code), "?resolution=PT15M", None),
    }


def _bucket(signal: Signal, stood_ms: dict[Value, int]) -> dict[str, Any]:
    bucket = Bucket(AT - AT % 900_000, next(iter(stood_ms)))
    bucket.changes, bucket.stood_ms = len(stood_ms), stood_ms
    return msgspec.json.decode(history.bucket_json(signal, bucket, 900_000, _EVERYTHING))  # type: ignore[no-any-return]


def _history(data: list[Any], path: str, query: str, following: str | None) -> dict[str, Any]:
    links = {"self": path + query, "next": None if following is None else path + following}
    return {"value": {"data": data, "meta": {"count": len(data), "pageSize": 100}, "links": links}}


def _readings() -> dict[str, Any]:
    return {
        "one": {
            "value": [
                {
                    "vehicle": VEHICLE.id,
                    "signal": "charge-voltage",
                    "body": {"value": 231, "unit": "volts"},
                    "observedAt": "2026-05-01T09:59:58.000Z",
                }
            ]
        },
        "bundle": {
            "value": {
                "vehicle": VEHICLE.id,
                "observedAt": AT,
                "signals": {"charge-ischarging": {"value": True}, "charge-wattage": {"value": 7.2, "unit": "kW"}},
            }
        },
        "no value": {
            "value": {
                "vehicle": VEHICLE.id,
                "signal": "charge-chargeportstatuscolor",
                "status": {"value": "ERROR", "error": {"type": "COMPATIBILITY", "code": "VEHICLE_NOT_CAPABLE"}},
            }
        },
    }


_OF: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "SignalDocument": _single_examples,
    "SignalList": lambda: {"all": {"value": _list_example()}},
    "FleetSignals": lambda: {"page": {"value": _fleet_example()}},
    "ValueList": _history_examples,
    "VehicleDocument": lambda: {"one": {"value": {"data": msgspec.json.decode(vehicle_resource(VEHICLE, BASE))}}},
    "Readings": _readings,
}


def of(name: str) -> dict[str, Any]:
    """Return the examples of a schema, by name; many have none."""
    if name in OF:
        return {
            example_name: {"value": msgspec.json.decode(msgspec.json.encode(value))}
            for example_name, value in OF[name]().items()
        }
    return _OF[name]() if name in _OF else {}
