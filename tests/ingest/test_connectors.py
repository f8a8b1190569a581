"""A car that may be plugged in at several connectors of one source is where it was plugged in last."""

from typing import Any

import pytest

from chargeport.clock import ManualClock
from chargeport.dialects.all import ALL
from chargeport.ingest.connectors import BEFORE_PLUG_MS, MAX_CONNECTORS, Connectors
from chargeport.ingest.pipeline import Pipeline
from chargeport.sources.base import RawMessage
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle
from feeding import T0, value

IN, OUT = {"plugged": "true"}, {"plugged": "false"}


def counted(*reports: tuple[str, dict[str, Any]], every_ms: int = 1_000) -> list[dict[str, Any]]:
    connectors = Connectors()
    return [
        dict(connectors.count(name, fields, "plugged", T0 + number * every_ms)) for number, (name, fields) in enumerate(reports)
    ]  # fmt: skip


def test_what_an_idle_connector_says_does_not_count_while_the_car_is_at_another_one() -> None:
    found = counted(("a", {**IN, "power": 7}), ("b", {**OUT, "power": 0}), ("b", {"power": 1}), ("a", {"power": 6}))
    assert found == [{**IN, "power": 7}, {}, {}, {"power": 6}]


def test_while_the_car_is_nowhere_every_connector_counts() -> None:
    assert counted(("a", OUT), ("b", {"power": 0}), ("a", {"power": 0})) == [OUT, {"power": 0}, {"power": 0}]


def test_a_car_that_is_plugged_in_elsewhere_comes_with_what_was_withheld_there() -> None:
    found = counted(("a", IN), ("b", {"limit": 16}), ("a", OUT), ("b", {**IN, "power": 3}), every_ms=BEFORE_PLUG_MS + 1)
    assert found == [IN, {}, OUT, {"limit": 16, **IN, "power": 3}]


def test_fields_that_come_before_the_plug_s_own_count_once_it_comes() -> None:
    found = counted(("a", {"power": 7}), ("b", {"power": 0}), ("a", IN), ("b", OUT))
    assert found[2:] == [{"power": 7, **IN}, {}]
    late = counted(("a", {"power": 7}), ("b", {"power": 0}), ("a", IN), every_ms=BEFORE_PLUG_MS)
    assert late[2] == IN, "what was said long before may hold no more"


def test_the_connector_that_was_used_last_counts_until_it_is_free() -> None:
    found = counted(("a", {**IN, "power": 7}), ("b", {**IN, "power": 11}), ("a", {"power": 6}), ("b", OUT))
    assert found[1] == {**IN, "power": 11}
    assert found[2] == {}
    assert found[3] == {**IN, "power": 6}, "the car, or another one, is still at the first"


def test_one_connector_alone_is_as_if_there_were_none() -> None:
    reports: list[tuple[str, dict[str, Any]]] = [("a", {"power": 1}), ("a", IN), ("a", {"plugged": "?"}), ("a", OUT), ("a", IN)]
    assert counted(*reports) == [fields for _, fields in reports]


def test_more_connectors_than_a_house_has_all_count() -> None:
    reports = [(f"n{number}", {"power": number}) for number in range(MAX_CONNECTORS + 3)]
    assert counted(("a", IN), *reports)[-1] == {"power": MAX_CONNECTORS + 2}


@pytest.mark.parametrize("first", ["1", "2"])
async def test_an_idle_loadpoint_of_evcc_does_not_disturb_the_car_that_is_at_the_other_one(store: Store, first: str) -> None:
    await store.vehicles.add_vehicle(Vehicle(id="both", aliases=("evcc:loadpoints/1", "evcc:loadpoints/2")))
    pipeline = Pipeline(store, ManualClock(T0 + 60_000), ALL)
    used = {"connected": True, "charging": True, "chargePower": 7_200, "chargedEnergy": 900}
    idle = {"connected": False, "charging": False, "chargePower": 0, "chargedEnergy": 0}
    points = {"1": used, "2": idle}
    for number, point in enumerate([first, "3" + first, "1", "2"]):
        name = point[-1]
        message = RawMessage(
            source="evcc", dialect="evcc", vehicle=f"loadpoints/{name}", fields=points[name], received_at=T0 + number * 1_000
        )
        await pipeline.take([message])
    assert await value(store, "wattage", "both") == (7_200, "evcc")
    assert await value(store, "ischarging", "both") == (True, "evcc")
    assert await value(store, "energyadded", "both") == (0.9, "evcc")
