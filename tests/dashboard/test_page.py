"""The page at `/`: what a person sees of it in a real browser."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from chargeport.signals.catalogue import CATALOGUE

# One browser for all: a new one costs a second.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SOON_MS = 15_000
FIRST, ASLEEP, OLD, PARKED = "Voltra Grand", "Nordvik Fjord", "Motora Piccola", "ACME Runabout"
HOSTILE = "<img src=x onerror=alert(1)>"


class Visit:
    """A page that is open, what it asked for and what it complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def card(self, name: str) -> Locator:
        return self.page.get_by_role("article").filter(has=self.page.get_by_role("heading", name=name))

    async def open_detail(self, name: str) -> Locator:
        await self.page.get_by_role("button", name=f"All signals of {name}").click()
        detail = self.page.get_by_role("dialog")
        await expect(detail).to_be_visible()
        return detail

    async def is_too_wide(self) -> bool:
        wide = await self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        return bool(wide)


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """A visitor whom no server has seen before."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(SOON_MS)
    expect.set_options(timeout=SOON_MS)
    yield Visit(await context.new_page())
    await context.close()


def part(card: Locator, name: str) -> Locator:
    return card.locator(f"[data-part={name}]")


def row(detail: Locator, code: str) -> Locator:
    return detail.locator(f"tr[data-code={code}]")


async def test_the_demo_shows_every_car_live(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    await expect(visit.page.get_by_role("article")).to_have_count(6)
    first = visit.card(FIRST)
    power = part(first, "power")
    await expect(part(first, "status")).to_have_text("Charging")
    await expect(power).to_have_text(re.compile(r"^\d+\.\d\d kW$"))
    await expect(power).not_to_have_text(await power.inner_text())
    await expect(part(first, "line")).to_have_attribute("d", re.compile("^M.+L"))
    await expect(first.get_by_role("meter")).to_have_attribute("aria-valuetext", re.compile(r"^[\d.]+ percent, charges to 90$"))
    await expect(visit.page.locator("#pulse")).to_have_text("Live")
    assert {url[: len(demo)] for url in visit.asked if not url.startswith("data:")} == {demo}
    assert visit.complaints == []


async def test_what_is_old_or_unknown_is_never_shown_as_if_it_were_true(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    asleep = visit.card(ASLEEP)
    await expect(part(asleep, "status")).to_have_text("Last known: Charging")
    await expect(part(asleep, "reason")).to_have_text(re.compile(r"Last heard \d\sh\sago\. The vehicle has fallen silent"))
    await expect(part(asleep, "power")).to_have_text(re.compile(r"kWlast known \d\sh\sago$"))
    parked = visit.card(PARKED)
    await expect(part(parked, "power")).to_have_text("0 kW")
    await expect(part(parked, "stats")).to_contain_text("Voltage—Not reported")
    assert visit.complaints == []


async def test_the_detail_view_tells_every_signal_or_why_not(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    detail = await visit.open_detail(OLD)
    await expect(detail.locator("tr[data-code]")).to_have_count(len(CATALOGUE))
    await expect(row(detail, "charge-chargelimits")).to_contain_text("Vehicle not capable: The vehicle does not have this.")
    await expect(row(detail, "charge-timetocomplete")).to_contain_text("Not reported: No source has reported it")
    await expect(row(detail, "charge-detailedchargingstatus")).to_contain_text("Fully charged")
    await visit.page.keyboard.press("Escape")
    await expect(detail).to_be_hidden()
    detail = await visit.open_detail(FIRST)
    await expect(row(detail, "charge-chargelimits")).to_contain_text("90 % in force")
    await expect(row(detail, "charge-chargerecords")).to_contain_text(re.compile(r"\d+ sessions, [\d.,]+ kWh"))
    await expect(row(detail, "charge-voltage")).to_contain_text(re.compile(r"\d V\d+\ss\sago\s*simulator"))
    assert "{" not in await detail.inner_text()
    assert visit.complaints == []


async def test_the_page_fits_a_narrow_screen(demo: str, visit: Visit) -> None:
    await visit.page.set_viewport_size({"width": 360, "height": 740})
    await visit.page.goto(demo)
    await expect(part(visit.card(OLD), "status")).to_have_text("Fully charged")
    assert not await visit.is_too_wide()
    detail = await visit.open_detail(FIRST)
    await row(detail, "charge-chargerecords").locator("summary").click()
    within = "[...document.querySelectorAll('dialog *')].every((one) => one.getBoundingClientRect().right <= 360)"
    assert await visit.page.evaluate(within)
    await visit.page.goto(f"{demo}/docs")
    assert not await visit.is_too_wide()


async def test_an_outage_is_said_calmly_and_ends_by_itself(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    await expect(visit.page.locator("#pulse")).to_have_text("Live")
    notice = visit.page.get_by_role("status")
    await expect(notice).to_be_hidden()
    await visit.page.context.set_offline(True)
    await expect(notice).to_contain_text("The server does not answer.")
    await expect(visit.page.locator("#pulse")).to_have_text(re.compile(r"Next try in \d+ s"))
    await visit.page.context.set_offline(False)
    await expect(notice).to_be_hidden(timeout=SOON_MS)
    await expect(visit.page.locator("#pulse")).to_have_text("Live")


def command(*arguments: str, database: Path, typed: str = "") -> Any:
    """What a command answers that runs beside the server."""
    done = subprocess.run(
        [sys.executable, "-m", "chargeport", *arguments, "--database", f"sqlite:///{database}", "--json"],
        input=typed, capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    return json.loads(done.stdout)


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
    await expect(part(card, "status")).to_have_text("— Not reported")
    await expect(part(card, "soc")).to_have_text("—Not reported")
    await expect(part(card, "heard")).to_have_text("Nothing heard yet")
    assert page.url == f"{served}/", "the address bar keeps nothing that signs in"
    assert await page.evaluate("document.cookie") == "", "no script can see the session"
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
    await expect(page.locator("#pulse")).to_have_text("Live")
    (session,) = command("user", "sessions", "Grace", database=database)
    assert command("user", "sessions", "--end", session["id"], database=database) == {"ended": 1}
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert [said for said in visit.complaints if "401" not in said] == []


async def test_a_share_link_shows_one_car_until_it_is_removed(served: str, database: Path, visit: Visit) -> None:
    shared = command("vehicle", "add", "--make", "ACME", "--model", "Shared", "--year", "2026", database=database)["id"]
    command("vehicle", "add", "--make", "ACME", "--model", "Private", "--year", "2026", database=database)
    share = command("share", "add", shared, database=database)
    page = visit.page
    await page.goto(share["link"])
    await expect(page.get_by_role("article").get_by_role("heading")).to_have_text("ACME Shared")
    await expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("article")).to_have_count(1)
    assert visit.complaints == []
    command("share", "remove", share["id"], database=database)
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("This link does not show anything any more")
    await expect(page.get_by_role("article")).to_have_count(0)


async def test_a_token_that_has_ended_is_replaced_in_the_demo(demo: str, visit: Visit) -> None:
    await visit.page.goto(demo)
    await expect(part(visit.card(FIRST), "status")).to_have_text("Charging")
    await visit.page.route("**/v3/vehicles/*/signals", lambda route: route.fulfill(status=401, json={}), times=1)
    async with visit.page.expect_event("load"):
        pass
    await expect(part(visit.card(FIRST), "status")).to_have_text("Charging")
    await expect(visit.page.locator("#pulse")).to_have_text("Live")


async def test_many_cars_are_turned_over_and_only_those_in_sight_are_asked_for(many: str, visit: Visit) -> None:
    await visit.page.goto(many)
    cards = visit.page.get_by_role("article")
    await expect(cards).to_have_count(24)
    await expect(part(cards.first, "status")).not_to_have_text("Loading")
    await expect(visit.page.locator("#pulse")).to_have_text("Live")
    assert 3 <= len({url for url in visit.asked if url.endswith("/signals")}) <= 12
    await expect(visit.page.get_by_text("1 to 24 of 60")).to_be_visible()
    await visit.page.get_by_role("button", name="Next").click()
    await expect(visit.page.get_by_text("25 to 48 of 60")).to_be_visible()
    await expect(part(cards.first, "status")).not_to_have_text("Loading")
    await visit.page.get_by_role("searchbox", name="Find a car").fill("nordvik fjord 2022")
    await expect(cards.get_by_role("heading", name=ASLEEP)).to_have_count(await cards.count())
    await visit.page.get_by_role("searchbox").fill("no such car")
    await expect(visit.page.get_by_text("No car matches.")).to_be_visible()
    assert visit.complaints == []
