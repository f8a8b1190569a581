"""The page with a car in every state: each is drawn, none disturbs another, and nothing is blamed on the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect
from running_server import running
from test_page import Visit

from chargeport.api.access import Access
from chargeport.api.sign_in import SignIn
from chargeport.clock import SystemClock
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

DAY_MS = 86_400_000
SOON_MS = 15_000
NEVER, BROKEN = "Never Reported", "Broken Shape"
LETTERS = {
    "vehicleidentification-vin": "WVWZZZABCDEFGHJKL",
    "charge-chargingconnectortype": "NACS",
    "charge-fastchargertype": "CHADEMO",
}
PHASES = ("CHARGING", "SCHEDULED", "FULLY_CHARGED", "DISCONNECTED", "CONNECTED", "NO_POWER", "ERROR", "STOPPED", "DISCHARGING")


def vehicle(number: int, make: str | None, model: str | None, year: int | None = 2026) -> Vehicle:
    return Vehicle(id=f"0b0c6b0e-1b5e-4d6e-9b3f-{number:012d}", make=make, model=model, year=year)


def value(car: Vehicle, code: str, body: dict[str, Any], at: int) -> Reading:
    return Reading(car.id, BY_CODE[code], bodies.parse(BY_CODE[code], body), at, at, "box")


def everything(car: Vehicle, at: int) -> list[Entry]:
    """Every signal's own example."""
    return [Reading(car.id, each, bodies.parse(each, each.example), at, at, "box") for each in CATALOGUE]


def states(now: int) -> dict[Vehicle, list[Entry]]:
    """Cars, each in a state of its own, with what was reported of them."""
    found: dict[Vehicle, list[Entry]] = {}

    def car(make: str | None, model: str | None, year: int | None = 2026) -> Vehicle:
        made = vehicle(len(found) + 1, make, model, year)
        found[made] = []
        return made

    car("Never", "Reported")
    car(None, None, None)
    found[full] = everything(full := car("All", "Signals"), now)
    found[silent] = everything(silent := car("Long", "Silent"), now - 3 * DAY_MS)
    found[broken] = everything(broken := car("Broken", "Shape"), now)
    for reason in AbsenceReason:
        absent = car("Absent", reason.value)
        found[absent] = [Absence(absent.id, each, reason, now, now, "box") for each in CATALOGUE]
        kept = car("Kept", reason.value)
        found[kept] = [
            *everything(kept, now - 60_000),
            *(Absence(kept.id, each, reason, now, now, "box") for each in CATALOGUE),
        ]
    for phase in PHASES:
        one = car("Phase", phase)
        found[one] = [
            value(one, "charge-detailedchargingstatus", {"value": phase}, now),
            value(one, "charge-ischarging", {"value": phase == "CHARGING"}, now),
        ]
    empty = car("Empty", "Documents")
    found[empty] = [
        value(empty, code, {"values": []}, now)
        for code in ("charge-chargelimits", "charge-chargetimers", "charge-chargerecords")
    ]
    only = car("Only", "Charge")
    found[only] = [value(only, "tractionbattery-stateofcharge", {"value": 0}, now)]
    capitals = car("Only", "Capitals")
    found[capitals] = [value(capitals, code, {"value": text}, now) for code, text in LETTERS.items()]
    return found


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[Vehicle]]:
    """A database with all of them, a secret that signs in, and the cars."""
    file = tmp_path_factory.mktemp("states") / "cars.db"

    async def fill() -> tuple[str, list[Vehicle]]:
        store, clock = SqliteStore.open(file), SystemClock()
        found = states(clock.now() - 1000)
        for car, entries in found.items():
            await store.vehicles.add_vehicle(car)
            if entries:
                await store.readings.write(entries)
        people = SignIn(store, Access(store, clock), clock)
        await people.add_user("Ada")
        secret = await people.link("Ada")
        await store.close()
        return secret, list(found)

    return file, *asyncio.run(fill())


