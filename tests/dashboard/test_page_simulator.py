"""The page where a simulator runs: cars, faults and the clock are controlled on it; elsewhere nothing of that is shown."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import expect
from running_server import running
from visits import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CAR, PARKED = "Voltra Grand", "ACME Runabout"
WIDTHS = (360, 1280)


@pytest.fixture(scope="module")
def still() -> Iterator[str]:
    """The address of a demo whose clock stands still at noon."""
    with running("demo", "--json", "--frozen", "--at", "2026-05-01T10:00:00Z") as url:
        yield url


async def test_what_is_done_to_a_car_shows_on_its_page_by_keyboard_too(demo: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(demo)
    await visit.open_car(PARKED)
    await visit.is_live()
    panel, status = page.get_by_role("region", name="Simulator"), page.locator(".car-head .status")
    await panel.get_by_role("button", name="Unplug").click()
    await expect(status).to_have_text("Disconnected")
    await panel.get_by_role("button", name="Plug in").focus()
    await page.keyboard.press("Enter")
    await panel.get_by_role("button", name="Start charging").click()
    await expect(status).to_have_text("Charging")
    await panel.get_by_role("button", name="Stop charging").click()
    await expect(status).not_to_have_text("Charging")
    await panel.get_by_label("Charge limit").fill("63")
    await page.keyboard.press("Enter")
    await expect(visit.row("charge-chargelimits")).to_contain_text("63 % in force")
    await panel.get_by_role("button", name="Fall silent").click()
    await expect(panel.get_by_role("status")).to_contain_text("silent until")
    await panel.get_by_role("button", name="Report again").click()
    await expect(panel.get_by_role("status")).not_to_contain_text("silent until")
    await panel.get_by_role("button", name="Fall asleep").click()
    await expect(panel.get_by_role("status")).to_contain_text("asleep")
    await panel.get_by_role("button", name="Wake up").click()
    await expect(panel.get_by_role("status")).not_to_contain_text("asleep")
    await panel.get_by_role("button", name="Drive away").click()
    await expect(status).to_have_text("Disconnected")
    assert visit.complaints == []


async def test_a_fault_is_added_shown_by_the_car_and_taken_back(still: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(f"{still}/#/simulator")
    panel, table = page.get_by_role("region", name="Faults").first, page.get_by_role("table")
    await expect(panel).to_contain_text("Nothing goes wrong.")
    await panel.locator("[name=what]").select_option("UPSTREAM · NO_RESPONSE")
    await panel.locator("[name=car]").select_option(CAR)
    await panel.locator("[name=signal]").select_option("Voltage")
    await panel.get_by_role("button", name="Add the fault").click()
    await expect(table).to_contain_text(f"UPSTREAM · NO_RESPONSE{CAR}Voltage0until taken back")
    await page.get_by_role("link", name="Cars", exact=True).click()
    await visit.open_car(CAR)
    await expect(visit.row("charge-voltage")).to_contain_text("No response")
    await page.get_by_role("link", name="Simulator").click()
    await table.get_by_role("button", name="Take back").click()
    await expect(panel).to_contain_text("Nothing goes wrong.")
    await page.get_by_role("link", name="Cars", exact=True).click()
    await visit.open_car(CAR)
    await expect(visit.row("charge-voltage")).not_to_contain_text("No response")
    assert visit.complaints == []


async def fault(visit: Visit, **body: Any) -> None:
    await visit.page.evaluate(
        'async (body) => { await (await import("/page/api.js")).change("POST", "simulator/faults", body); }', body
    )


async def test_what_goes_wrong_with_a_car_shows_on_its_page_and_is_taken_back_there(still: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(still)
    await visit.open_car(CAR)
    car = page.url.rsplit("/", 1)[1]
    panel = page.get_by_role("region", name="Simulator")
    faults = panel.get_by_role("region", name="What goes wrong")
    await expect(faults).to_have_count(0)
    await fault(visit, type="UPSTREAM", code="NO_RESPONSE", vehicle=car, signal="charge-voltage", times=9)
    await fault(visit, webhook="DROP")
    await fault(visit, type="SERVER", vehicle="another")
    await page.reload()
    await expect(faults.get_by_role("row")).to_have_count(3)
    await expect(faults).to_contain_text(re.compile(rf"UPSTREAM · NO_RESPONSE{CAR}Voltage09 times"))
    await expect(faults).to_contain_text("Webhook events are lostAllAll")
    await expect(visit.row("charge-voltage")).to_contain_text("No response")
    await faults.get_by_role("button", name="Take back: UPSTREAM").click()
    await expect(visit.row("charge-voltage")).not_to_contain_text("No response")
    await expect(faults.get_by_role("row")).to_have_count(2)
    await page.get_by_role("link", name="Simulator").click()
    await page.get_by_role("button", name="Take all back").click()
    assert visit.complaints == []


async def test_a_fault_that_hides_a_car_is_taken_back_where_the_car_should_be(still: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(still)
    await visit.open_car(CAR)
    await fault(visit, type="VEHICLE_STATE", code="ASLEEP", vehicle=page.url.rsplit("/", 1)[1])
    await page.reload()
    await expect(page.get_by_role("alert").first).to_contain_text("the simulator was asked for this error")
    await page.get_by_role("button", name="Take back: VEHICLE_STATE").click()
    await expect(page.get_by_role("heading", name=CAR, level=1)).to_be_visible()
    await visit.is_live()
    assert [each for each in visit.complaints if "409" not in each] == []


async def test_answers_come_late_where_that_is_asked_for(still: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(f"{still}/#/simulator")
    panel, table = page.get_by_role("region", name="Faults").first, page.get_by_role("table")
    await panel.locator("[name=what]").select_option("Answers come late")
    await panel.get_by_role("button", name="Add the fault").click()
    await expect(panel).to_contain_text("Nothing goes wrong.")
    await panel.get_by_label("Late by").fill("0.5")
    await panel.locator("[name=car]").select_option(CAR)
    await panel.get_by_role("button", name="Add the fault").click()
    await expect(table).to_contain_text(f"0.5 s late{CAR}All0until taken back")
    await table.get_by_role("button", name="Take back: 0.5 s late").click()
    await expect(panel).to_contain_text("Nothing goes wrong.")
    assert visit.complaints == []


async def test_a_fault_spares_the_first_requests_and_hits_a_share_of_the_others(still: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(f"{still}/#/simulator")
    panel = page.get_by_role("region", name="Faults").first
    await panel.get_by_label("Spared first").fill("2")
    await panel.get_by_label("Share").fill("25")
    await panel.get_by_role("button", name="Add the fault").click()
    await expect(page.get_by_role("table")).to_contain_text("VEHICLE_STATE")
    (made,) = await page.evaluate("async () => (await (await import('/page/api.js')).get('simulator/faults')).data")
    assert (made["after"], made["rate"]) == (2, 0.25)
    await panel.get_by_role("button", name="Take back").click()
    await expect(panel).to_contain_text("Nothing goes wrong.")
    assert visit.complaints == []


async def test_a_fault_of_webhooks_is_of_no_signal_and_all_are_taken_back_at_once(still: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(f"{still}/#/simulator")
    panel = page.get_by_role("region", name="Faults").first
    for what in ("Webhook events come twice", "BILLING · INVALID_PLAN"):
        await panel.locator("[name=what]").select_option(what)
        await expect(panel.locator("[name=signal]")).to_be_enabled(enabled=not what.startswith("Webhook"))
        await panel.get_by_label("How often").fill("2")
        await panel.get_by_role("button", name="Add the fault").click()
        await expect(page.get_by_role("table")).to_contain_text(f"{what}AllAll02 times")
    await panel.get_by_role("button", name="Take all back").click()
    await expect(panel).to_contain_text("Nothing goes wrong.")
    assert visit.complaints == []


async def test_the_clock_is_set_forward_let_run_and_stopped(visit: Visit) -> None:
    with running("demo", "--json", "--frozen", "--at", "2026-05-01T10:00:00Z", "--vehicles", "1") as url:
        page = visit.page
        await page.goto(f"{url}/#/simulator")
        clock = page.get_by_role("region", name="Clock")
        await expect(clock).to_contain_text(re.compile("1 May 2026, 12:00:0.*The clock stands still."))
        await clock.get_by_label("Hours").fill("30")
        await clock.get_by_role("button", name="Set forward").click()
        await expect(clock).to_contain_text("2 May 2026, 18:00:0")
        await clock.get_by_role("button", name=re.compile(r"^60\D")).click()
        await expect(clock).to_contain_text("It runs 60 times as fast as life.")
        await expect(clock).not_to_contain_text("2 May 2026, 18:00")
        await clock.get_by_role("button", name="Stand still").click()
        await expect(clock.get_by_role("button", name="Stand still")).to_have_attribute("aria-pressed", "true")
        await clock.get_by_label("Hours").fill("800")
        asked = len(visit.asked)
        await clock.get_by_role("button", name="Set forward").click()
        await expect(clock.get_by_role("button", name="Set forward")).to_be_enabled()
        assert len(visit.asked) == asked, "more than a month is not asked for"
        await page.get_by_role("link", name="Cars", exact=True).click()
        await visit.open_car(CAR)  # the token is good still
        assert visit.complaints == []


async def test_the_newest_five_commands_of_a_car_are_shown_with_their_outcome(still: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(still)
    await visit.open_car(PARKED)
    await expect(page.get_by_role("region", name="Last commands")).to_have_count(0)
    for percent in (60, 65, 70, 75, 80, 85):
        await page.evaluate(
            """async ([id, percent]) => {
                const { change } = await import("/page/api.js");
                await change("POST", `v3/vehicles/${id}/commands/charge/set-limit`, { data: { attributes: { percent } } });
            }""",
            [page.url.rsplit("/", 1)[1], percent],
        )
    await page.reload()
    commands = page.get_by_role("region", name="Last commands").get_by_role("row")
    await expect(commands).to_have_count(6)
    await expect(commands.nth(1)).to_contain_text("Charge set limit85 %Success")
    await expect(commands.nth(5)).to_contain_text("65 %")
    assert visit.complaints == []


async def test_everybody_can_use_it_on_phone_and_desk(still: str, visit: Visit) -> None:
    wrong = []
    await visit.page.goto(still)
    await visit.open_car(CAR)
    await fault(visit, type="UPSTREAM", code="NO_RESPONSE", signal="charge-voltage", latencySeconds=0.1, times=99)
    for view in ("#/simulator", visit.page.url.removeprefix(f"{still}/")):
        for width in WIDTHS:
            await visit.page.set_viewport_size({"width": width, "height": 800})
            await visit.page.goto(f"{still}/{view}")
            await visit.page.reload()
            await expect(visit.page.locator("#pulse")).to_have_text(re.compile("Live|Up to date"))
            wrong += [f"{view} is wider than {width}"] if await visit.is_too_wide() else []
            wrong += [f"{view} {width}: {each}" for each in await visit.barriers()]
    assert wrong == []
    assert visit.complaints == []
