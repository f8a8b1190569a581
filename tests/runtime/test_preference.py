"""Which sources the settings prefer: names that are known, and what a change of the order does."""

import pytest

from chargeport.clock import ManualClock
from chargeport.errors import SettingError
from chargeport.ingest.dialects import stations
from chargeport.runtime import fleet
from chargeport.settings import PlaceSettings, PrecedenceSettings, Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import effective
from chargeport.signals.reading import Reading
from chargeport.store.protocols import Store
from feeding import CAR, T0

WATTAGE = BY_CODE["charge-wattage"]


def settings(*names: str, code: str = "charge-wattage") -> Settings:
    return Settings(
        precedence=PrecedenceSettings({code: list(names)} if names else {}),
        sources=[{"name": "garage", "type": "mqtt", "dialect": "evcc"}, {"name": "car", "type": "mqtt", "dialect": "tesla"}],
        places=[PlaceSettings("Office", 48.1, 11.5, sources=["office"])],
    )


def reading(source: str, value: float, at: int = T0) -> Reading:
    return Reading(CAR.id, WATTAGE, value, at, at, source)


async def test_a_configured_source_a_dialect_the_api_and_any_source_that_reported_may_be_named(store: Store) -> None:
    await store.readings.write([reading("old-logger", 1)])
    await fleet.check_order(store.readings, settings("garage", "old-logger", "http", "teslamate"), ["teslamate"])


@pytest.mark.parametrize(("wrong", "named"), [(settings("cra"), "cra"), (settings("car", code="wattage"), "wattage")])
async def test_an_unknown_name_is_an_error(store: Store, wrong: Settings, named: str) -> None:
    with pytest.raises(SettingError, match=named):
        await fleet.check_order(store.readings, wrong, [])


async def test_a_changed_order_applies_immediately_and_stores_nothing(store: Store) -> None:
    await store.readings.write([reading("car", 1), reading("garage", 2)])
    before = await store.readings.position()
    for names, value in ((("car", "garage"), 1), (("garage",), 2), ((), 2)):
        fleet.apply_order(store.readings, settings(*names))
        found = await store.readings.signal(CAR.id, WATTAGE)
        assert found is not None
        counts = effective(WATTAGE, found.series, store.readings.ranks, ManualClock(T0).now())
        assert counts is not None
        assert counts.state.value == value
    assert await store.readings.position() == before


def test_sources_of_stations_dialects_and_at_places_are_on_the_stations_side() -> None:
    found = stations(settings())
    assert {"garage", "office", "ocpp"} <= found
    assert "car" not in found