@pytest.fixture(scope="module")
def address(fleet: tuple[Path, str, list[Vehicle]]) -> Iterator[str]:
    with running("serve", "--database", f"sqlite:///{fleet[0]}") as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def signed_in(browser: Browser, address: str, fleet: tuple[Path, str, list[Vehicle]]) -> AsyncIterator[Any]:
    """A browser that has used the link."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(SOON_MS)
    expect.set_options(timeout=SOON_MS)
    page = await context.new_page()
    await page.goto(f"{address}/#sign-in={fleet[1]}")
    await expect(page.locator("#pulse")).to_have_text("Live")
    await page.close()
    yield context
    await context.close()


async def test_every_car_is_drawn_and_the_console_is_silent(
    signed_in: Any, address: str, fleet: tuple[Path, str, list[Vehicle]]
) -> None:
    visit = Visit(await signed_in.new_page())
    await visit.page.goto(f"{address}/#/?view=cards")
    await visit.is_live()
    await visit.page.get_by_role("button", name="Show more").click()
    await expect(visit.page.get_by_role("article")).to_have_count(len(fleet[2]))
    for car in fleet[2]:
        await visit.page.goto(f"{address}/#/cars/{car.id}")
        await expect(visit.page.locator("tr[data-code]")).to_have_count(len(CATALOGUE))
        await expect(visit.page.locator("main")).not_to_contain_text("undefined")
        await expect(visit.page.locator("main")).not_to_contain_text("NaN")
    await expect(visit.page.locator("#notice")).to_be_hidden()
    assert visit.complaints == []
    await visit.page.close()


async def test_a_car_that_never_reported_says_so_and_the_others_go_on(signed_in: Any, address: str) -> None:
    visit = Visit(await signed_in.new_page())
    await visit.page.goto(f"{address}/#/?view=cards")
    await expect(visit.card(NEVER).locator("footer")).to_have_text("Nothing reported yet")
    await expect(visit.card("All Signals").locator(".status")).to_have_text("Charging")
    await visit.is_live()
    assert visit.complaints == []
    await visit.page.close()


async def test_a_text_in_capitals_that_is_no_state_stays_as_it_was_reported(
    signed_in: Any, address: str, fleet: tuple[Path, str, list[Vehicle]]
) -> None:
    visit = Visit(await signed_in.new_page())
    await visit.page.goto(f"{address}/#/cars/{fleet[2][-1].id}")
    for code, text in LETTERS.items():
        await expect(visit.page.locator(f'tr[data-code="{code}"] td.value')).to_have_text(text)
    await expect(visit.page.get_by_role("row", name="VIN vehicleidentification-vin")).to_be_visible()
    await visit.page.close()


async def test_what_cannot_be_drawn_is_said_on_its_card_and_nobody_else_is_blamed(signed_in: Any, address: str) -> None:
    visit = Visit(await signed_in.new_page())

    async def mangle(route: Route) -> None:
        answer = await route.fetch()
        document = await answer.json()
        for row in document["data"]:
            if row["id"] == vehicle(5, None, None).id:
                row["signals"] = None
        await route.fulfill(response=answer, body=json.dumps(document))

    await visit.page.route("**/fleet?*", mangle)
    await visit.page.goto(f"{address}/#/?view=cards")
    await expect(visit.card(BROKEN).locator(".status")).to_have_text("Can't be shown: a fault of the page")
    await expect(visit.card("All Signals").locator(".status")).to_have_text("Charging")
    await visit.is_live()
    await expect(visit.page.locator("#notice")).to_be_hidden()
    await visit.page.close()


async def test_a_view_that_is_refused_says_why_and_the_way_back(signed_in: Any, address: str) -> None:
    visit = Visit(await signed_in.new_page())
    await visit.page.goto(f"{address}/#/cars/nobody")
    await expect(visit.page.get_by_role("heading", name="Vehicle not found")).to_be_visible()
    await expect(visit.page.get_by_text("No vehicle with this id")).to_be_visible()
    await expect(visit.page.get_by_role("link", name="About this error, with an example")).to_have_attribute(
        "href", "docs/errors#resource-not-found-vehicle-not-found"
    )
    await visit.page.get_by_role("link", name="All cars").click()
    await visit.is_live()
    await visit.page.close()
