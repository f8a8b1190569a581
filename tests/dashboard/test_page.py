"""The page at `/`: what a person sees of it in a real browser, what it asks for, and what it costs."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Route, expect
from running_server import running
from visits import SOON_MS, Visit

import pictured
from chargeport.signals.catalogue import CATALOGUE

# One browser for all: a new one costs a second.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FIRST, ASLEEP, OLD, PARKED = "Voltra Grand", "Nordvik Fjord", "Motora Piccola", "ACME Runabout"
HOSTILE = "<img src=x onerror=alert(1)>"
VIEWS = ("#/", "#/?view=table", "#/sessions", "#/statement", "#/sources", "#/webhooks", "#/applications", "#/settings")
CAR = "#/cars/0b0c6b0e-1b5e-4d6e-9b3f-000000000000"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, str]]:
    """The address of a server with six cars and months of sessions, its database, and a secret that signs in."""
    file = tmp_path_factory.mktemp("house") / "cars.db"
    secret = asyncio.run(pictured.fill(file, 6))
    with running("serve", "--database", f"sqlite:///{file}") as url:
        yield url, file, secret


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def member(browser: Browser, house: tuple[str, Path, str]) -> AsyncIterator[BrowserContext]:
    """A browser that has signed in there."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(SOON_MS)
    expect.set_options(timeout=SOON_MS)
    page = await context.new_page()
    await page.goto(f"{house[0]}/#sign-in={house[2]}")
    await expect(page.locator("#pulse")).to_have_text("Live")
    await page.close()
    yield context
    await context.close()


