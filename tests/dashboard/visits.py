"""A visitor of the page: what it shows, what it asks for and what it complains about."""

import gzip
from pathlib import Path

from playwright.async_api import ConsoleMessage, Locator, Page, expect

SOON_MS = 15_000
AXE = gzip.decompress((Path(__file__).parent / "vendored" / "axe.min.js.gz").read_bytes()).decode()


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

    async def open_car(self, name: str) -> None:
        await self.page.get_by_role("link", name=name).click()
        await expect(self.page.get_by_role("heading", name=name, level=1)).to_be_visible()

    def row(self, code: str) -> Locator:
        return self.page.locator(f"tr[data-code={code}]")

    async def is_too_wide(self) -> bool:
        wide = await self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        return bool(wide)

    async def is_live(self) -> None:
        await expect(self.page.locator("#pulse")).to_have_text("Live")

    async def barriers(self) -> list[str]:
        """What axe finds on the page that some people can't use."""
        await self.page.evaluate(AXE)
        found = await self.page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})"
        )
        return [f"{each['id']} {each['nodes'][0]['html'][:120]}" for each in found["violations"]]
