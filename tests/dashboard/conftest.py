import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect
from running_server import running
from visits import SOON_MS, Visit

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
# Nothing that a browser does for itself: no updates, no requests of its own, no window.
ALONE = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The address of a demo, ten times faster than life: its cars report every second."""
    with running("demo", "--json", "--speed", "10") as url:
        yield url


@pytest.fixture(scope="module")
def many() -> Iterator[str]:
    """The address of a demo with more cars than are in sight."""
    with running("demo", "--json", "--vehicles", "300") as url:
        yield url


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a server that is no demo."""
    return tmp_path_factory.mktemp("served") / "cars.db"


@pytest.fixture(scope="module")
def served(database: Path) -> Iterator[str]:
    """The address of a server that is no demo."""
    with running("serve", "--database", f"sqlite:///{database}") as url:
        yield url


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser of this machine. Where there is none the test is skipped, but never where CI says that there is one."""
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop(f"no browser on this machine: looked for {', '.join(CHROMIUMS)}")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A browser; each visit has a context of its own in it."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, args=ALONE)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """A visitor whom no server has seen before."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(SOON_MS)
    expect.set_options(timeout=SOON_MS)
    yield Visit(await context.new_page())
    await context.close()
