"""The documentation as a site: built strictly and offline, shown by the server, and its programs run."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx
import pytest
from starlette.applications import Starlette

from chargeport.api import docs
from serving import served
from world import World

ROOT: Final = Path(__file__).parent.parent
FENCED: Final = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SETTINGS: Final = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
NEW_PAGES: Final = ("start.md", "how-to/home.md")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.service
def test_no_page_of_the_site_fetches_anything_from_another_host(site: Path) -> None:
    fetched = re.compile(
        r"<(?:script|img|iframe|link rel=\"?(?:stylesheet|preconnect|preload)\"?)[^>]+(?:src|href)=\"?(https?:[^\s\">]+)"
    )
    found = [f"{page.name}: {url}" for page in site.rglob("*.html") for url in fetched.findall(page.read_text("utf-8"))]
    assert found == []


@pytest.mark.service
async def test_the_server_shows_the_site_under_a_policy(site: Path) -> None:
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=docs.guide_routes(site))), base_url="http://cars.test"
    )
    start = await client.get("/docs/guide/index.html")
    assert "The open, self-hosted charge-signals server" in start.text
    assert start.headers["content-security-policy"] == docs.GUIDE_POLICY
    assert (await client.get("/docs/guide/pictures/fleet-desktop-light.png")).headers["content-type"] == "image/png"
    index = (await client.get("/docs/guide/search/search_index.json")).json()
    assert any("staleness" in each["text"].lower() for each in index["docs"])
    assert (await client.get("/docs/guide/../app.py")).status_code == 404
    await client.aclose()


def test_where_it_was_not_built_there_is_nothing(tmp_path: Path) -> None:
    assert docs.guide_routes(tmp_path) == []


@pytest.mark.service
async def test_every_program_of_the_clients_page_runs(world: World, tmp_path: Path) -> None:
    import asyncio

    car = await world.car()
    app = await world.application()
    token = app.headers["Authorization"].removeprefix("Bearer ")
    first, second = FENCED.findall((ROOT / "docs" / "how-to" / "python-client.md").read_text("utf-8"))
    async with served(world.served) as server:
        url = f"http://127.0.0.1:{server.port}"

        async def run(program: str, *arguments: str) -> str:
            command = [sys.executable, "-c", program, url, token, *arguments]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert await run(second, car.id, str(tmp_path)) == "1 sent, 0 waiting\n"
        assert f"{car.id} charge-voltage 231" in await run(first)


@pytest.mark.parametrize("page", NEW_PAGES)
def test_the_settings_of_a_page_are_settings(page: str, tmp_path: Path) -> None:
    from chargeport import config

    (written,) = SETTINGS.findall((ROOT / "docs" / page).read_text("utf-8"))
    file = tmp_path / "chargeport.toml"
    file.write_text(written, "utf-8")
    settings = config.load(environ={}, file=file)
    assert settings.sources or settings.places
