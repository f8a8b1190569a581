"""The page at `/` as it is sent: its policy, its place for a token, its modules, and what must not stand in it."""

import base64
import gzip
import hashlib
import json
import re

import pytest

from answers import detail
from chargeport.dashboard import page as dashboard
from chargeport.signals.catalogue import CATALOGUE
from world import World

EVERYTHING = dashboard.PAGE + "".join(dashboard.MODULES.values())


def rules(policy: str) -> dict[str, str]:
    return {name: value for name, _, value in (rule.partition(" ") for rule in policy.split("; "))}


async def test_the_policy_lets_the_page_run_its_own_modules_and_nothing_else(world: World) -> None:
    response = await world.client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    assert rules(response.headers["content-security-policy"]) == {
        "default-src": "'none'",
        "style-src": f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "data:",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


async def test_there_is_one_place_for_the_token_and_it_stays_empty_outside_the_demo(world: World) -> None:
    assert dashboard.PAGE.count(dashboard.TOKEN_MARK) == 1
    sent = (await world.client.get("/")).text
    assert dashboard.TOKEN_MARK not in sent
    assert '<script type="application/json" id="token">null</script>' in sent


@pytest.mark.parametrize("name", sorted(dashboard.MODULES))
async def test_a_module_is_sent_once_compressed_where_that_is_understood(world: World, name: str) -> None:
    plain = await world.client.get(f"/page/{name}.js", headers={"accept-encoding": "identity"})
    assert plain.text == dashboard.MODULES[name]
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    packed = await world.client.get(f"/page/{name}.js", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    again = await world.client.get(f"/page/{name}.js", headers={"if-none-match": plain.headers["etag"]})
    assert again.status_code == 304


async def test_there_are_no_other_modules(world: World) -> None:
    assert "no module" in detail(await world.client.get("/page/page.css"), 404)


def test_every_module_that_is_imported_is_there() -> None:
    named = set(re.findall(r"[\"']\./([\w-]+)\.js[\"']", "".join(dashboard.MODULES.values())))
    assert named <= dashboard.MODULES.keys()
    assert set(dashboard.FIRST_MODULES) <= dashboard.MODULES.keys()


def test_the_page_names_no_other_host() -> None:
    named = re.findall(r"https?:[^\s\"'<>)]+", EVERYTHING)
    assert [url for url in named if not url.startswith("http://www.w3.org/")] == []
    assert not re.search(r"(?:src|href)=[\"']?//|@import|url\(", dashboard.PAGE)


def test_no_text_of_the_api_can_become_markup_or_code() -> None:
    own = "".join(text for name, text in dashboard.MODULES.items() if name != "uplot")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"):
        assert way not in own
    assert not re.search(r"\son\w+=", re.sub(r"<script.*?</script>", "", dashboard.PAGE, flags=re.DOTALL))


def test_the_chart_library_has_its_licence_beside_it() -> None:
    from importlib import resources

    assert "MIT" in resources.files("chargeport.dashboard").joinpath("vendored/uplot.LICENSE").read_text("utf-8")


def test_the_page_knows_every_signal() -> None:
    found = re.search(r'id="signals">(.*?)</script>', dashboard.PAGE)
    assert found
    assert [row["code"] for row in json.loads(found[1])] == [signal.code for signal in CATALOGUE]


def test_what_the_first_view_needs_is_small() -> None:
    first = [dashboard.PAGE, *(dashboard.MODULES[name] for name in dashboard.FIRST_MODULES)]
    assert sum(len(gzip.compress(text.encode())) for text in first) < 40_000
