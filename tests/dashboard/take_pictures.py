"""Take the pictures of the page that the documentation shows (`make pictures`), or all there are to look at (`--all FOLDER`).

Each view is shown by a server of ours on a database of its own: one car, six cars in six states, two hundred.
"""

import argparse
import asyncio
import shutil
import tempfile
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.async_api import Browser, async_playwright, expect
from running_server import running

import pictured

KEPT: Final = Path(__file__).parents[2] / "docs" / "pictures"
SIZES: Final[dict[str, Any]] = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}
SCHEMES: Final[tuple[Any, ...]] = ("light", "dark")
SIMULATED: Final = 0  # in place of a count: the car of the scenario
CAR: Final = "#/cars/0b0c6b0e-1b5e-4d6e-9b3f-000000000000"
SETTINGS: Final = """\
[[places]]
name = "Home"
latitude = 52.52
longitude = 13.405
radius_m = 150
is_public = false
tariff = "night"

[[tariffs]]
name = "night"
currency = "EUR"
price = 0.34
windows = [{ start = "22:00", end = "06:00", price = 0.24 }]

[[sources]]
name = "wallbox"
type = "ocpp"
security_profile = 0
accept_unknown_stations = true
accept_unknown_tags = true

[[sources]]
name = "garage"
type = "mqtt"
dialect = "teslamate"
url = "mqtt://127.0.0.1:9"
"""
SCENARIO: Final = f"""\
name = "pictured"
summary = "It charges, and its voltage can't be read."

[[cars]]
name = "ours"
id = "{CAR.removeprefix("#/cars/")}"
model = "grand"
soc = 35
limit = 80

[[events]]
after = "PT1S"
do = "plug"

[[events]]
after = "PT1S"
fault = {{ type = "UPSTREAM", code = "NO_RESPONSE", signal = "charge-voltage" }}

[[events]]
after = "PT1S"
fault = {{ webhook = "REPEAT", times = 3 }}
"""


class View(NamedTuple):
    """A view of the page, by the name that its pictures begin with."""

    name: str
    cars: int
    address: str
    language: str = "en-GB"


VIEWS: Final = (
    View("fleet", 6, "#/"),
    View("car", 6, CAR),
    View("silent", 6, CAR[:-1] + "5"),
    View("sessions", 6, "#/sessions"),
    View("statement", 6, "#/statement", "de-DE"),
    View("sources", 6, "#/sources"),
    View("webhooks", 6, "#/webhooks"),
    View("applications", 6, "#/applications"),
    View("settings", 6, "#/settings"),
    View("german", 6, "#/", "de-DE"),
    View("german-car", 6, CAR, "de-DE"),
    View("one", 1, "#/"),
    View("many", 200, "#/"),
    View("simulator", SIMULATED, "#/simulator"),
    View("controls", SIMULATED, CAR),
)
SHOWN: Final = {
    "fleet-desktop-light", "fleet-phone-dark", "car-desktop-light", "car-phone-dark", "sessions-desktop-dark",
    "statement-desktop-light", "sources-desktop-light", "one-desktop-light", "many-desktop-dark", "many-phone-light",
    "simulator-desktop-light",
}  # fmt: skip


async def take(browser: Browser, url: str, secret: str | None, cars: int, *, wanted: set[str] | None, folder: Path) -> None:
    """Take the pictures of the views with so many cars; without a secret to sign in, the page brings a token."""
    session = await browser.new_context()
    page = await session.new_page()
    await page.goto(url if secret is None else f"{url}/#sign-in={secret}")
    await expect(page.locator("#pulse")).to_have_text("Live", timeout=15_000)
    cookies = await session.storage_state()
    for view, (size, viewport), scheme in product(VIEWS, SIZES.items(), SCHEMES):
        name = f"{view.name}-{size}-{scheme}"
        if view.cars != cars or (wanted is not None and name not in wanted):
            continue
        context = await browser.new_context(
            viewport=viewport, color_scheme=scheme, locale=view.language, timezone_id="Europe/Berlin", storage_state=cookies
        )
        page = await context.new_page()
        await page.goto(f"{url}/{view.address}")
        await expect(page.locator('#pulse[data-state="live"]')).to_be_visible(timeout=15_000)
        await page.wait_for_load_state("domcontentloaded")
        await page.locator(".loading").wait_for(state="detached")
        await page.wait_for_timeout(800)
        await page.screenshot(path=folder / f"{name}.png", full_page=view.cars < 100)
        await context.close()


async def main(wanted: set[str] | None, folder: Path) -> None:
    """Serve a database for each count of cars, and take the pictures."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        taken = [view for view in VIEWS if wanted is None or any(name.startswith(f"{view.name}-") for name in wanted)]
        for cars in sorted({view.cars for view in taken}):
            with tempfile.TemporaryDirectory() as place:
                home = Path(place)
                (home / "chargeport.toml").write_text(SETTINGS)
                (home / "scenario.toml").write_text(SCENARIO)
                simulated = ("demo", "--json", "--speed", "60", "--scenario", "scenario.toml")
                secret = None if cars == SIMULATED else await pictured.fill(home / "chargeport.db", cars)
                with running(*(simulated if secret is None else ("serve",)), folder=home) as url:
                    await take(browser, url, secret, cars, wanted=wanted, folder=folder)
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every view at every size and scheme, in this folder")
    parser.add_argument("--only", help="views whose names begin so")
    options = parser.parse_args()
    names = None if options.all else SHOWN
    if options.only:
        every = {f"{view.name}-{size}-{scheme}" for view, size, scheme in product(VIEWS, SIZES, SCHEMES)}
        names = {name for name in names or every if name.startswith(options.only)}
    pictures = options.all or KEPT
    pictures.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(names, pictures))