def command(*arguments: str, database: Path, typed: str = "") -> Any:
    """What a command answers that runs beside the server."""
    done = subprocess.run(
        [sys.executable, "-m", "chargeport", *arguments, "--database", f"sqlite:///{database}", "--json"],
        input=typed, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    return json.loads(done.stdout)


# All cars


async def test_the_demo_shows_every_car_live(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    await expect(visit.page.get_by_role("article")).to_have_count(6)
    first = visit.card(FIRST)
    power = first.locator(".power .big")
    await expect(first.locator(".status")).to_have_text("Charging")
    await expect(power).to_have_text(re.compile(r"^\d+\.\d\d kW$"))
    await expect(power).not_to_have_text(await power.inner_text())
    await expect(first.locator(".line")).to_have_attribute("d", re.compile("^M.+L"))
    await expect(first.get_by_role("meter")).to_have_attribute("aria-valuetext", re.compile(r"^[\d.]+ %, charges to 90 %$"))
    await visit.is_live()
    assert {url[: len(demo)] for url in visit.asked if not url.startswith("data:")} == {demo}
    assert sum(url.endswith("/signals") for url in visit.asked) == 0, "what changes comes by the stream"
    assert visit.complaints == []


async def test_what_is_old_or_unknown_is_never_shown_as_if_it_were_true(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    asleep = visit.card(ASLEEP)
    await expect(asleep.locator(".status")).to_have_text("Last known: Charging")
    await expect(asleep.locator(".reason")).to_have_text(re.compile(r"Last reported \d\sh\sago\. Values are from that time\."))
    await expect(asleep.locator(".power .big")).to_have_attribute("data-kind", "old")
    await expect(visit.card(PARKED).locator(".power .big")).to_have_text("0 kW")
    assert visit.complaints == []


async def test_cars_are_searched_filtered_sorted_and_shown_as_a_table(
    member: BrowserContext, house: tuple[str, Path, str]
) -> None:
    visit = Visit(await member.new_page())
    page = visit.page
    await page.goto(house[0])
    await expect(page.get_by_role("article")).to_have_count(6)
    await page.get_by_role("searchbox", name="Find a car").fill("wvwzzz00000000002")
    await expect(page.get_by_role("article")).to_have_count(1)
    await page.get_by_role("searchbox").fill("no such car")
    await expect(page.get_by_text("No car matches.")).to_be_visible()
    await page.get_by_role("searchbox").fill("")
    await page.get_by_role("button", name=re.compile("^Silent")).click()
    await expect(page.get_by_role("article")).to_have_count(1)
    await page.reload()
    await expect(page.get_by_role("button", name=re.compile("^Silent"))).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name=re.compile("^Silent")).click()
    await page.get_by_role("button", name="As table").click()
    await page.get_by_label("Sort").select_option("-soc")
    rows = page.locator("tr[data-vehicle]")
    await expect(rows).to_have_count(6)
    await expect(rows.first).to_contain_text("100 %")
    head = page.get_by_role("columnheader", name="Charge")
    await expect(head).to_have_attribute("aria-sort", "descending")
    await head.get_by_role("button").click()
    await expect(head).to_have_attribute("aria-sort", "ascending")
    await expect(rows.first).to_contain_text("18 %")
    assert visit.complaints == []
    await page.close()


async def test_of_many_cars_only_what_is_in_sight_is_drawn_read_and_followed(many: str, visit: Visit) -> None:
    await visit.page.goto(many)
    table = visit.page.get_by_role("table")
    await expect(table).to_have_attribute("aria-rowcount", "301")
    await visit.is_live()
    assert await visit.page.locator("tr[data-vehicle]").count() < 40
    await visit.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = visit.page.locator('tr[aria-rowindex="301"]')
    await expect(last).to_have_attribute("data-vehicle", re.compile("^[0-9a-f-]{36}$"))
    vehicle = await last.get_attribute("data-vehicle")

    def follows() -> bool:
        return any("/stream" in url and str(vehicle) in url for url in visit.asked)

    while not follows():
        await visit.page.wait_for_event("request")
    assert visit.complaints == []


async def test_a_new_car_is_there_within_two_seconds(member: BrowserContext, house: tuple[str, Path, str]) -> None:
    visit = Visit(await member.new_page())
    await visit.page.goto(house[0])
    await visit.is_live()
    made = await asyncio.to_thread(
        command, "vehicle", "add", "--make", "Novum", "--model", "Now", "--year", "2026", database=house[1]
    )
    await expect(visit.card("Novum Now")).to_be_visible(timeout=2000)
    await asyncio.to_thread(command, "vehicle", "remove", made["id"], "--yes", database=house[1])
    await expect(visit.card("Novum Now")).to_have_count(0)
    assert visit.complaints == []
    await visit.page.close()


# One car


async def test_a_car_tells_every_signal_or_why_not(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    await visit.open_car(OLD)
    await expect(visit.page.locator("tr[data-code]")).to_have_count(len(CATALOGUE))
    await expect(visit.row("charge-chargelimits")).to_contain_text("Vehicle not capable: The vehicle does not have this.")
    await expect(visit.row("charge-timetocomplete")).to_contain_text("Not reported: No source has reported it")
    await expect(visit.row("charge-detailedchargingstatus")).to_contain_text(re.compile("Fully charged|Disconnected"))
    await visit.page.get_by_role("link", name="← Cars").click()
    await visit.open_car(FIRST)
    await expect(visit.row("charge-chargelimits")).to_contain_text("90 % in force")
    await expect(visit.row("charge-chargerecords")).to_contain_text(re.compile(r"\d+ sessions, [\d.,]+ kWh"))
    await expect(visit.row("charge-voltage")).to_contain_text(re.compile(r"\d V\d+\ss\sago\s*simulator"))
    await expect(visit.page.get_by_role("img", name=re.compile("^Mon: .*23:00.05:30"))).to_be_visible()
    assert "{" not in await visit.page.locator("main").inner_text()
    assert visit.complaints == []


async def test_every_other_sources_word_is_one_click_away(member: BrowserContext, house: tuple[str, Path, str]) -> None:
    visit = Visit(await member.new_page())
    await visit.page.goto(f"{house[0]}/{CAR}")
    amperage = visit.row("charge-amperage")
    await expect(amperage).to_contain_text("15.8 A")
    await amperage.get_by_text("another source", exact=True).click()
    await expect(amperage.get_by_role("listitem")).to_contain_text(re.compile("car 16 A.*"))
    assert visit.complaints == []
    await visit.page.close()


async def test_power_and_charge_are_drawn_with_sessions_and_moved_by_keys(
    member: BrowserContext, house: tuple[str, Path, str]
) -> None:
    visit = Visit(await member.new_page())
    await visit.page.goto(f"{house[0]}/{CAR}")
    chart = visit.page.get_by_role("img", name="Power and state of charge over time")
    await expect(chart.locator("canvas")).to_be_visible()
    await visit.page.get_by_role("button", name="7 days").click()
    await expect(visit.page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    await chart.focus()
    async with visit.page.expect_request(re.compile("charge-wattage/values.*resolution")):
        await visit.page.keyboard.press("ArrowLeft")
    async with visit.page.expect_request(re.compile("charge-wattage/values.*resolution")):
        await visit.page.get_by_role("button", name="Zoom in").click()
    await visit.page.get_by_role("combobox", name=re.compile("^Signal")).select_option("charge-ischarging")
    await visit.page.get_by_role("combobox", name=re.compile("^Compare with")).select_option("charge-wattage")
    await visit.page.get_by_role("button", name="Show", exact=True).click()
    await expect(visit.page.get_by_role("region", name="Changes")).to_contain_text("Yes")
    await expect(visit.page.get_by_role("img", name="Chart of the signal").locator("canvas")).to_be_visible()
    assert visit.complaints == []
    await visit.page.close()


async def test_a_car_is_found_among_many_by_what_is_typed(many: str, visit: Visit) -> None:
    page = visit.page
    await page.goto(f"{many}/#/sessions")
    await expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
    chosen = page.get_by_role("combobox", name="Car")
    async with page.expect_response(re.compile("fleet.*filter%5Btext%5D=Fjord")) as answer:
        await chosen.fill("Fjord")
    found = (await (await answer.value).json())["data"][0]
    await page.locator("datalist option").first.wait_for(state="attached")
    await chosen.press("Tab")
    await expect(page).to_have_url(re.compile(f"car={found['id']}"))
    assert visit.complaints == []


async def test_of_five_thousand_cars_only_those_in_sight_are_read_and_drawn(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "cars.db"
    secret = await pictured.fill(file, 5000)
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    visit = Visit(await context.new_page())
    page, rows = visit.page, visit.page.locator("#cars tbody tr[data-vehicle]")
    with running("serve", "--database", f"sqlite:///{file}") as url:
        await page.goto(f"{url}/#sign-in={secret}")
        await visit.is_live()
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
        await expect(page.locator("#cars tr.waiting")).to_have_count(0)
        await expect(rows.first).to_be_visible()
        assert await rows.count() < 60
        await page.get_by_role("searchbox").fill("5321")
        await expect(page.get_by_role("article")).to_have_count(1)
        await expect(visit.card("B-CP 5321")).to_be_visible()
        await page.get_by_role("searchbox").fill("")
        await page.locator(".chip[data-state=silent]").click()
        await expect(page.locator(".count")).to_have_text("625")
        await page.get_by_role("button", name="Charge", exact=True).click()
        await expect(page.locator("th.soc")).to_have_attribute("aria-sort", "descending")
        await expect(rows.first).to_contain_text("88 %")
        assert len([one for one in visit.asked if "/fleet?" in one]) < 15
    assert visit.complaints == []
    await context.close()


# Sessions and the rest


async def test_sessions_are_summed_up_edited_hidden_and_brought_back(
    member: BrowserContext, house: tuple[str, Path, str]
) -> None:
    visit = Visit(await member.new_page())
    page = visit.page
    await page.goto(f"{house[0]}/#/sessions")
    sessions = page.get_by_role("region", name="Sessions").locator("tbody tr")
    await expect(page.get_by_role("region", name="Totals by")).to_contain_text("kWh")
    count = await sessions.count()
    assert count > 20
    await sessions.last.get_by_role("button").click()
    await expect(page.get_by_role("dialog", name="Session")).to_contain_text("Energy added")
    await page.get_by_role("button", name="Edit").click()
    await page.get_by_role("dialog", name="Edit the session").get_by_label("Note").fill("to the sea")
    await page.get_by_role("button", name="Save").click()
    await expect(sessions.last).to_contain_text("to the sea")
    await sessions.last.get_by_role("button").click()
    await page.get_by_role("button", name="Hide").click()
    await page.get_by_role("dialog", name="Hide the session?").get_by_role("button", name="Hide").click()
    await expect(sessions).to_have_count(count - 1)
    await page.locator("summary", has_text="Edits").click()
    await page.get_by_role("row", name=re.compile("Hidden")).get_by_role("button", name="Take back").click()
    await expect(sessions).to_have_count(count)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="CSV").click()
    assert (await download.value).suggested_filename == "charging-sessions.csv"
    await page.get_by_label("Place").select_option("Work")
    await expect(sessions).not_to_have_count(count)
    assert visit.complaints == []
    await page.close()


async def test_what_the_months_cost_and_which_source_fails_stands_below_the_cars(browser: Browser, tmp_path: Path) -> None:
    database, settings = tmp_path / "cars.db", tmp_path / "chargeport.toml"
    secret = await pictured.fill(database, 6)
    source = '[[sources]]\nname = "{}"\ntype = "{}"\n'
    silent = source.format("garage", "mqtt") + 'dialect = "teslamate"\nurl = "mqtt://127.0.0.1:9"\n'
    waiting = source.format("box", "ocpp") + "security_profile = 0\naccept_unknown_stations = true\n"
    settings.write_text(silent + waiting)
    with running("serve", "--database", f"sqlite:///{database}", "--config", str(settings)) as url:
        context = await browser.new_context(locale="en-GB", timezone_id="Europe/Berlin")
        page = await context.new_page()
        page.set_default_timeout(SOON_MS)
        await page.goto(f"{url}/#sign-in={secret}")
        months = page.get_by_role("region", name="Costs").get_by_role("listitem")
        await expect(months).to_have_count(2)
        shown = [await months.nth(place).locator(".big").inner_text() for place in range(2)]
        sources = page.get_by_role("region", name="Sources")
        await expect(sources).to_contain_text("garage Unreachable: 127.0.0.1:9 refuses the connection", timeout=SOON_MS)
        await expect(sources).to_contain_text("1 without faults")
        await page.get_by_label("Find a car").fill("Voltra")
        await expect(page.get_by_role("region", name="Costs")).to_be_hidden()  # it is of all cars
        await page.get_by_label("Find a car").fill("")
        for place, cost in enumerate(shown):
            await months.nth(place).get_by_role("link").click()
            await expect(page.locator(".tiles .tile", has_text="Cost")).to_contain_text(cost)
            await page.goto(f"{url}/#/")
        await context.close()


async def test_whoever_runs_the_server_sees_what_is_wrong_and_the_way_out(
    member: BrowserContext, house: tuple[str, Path, str]
) -> None:
    visit = Visit(await member.new_page())
    page = visit.page
    await page.goto(f"{house[0]}/#/sources")
    await expect(page.get_by_role("region", name="Issues")).to_contain_text("MeterValues.Temperature")
    await page.get_by_role("button", name="Replay").click()
    await expect(page.locator("#replayed")).to_have_text("1 messages replayed, 1 still with issues.")
    await page.goto(f"{house[0]}/#/webhooks")
    await expect(page.get_by_role("region", name="Deliveries")).to_contain_text("connection refused")
    await page.get_by_role("button", name="Redeliver").click()
    await expect(page.get_by_role("region", name="Deliveries")).to_contain_text("Pending")
    await page.goto(f"{house[0]}/#/applications")
    await page.get_by_role("button", name="Create an application").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Charts")
    await page.get_by_role("button", name="Create", exact=True).click()
    await expect(page.locator(".secret").nth(1)).to_have_text(re.compile("^cps_"))
    log = page.get_by_role("region", name="Audit log")
    await expect(log.locator("tbody tr", has_text="Application created").first).to_be_visible()
    await page.get_by_label("Kind").select_option("session.begun")
    await expect(log).not_to_contain_text("Application created")
    await expect(log.locator("tbody tr").first).to_contain_text("127.0.0.1")
    await page.goto(f"{house[0]}/#/settings")
    await expect(page.get_by_role("region", name="Settings")).to_contain_text("database.url")
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download a backup").click()
    file = await (await download.value).path()
    assert (await asyncio.to_thread(file.read_bytes)).startswith(b"SQLite format 3")
    await expect(page.get_by_role("link", name="Simulator")).to_be_hidden()
    await page.goto(f"{house[0]}/{CAR}")
    await expect(page.get_by_role("heading", name=FIRST, level=1)).to_be_visible()
    await expect(page.get_by_role("region", name="Simulator")).to_have_count(0)
    assert visit.complaints == []
    await page.close()


# For everybody


PHONE, DESK = 360, 1280
LOOKS = [
    ("light", PHONE),
    ("dark", DESK),
    pytest.param("light", DESK, marks=pytest.mark.long),
    pytest.param("dark", PHONE, marks=pytest.mark.long),
]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
async def test_every_view_passes_axe_and_fits_phone_and_desk(
    member: BrowserContext, house: tuple[str, Path, str], scheme: Any, width: int
) -> None:
    visit = Visit(await member.new_page())
    await visit.page.emulate_media(color_scheme=scheme)
    await visit.page.set_viewport_size({"width": width, "height": 800})
    wrong = []
    for view in (*VIEWS, CAR):
        await visit.page.goto(f"{house[0]}/{view}")
        await visit.page.reload()
        await expect(visit.page.locator("#pulse")).to_have_text(re.compile("Live|Up to date"))
        if await visit.is_too_wide():
            wrong.append(f"{view} is wider than {width}")
        wrong += [f"{view} {width}: {each}" for each in await visit.barriers()]
    assert wrong == []
    assert visit.complaints == []
    await visit.page.close()


async def test_german_miles_and_twelve_hours_are_chosen_once_and_kept(
    member: BrowserContext, house: tuple[str, Path, str]
) -> None:
    visit = Visit(await member.new_page())
    page = visit.page
    await page.goto(house[0])
    await page.get_by_role("button", name="Display").click()
    await page.get_by_label("Language").select_option("de")
    await page.get_by_label("Distances").select_option("mi")
    await page.get_by_label("Colours").select_option("dark")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Autos", level=1)).to_be_visible()
    await expect(visit.card(FIRST).locator(".charge")).to_contain_text(" mi")
    assert await page.evaluate("document.documentElement.lang") == "de"
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 20)"
    await page.get_by_role("button", name="Anzeige").click()
    await page.get_by_label("Sprache").select_option("auto")
    await page.get_by_label("Entfernungen").select_option("km")
    await page.get_by_label("Farben").select_option("auto")
    await page.get_by_role("button", name="Speichern").click()
    await expect(page.get_by_role("heading", name="Cars", level=1)).to_be_visible()
    assert visit.complaints == []
    await page.close()


async def test_the_keyboard_is_enough(member: BrowserContext, house: tuple[str, Path, str]) -> None:
    visit = Visit(await member.new_page())
    page = visit.page
    await page.goto(house[0])
    await visit.is_live()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.get_by_role("link", name=FIRST).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=FIRST, level=1)).to_be_visible()
    assert visit.complaints == []
    await page.close()


async def test_an_outage_is_said_calmly_and_ends_by_itself(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    await visit.is_live()
    notice = visit.page.get_by_role("status")
    await expect(notice).to_be_hidden()
    await visit.page.context.set_offline(True)
    await expect(notice).to_contain_text("The server does not answer.")
    await expect(visit.page.locator("#pulse")).to_have_text(re.compile(r"Next try in \d+ s"))
    await visit.page.context.set_offline(False)
    await expect(notice).to_be_hidden(timeout=40_000)
    await visit.is_live()


async def test_the_page_goes_on_when_the_server_was_started_again(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "cars.db"
    secret = await pictured.fill(file, 2)
    context = await browser.new_context(locale="en-GB")
    visit = Visit(await context.new_page())
    with running("serve", "--database", f"sqlite:///{file}") as url:
        await visit.page.goto(f"{url}/#sign-in={secret}")
        await visit.is_live()
    await expect(visit.page.locator("#pulse")).to_have_text(re.compile("Next try"))
    made = await asyncio.to_thread(
        command, "vehicle", "add", "--make", "Novum", "--model", "Later", "--year", "2026", database=file
    )
    assert made["id"]
    with running("serve", "--database", f"sqlite:///{file}", port=url.rsplit(":", 1)[1]):
        await visit.is_live()
        await expect(visit.card("Novum Later")).to_be_visible()
    await context.close()


async def test_the_api_is_tried_on_its_own_page_with_the_readers_session(
    member: BrowserContext, house: tuple[str, Path, str]
) -> None:
    visit = Visit(await member.new_page())
    await visit.page.goto(f"{house[0]}/docs")
    section = visit.page.locator("#listVehicles")
    await section.get_by_text("Try it").click()
    await section.get_by_label("page[size]").fill("2")
    await section.get_by_role("button", name="Send").click()
    await expect(section.locator(".try pre")).to_contain_text(re.compile('^200 OK.*"pageSize": 2', re.DOTALL))
    assert visit.complaints == []
    await visit.page.close()


# Who may look


async def test_elsewhere_people_sign_in_by_a_link_once_and_stay_signed_in(served: str, database: Path, visit: Visit) -> None:
    command("vehicle", "add", "--make", HOSTILE, "--model", "One", "--year", "2026", database=database)
    link = command("user", "add", "Ada", database=database)["link"]
    page = visit.page
    await page.goto(served)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert visit.complaints == []
    await page.goto(link)
    card = page.get_by_role("article")
    await expect(card.get_by_role("heading")).to_have_text(f"{HOSTILE} One")
    await expect(card.locator(".status")).to_have_text("— Not reported")
    await expect(card.locator("footer")).to_have_text("Nothing reported yet")
    assert "sign-in" not in page.url
    await page.reload()
    await expect(card).to_have_count(1)
    tab = await page.context.new_page()
    await tab.goto(served)
    await expect(tab.get_by_role("article")).to_have_count(1)
    assert visit.complaints == []
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(card).to_have_count(0)
    await page.goto(link)
    await expect(page.get_by_role("alert")).to_contain_text("This link was used already")


async def test_a_password_signs_in_and_a_wrong_one_says_so(served: str, database: Path, visit: Visit) -> None:
    command("user", "add", "Grace", database=database)
    command("user", "password", "Grace", database=database, typed="correct horse")
    page = visit.page
    await page.goto(served)
    await page.get_by_label("Name").fill("Grace")
    await page.get_by_label("Password").fill("wrong horse")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    await page.get_by_label("Password").fill("correct horse")
    await page.get_by_role("button", name="Sign in").click()
    await visit.is_live()
    (session,) = command("user", "sessions", "Grace", database=database)
    assert command("user", "sessions", "--end", session["id"], database=database) == {"ended": 1}
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert [sent for sent in visit.complaints if "401" not in sent] == []


async def test_a_share_link_shows_one_car_and_nothing_to_manage(served: str, database: Path, visit: Visit) -> None:
    shared = command("vehicle", "add", "--make", "ACME", "--model", "Shared", "--year", "2026", database=database)["id"]
    command("vehicle", "add", "--make", "ACME", "--model", "Private", "--year", "2026", database=database)
    share = command("share", "add", shared, database=database)
    page = visit.page
    await page.goto(share["link"])
    await expect(page.get_by_role("article").get_by_role("heading")).to_have_text("ACME Shared")
    await expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    await expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("article")).to_have_count(1)
    assert visit.complaints == []
    command("share", "remove", share["id"], database=database)
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("This link has ended")
    await expect(page.get_by_role("article")).to_have_count(0)


async def test_a_strict_server_shows_values_too(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "cars.db"
    secret = await pictured.fill(file, 2)
    settings = tmp_path / "chargeport.toml"
    settings.write_text("[server]\nstrict = true\n")
    context = await browser.new_context(locale="en-GB")
    visit = Visit(await context.new_page())
    with running("serve", "--database", f"sqlite:///{file}", folder=tmp_path) as url:
        await visit.page.goto(f"{url}/#sign-in={secret}")
        await visit.is_live()
        await visit.page.goto(f"{url}/{CAR}")
        await expect(visit.row("charge-voltage")).to_contain_text("231 V")
    assert visit.complaints == []
    await context.close()


# What it costs


async def test_a_late_answer_of_the_audit_log_does_not_replace_the_kind_chosen_after_it(
    member: BrowserContext, house: tuple[str, Path, str]
) -> None:
    page, released = await member.new_page(), asyncio.Event()

    async def delay(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await page.route(re.compile(r"/admin/audit\?.*server\.started"), delay)
    await page.goto(f"{house[0]}/#/applications")
    kind, log = page.get_by_label("Kind"), page.get_by_role("region", name="Audit log")
    async with page.expect_response(re.compile(r"server\.started")) as late:
        await kind.select_option("server.started")
        await kind.select_option("session.begun")
        await expect(log.locator("tbody tr").first).to_contain_text("Signed in")
        released.set()
    await (await late.value).finished()
    await page.evaluate("new Promise((done) => setTimeout(done))")
    await expect(log).not_to_contain_text("Server started")
    await page.close()


async def test_a_late_answer_does_not_replace_the_signal_that_was_asked_for_after_it(
    member: BrowserContext, house: tuple[str, Path, str]
) -> None:
    page, released = await member.new_page(), asyncio.Event()

    async def delay(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await page.route(re.compile(r"signals/charge-voltage/values"), delay)
    await page.goto(f"{house[0]}/{CAR}")
    panel = page.locator("section.panel", has=page.get_by_role("heading", name="Any signal over any time"))
    async with page.expect_response(re.compile(r"signals/charge-voltage/values")) as late:
        await panel.get_by_role("button", name="Show").click()
        await panel.locator("select[name=code]").select_option("charge-wattage")
        await panel.get_by_role("button", name="Show").click()
        await expect(panel.locator(".legend")).to_be_visible()
        shown = await panel.locator(".legend").inner_text()
        released.set()
    await (await late.value).finished()
    await page.evaluate("new Promise((done) => setTimeout(done, 100))")
    await expect(panel.locator(".legend")).to_have_text(shown)
    await page.close()


async def test_it_is_small_quick_and_quiet(member: BrowserContext, house: tuple[str, Path, str]) -> None:
    page = await member.new_page()
    session = await member.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    await session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    received = {"bytes": 0}
    session.on("Network.dataReceived", lambda event: received.update(bytes=received["bytes"] + event["encodedDataLength"]))
    session.on(
        "Network.responseReceived",
        lambda event: received.update(bytes=received["bytes"] + event["response"]["encodedDataLength"]),
    )
    await page.goto(house[0])
    await expect(page.locator("#pulse")).to_have_text("Live")
    paint = await page.evaluate("performance.getEntriesByName('first-paint')[0].startTime")
    assert received["bytes"] <= 150_000, received
    assert paint <= 1000, paint
    await page.wait_for_timeout(3_000)
    quiet_from = received["bytes"]
    await page.wait_for_timeout(20_000)
    assert (received["bytes"] - quiet_from) * 3 <= 5_000, "bytes in a minute without news"
    await page.close()
