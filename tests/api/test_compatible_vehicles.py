"""`GET /v3/compatible-vehicles`: without a token, by region, make and powertrain."""

from typing import Any

import pytest

from answers import typed_error
from chargeport.dialects.all import ALL
from chargeport.signals.catalogue import BY_CODE
from world import World

PATH = "/v3/compatible-vehicles"


async def listed(world: World, **filters: str) -> list[dict[str, Any]]:
    answer = await world.client.get(PATH, params={f"filter[{name}]": value for name, value in filters.items()})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    count = len(document["data"])
    assert document["meta"] == {"page": 1, "pageSize": count, "totalCount": count}
    found: list[dict[str, Any]] = document["data"]
    return found


async def test_every_entry_has_its_own_id_and_signals_of_the_catalogue(world: World) -> None:
    found = await listed(world)
    assert len({each["id"] for each in found}) == len(found) > 20
    for each in found:
        assert each["type"] == "vehicle-model-capability"
        for capability in each["attributes"]["capabilities"]:
            signal = BY_CODE[capability["capability"]]
            assert (capability["type"], capability["code"], capability["group"]) == ("signal", signal.name, signal.group)
            assert capability["permission"] == signal.permission


async def test_a_make_can_what_its_dialects_can(world: World) -> None:
    expected = {row.signal.code for name in ("tesla", "tesla_rest", "teslamate") for row in ALL[name].rows}
    found = await listed(world, make="tesla", region="US")
    assert {each["attributes"]["model"] for each in found} == {"Model 3", "Model S", "Model X", "Model Y"}
    for each in found:
        codes = {capability["capability"] for capability in each["attributes"]["capabilities"]}
        assert codes == {code for code in expected if not BY_CODE[code].is_ours}
        assert each["attributes"]["make"] == "Tesla"


@pytest.mark.parametrize(
    ("filters", "member", "values"),
    [
        ({"region": "europe"}, "region", {"EUROPE"}),
        ({"powertrainType": "PHEV"}, "powertrainType", {"PHEV"}),
        ({"make": "SKODA"}, "make", {"Škoda"}),
        ({"make": "BMW", "powertrainType": "BEV"}, "powertrainType", {"BEV"}),
        ({"make": "Nobody"}, "make", set()),
        ({"make": "BMW", "region": "US"}, "make", set()),
    ],
)
async def test_filters_leave_what_fits(world: World, filters: dict[str, str], member: str, values: set[str]) -> None:
    assert {each["attributes"][member] for each in await listed(world, **filters)} == values


@pytest.mark.parametrize(("name", "value"), [("region", "ATLANTIS"), ("powertrainType", "STEAM"), ("region", "")])
async def test_a_value_that_is_none_is_400(world: World, name: str, value: str) -> None:
    assert name in typed_error(await world.client.get(PATH, params={f"filter[{name}]": value}), 400)["description"]
