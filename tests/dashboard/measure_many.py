"""Measure the page of all cars with many of them, in Chromium with its processor slowed down four times.

    PYTHONPATH=tests python tests/dashboard/measure_many.py [--cars 100000] [--keep FOLDER] [--pictures FOLDER]

It opens the page, scrolls to the middle and the end, searches, filters and orders, and prints how long each took until the rows
were shown, the bytes that came, the memory of the page's scripts and the number of its elements.
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, CDPSession, Page, async_playwright, expect
from running_server import running

import pictured

SLOWED: Final = 4
PATIENCE_MS: Final = 120_000
show: Final = partial(print, flush=True)
ROWS: Final = "#cars tbody tr[data-state]"
SETTLED: Final = f"() => document.querySelector('{ROWS}, #cars article') && !document.querySelector('#cars tbody tr.waiting')"


class Traffic:
    """What a page received so far, in bytes on the wire."""

    def __init__(self) -> None:
        self.received = 0

    @classmethod
    async def of(cls, session: CDPSession) -> "Traffic":
        """Count from now on, without a cache and with the processor slowed down."""
        traffic = cls()
        await session.send("Network.enable")
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
        session.on("Network.dataReceived", lambda event: traffic.add(event["encodedDataLength"]))
        session.on("Network.responseReceived", lambda event: traffic.add(event["response"]["encodedDataLength"]))
        return traffic

    def add(self, count: int) -> None:
        """Count more bytes."""
        self.received += count


class Measured:
    """A page of many cars, and a line for each thing that is done with it."""

    def __init__(self, page: Page, session: CDPSession, traffic: Traffic) -> None:
        self.page, self.session, self.traffic = page, session, traffic

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Print how long a step took, and what it cost."""
        began, received = time.monotonic(), self.traffic.received
        yield
        took = time.monotonic() - began
        await self.session.send("HeapProfiler.collectGarbage")
        found = {each["name"]: each["value"] for each in (await self.session.send("Performance.getMetrics"))["metrics"]}
        heap, nodes = found["JSHeapUsedSize"] / 1e6, found["Nodes"]
        show(
            f"{name:<28} {took:>7.2f} {(self.traffic.received - received) / 1000:>9.1f} {heap:>8.1f} {nodes:>9.0f}", flush=True
        )

    async def settled(self) -> None:
        """Wait until every row in sight has its car."""
        await self.page.wait_for_timeout(50)
        await self.page.wait_for_function(SETTLED, timeout=PATIENCE_MS)

    async def scroll(self, share: float) -> None:
        """Scroll to this share of the page."""
        await self.page.evaluate("share => scrollTo(0, (document.documentElement.scrollHeight - innerHeight) * share)", share)
        await self.settled()

    async def answered(self, part: str, act: str) -> None:
        """Do something, and wait for the answer to the request that has this in its address, and for its rows."""
        async with self.page.expect_response(
            lambda response: "/fleet?" in response.url and part in response.url, timeout=PATIENCE_MS
        ):
            await self.page.evaluate(act)
        await self.settled()


async def measure(browser: Browser, url: str, secret: str, pictures: Path | None) -> None:
    """Do with the page what a person does who looks for a car."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(f"{url}/#sign-in={secret}")
    await expect(page.locator("#pulse")).to_have_text("Live", timeout=PATIENCE_MS)
    await page.close()
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Performance.enable")
    measured = Measured(page, session, await Traffic.of(session))
    show(f"{'step':<28} {'s':>7} {'kB':>9} {'MB heap':>8} {'elements':>9}")
    async with measured.step("open"):
        await page.goto(url)
        await measured.settled()
    paint = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    async with measured.step("live"):
        await expect(page.locator("#pulse")).to_have_text("Live", timeout=PATIENCE_MS)
    for share in (0.001, 0.5, 1.0, 0.0):
        async with measured.step(f"scroll to {share:.1%}"):
            await measured.scroll(share)
    async with measured.step("scroll on through 2,000 rows"):
        for row in range(0, 2000, 20):
            await page.evaluate("row => scrollTo(0, row * 36)", row)
            await page.wait_for_timeout(16)
        await measured.settled()
    typed = (
        "(text => { const field = document.getElementById('search'); field.value = text;"
        " field.dispatchEvent(new Event('input')); })"
    )
    async with measured.step("search a plate"):
        await measured.answered("text%5D=5321", f"{typed}('5321')")
    async with measured.step("search nothing again"):
        await measured.answered("sort=name", f"{typed}('')")
    for state in ("silent", "charging"):
        async with measured.step(f"filter: {state}"):
            await measured.answered("state", f"document.querySelector('.chip[data-state={state}]').click()")
    async with measured.step("order by charge"):
        await measured.answered("sort=-soc", "document.querySelector('th.soc button').click()")
    async with measured.step("scroll to 50%"):
        await measured.scroll(0.5)
    if pictures:
        await page.screenshot(path=pictures / "many-filtered.png")
    show(f"first contentful paint {paint:.0f} ms, received {measured.traffic.received / 1000:.0f} kB")
    await context.close()


async def main(cars: int, kept: Path | None, pictures: Path | None) -> None:
    """Make the database, serve it and measure."""
    with tempfile.TemporaryDirectory() as place:
        home = kept or Path(place)
        file, link = home / f"many-{cars}.db", home / f"many-{cars}.secret"
        secret = await pictured.fill(file, cars) if not file.exists() else link.read_text()
        link.write_text(secret)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            with running("serve", "--database", f"sqlite:///{file}") as url:
                await measure(browser, url, secret, pictures)
            await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cars", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the database is kept for another time")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="where pictures are put")
    options = parser.parse_args()
    asyncio.run(main(options.cars, options.keep, options.pictures))
