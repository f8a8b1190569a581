"""The page at `/` as it is sent: its policy, its place for a token, and what must not stand in it."""

import base64
import hashlib
import json
import re

from chargeport.dashboard import page as dashboard
from chargeport.signals.catalogue import CATALOGUE
from world import World


def rules(policy: str) -> dict[str, str]:
    return {name: value for name, _, value in (rule.partition(" ") for rule in policy.split("; "))}


async def test_the_policy_lets_the_page_run_itself_and_nothing_else(world: World) -> None:
    response = await world.client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    inline = {
        kind: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for kind, text in re.findall(r"<(style|script)>(.*?)</", response.text, re.DOTALL)
    }
    assert rules(response.headers["content-security-policy"]) == {
        "default-src": "'none'",
        "style-src": inline["style"],
        "script-src": inline["script"],
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


def test_the_page_names_no_other_host() -> None:
    named = re.findall(r"https?:[^\s\"'<>)]+", dashboard.PAGE)
    assert [url for url in named if not url.startswith("http://www.w3.org/")] == []
    assert not re.search(r"(?:src|href)=[\"']?//|@import|url\(", dashboard.PAGE)


def test_no_text_of_the_api_can_become_markup_or_code() -> None:
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"):
        assert way not in dashboard.PAGE
    assert not re.search(r"\son\w+=", re.sub(r"<script>.*?</script>", "", dashboard.PAGE, flags=re.DOTALL))


def test_the_page_knows_every_signal() -> None:
    found = re.search(r'id="signals">(.*?)</script>', dashboard.PAGE)
    assert found
    assert [row["code"] for row in json.loads(found[1])] == [signal.code for signal in CATALOGUE]
