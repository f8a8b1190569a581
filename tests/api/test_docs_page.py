"""The pages to read: what they say is so, and they fetch nothing from anywhere."""

import json
import re
from html import unescape

import pytest

from chargeport.api.openapi import document
from chargeport.api.routes import ROUTES
from chargeport.errors import ErrorKind
from chargeport.taxonomy import DOCUMENTED
from chargeport.wire import errors
from world import HOST, Client, World

PAGES = ["/docs", "/docs/errors", "/"]
_ADDRESS = re.compile(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"'<>)]*")
_FETCHED = re.compile(
    r"(?:src|href|action|poster|data|srcset)\s*=\s*[\"']?([^\"'\s>]+)|url\(([^)]*)\)|@import\s+([^;]+)", re.IGNORECASE
)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_brings_along_all_that_it_shows(world: World, path: str) -> None:
    text = (await world.client.get(path)).text
    fetched = [next(filter(None, found)) for found in _FETCHED.findall(text)]
    outside = [target for target in fetched if re.match(r"\W*(?:[a-z][a-z+.-]*:)?//|javascript:", target)]
    assert not outside, outside
    foreign = [address for address in _ADDRESS.findall(text) if not address.startswith(("http://www.w3.org/", "https://cars."))]
    assert not foreign, foreign


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_whole_html_with_a_title_and_a_language(world: World, path: str) -> None:
    text = (await world.client.get(path)).text
    assert text.lstrip().lower().startswith("<!doctype html>")
    assert re.search(r"<html[^>]* lang=", text)
    assert re.search(r"<title>[^<]+</title>", text)
    assert 'name="viewport"' in text
    for tag in ("section", "table", "details", "pre"):
        assert len(re.findall(rf"<{tag}[\s>]", text)) == text.count(f"</{tag}>"), tag


async def test_every_operation_is_on_the_page_with_its_answers(world: World) -> None:
    text = (await world.client.get("/docs")).text
    described = document(ROUTES)["paths"]
    for route in ROUTES:
        path = f"/v3{route.path}" if route.v3 else route.path
        section = re.search(rf'<section id="{route.name}">.*?</section>', text, re.DOTALL)
        assert section, route.name
        assert path in unescape(section[0])
        for status in described[path][route.method.lower()]["responses"]:
            assert f"<code>{status}</code>" in section[0]


async def test_every_example_on_the_page_is_json(world: World) -> None:
    shown = re.findall(r"<pre>(.*?)</pre>", (await world.client.get("/docs")).text, re.DOTALL)
    examples = [unescape(text) for text in shown if text.lstrip().startswith(("{", "["))]
    assert len(examples) > 24
    for example in examples:
        json.loads(example)


async def test_every_error_has_its_section_once(world: World) -> None:
    text = (await world.client.get("/docs/errors")).text
    slugs = re.findall(r'<section id="([^"]+)"', text)
    assert sorted(slugs) == sorted(kind.slug for kind in DOCUMENTED)
    assert len(set(slugs)) == len(slugs)


@pytest.mark.parametrize("kind", DOCUMENTED, ids=lambda kind: kind.slug)
async def test_an_error_shows_its_cause_the_way_out_and_an_answer(world: World, kind: ErrorKind) -> None:
    section = sections((await world.client.get("/docs/errors")).text)[kind.slug]
    for sentence in (kind.cause, kind.way_out):
        assert re.fullmatch(r"[A-Z].{10,160}[.]", sentence)
        assert sentence in unescape(section)
    assert kind.cause != kind.way_out
    assert json.loads(unescape(section.partition("<pre>")[2].partition("</pre>")[0])) == errors.example(kind)


async def test_the_example_of_an_error_is_a_real_answer_but_for_its_detail_and_request(world: World, app: Client) -> None:
    shown = sections((await world.client.get("/docs/errors")).text)
    for path, headers in (
        ("/nothing", {}),
        ("/vehicles", {}),
        ("/vehicles/x", app.headers),
        ("/vehicles?page[size]=x", app.headers),
    ):
        reported = (await world.client.get(path, headers=headers)).json()
        section = shown[reported["docURL"].partition("#")[2]]
        example = json.loads(unescape(section.partition("<pre>")[2].partition("</pre>")[0]))
        example["description"] = example["errors"][0]["detail"] = reported["description"]
        example["requestId"] = example["errors"][0]["meta"]["debug"]["requestId"] = reported["requestId"]
        example["docURL"] = example["docURL"].replace("https://cars.example", HOST)
        assert list(example.items()) == list(reported.items())


def sections(page: str) -> dict[str, str]:
    """The sections of a page by their ids."""
    return dict(re.findall(r'<section id="([^"]+)">(.*?)</section>', page, re.DOTALL))


async def test_the_link_of_an_error_leads_to_its_section(world: World, app: Client) -> None:
    for path, headers in (("/nothing", {}), ("/vehicles", {}), ("/vehicles/x", app.headers)):
        link = (await world.client.get(path, headers=headers)).json()["docURL"]
        page, _, section = link.partition("#")
        answer = await world.client.get(page)
        assert answer.status_code == 200
        assert f'id="{section}"' in answer.text


async def test_the_page_of_a_permanent_server_has_no_token(world: World, app: Client) -> None:
    text = (await world.client.get("/")).text
    assert "cpt_" not in text.replace("cpt_…", "")
