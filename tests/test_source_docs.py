"""The pages about sources are true: their settings start, their lines are taken, their tables are the dialects' own."""

import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest
import typer.main

from chargeport import config
from chargeport.api.routes import ROUTES
from chargeport.cli.main import app
from chargeport.dialects import user
from chargeport.dialects.all import ALL
from chargeport.dialects.generic import code_of
from chargeport.ingest.dialects import STATIONS
from chargeport.ingest.engine import read
from chargeport.runtime import fleet
from chargeport.runtime.builder import source_types
from chargeport.settings import DatabaseSettings, Settings
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.sources.base import Delivery
from chargeport.store.records import is_vin
from world import T0, World

ROOT: Final = Path(__file__).parent.parent
FOLDER: Final = ROOT / "docs" / "sources"
PAGES: Final = sorted(FOLDER.glob("*.md"))
OVERVIEW: Final = FOLDER / "README.md"
SETTINGS: Final = "chargeport.toml"
THE_21: Final = frozenset(signal.code for signal in CATALOGUE[:21])
PACKAGES: Final = {"ocpp": ("ocpp", "websockets")}  # what a type needs to be built; the others need theirs to run
COMMANDS: Final = ("curl", "chargeport", "mosquitto_pub")

BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED: Final = re.compile(r"# (\S+\.toml)$")
CODE: Final = re.compile(r"`([^`]+)`")
GIVES: Final = re.compile(r"^##+ What `(\w+)` gives\n(.*?)(?=^##+ |\Z)", re.MULTILINE | re.DOTALL)
SECRET: Final = re.compile(r'"env:(\w+)"')
VIN: Final = re.compile(r"\b(?=[A-Z0-9]*\d{6}\b)[A-Z0-9]{17}\b")


class Block(NamedTuple):
    """A block of code on a page: its language, the file that it is, its text."""

    page: Path
    at: int
    language: str
    name: str
    text: str


class Command(NamedTuple):
    """A command that a page shows, after the settings that it goes with."""

    page: Path
    words: list[str]
    settings: Block | None


def blocks(page: Path) -> list[Block]:
    found = []
    for match in BLOCK.finditer(page.read_text("utf-8")):
        named = NAMED.match(match[2].partition("\n")[0])
        found.append(Block(page, match.start(), match[1], named[1] if named else SETTINGS, match[2]))
    return found


def settings_blocks() -> list[Block]:
    pages = [*PAGES, ROOT / "README.md"]
    return [each for page in pages for each in blocks(page) if each.language == "toml" and each.name == SETTINGS]


def commands(name: str) -> Iterator[Command]:
    for page in PAGES:
        settings = None
        for block in blocks(page):
            if block.language == "toml" and block.name == SETTINGS:
                settings = block
            if block.language != "sh":
                continue
            words = shlex.split(block.text, comments=True)
            starts = [index for index, word in enumerate(words) if word in COMMANDS]
            for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
                if words[start] == name:
                    yield Command(page, words[start + 1 : end], settings)


def settings_of(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a block writes, beside the other files of its page."""
    for other in blocks(block.page):
        if other.language == "toml" and other.name != SETTINGS:
            (folder / other.name).write_text(other.text, "utf-8")
    (folder / SETTINGS).write_text(block.text, "utf-8")
    for name in SECRET.findall(block.text):
        monkeypatch.setenv(name, "secret-of-a-test")
    return msgspec.structs.replace(
        config.load(folder / SETTINGS, os.environ), database=DatabaseSettings(f"sqlite:///{folder / 'docs.db'}")
    )


async def opened(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A service with a block's settings, its cars made known, its sources built and not started."""
    settings = settings_of(block, folder, monkeypatch)
    for kind in {str(table["type"]) for table in settings.sources} & PACKAGES.keys():
        absent = [package for package in PACKAGES[kind] if find_spec(package) is None]
        if absent:
            pytest.skip(f"{', '.join(absent)}: not installed, and {kind} needs it")
    world = World(folder, settings)
    await fleet.register(world.store, world.service.feeds.pipeline, settings.vehicles, world.clock)
    return world


def cars_in(table: dict[str, Any]) -> set[str]:
    """The cars that a source's table names."""
    stations = table.get("stations", {}).values()
    tags = [table.get("id_tags", {}), *(each.get(key, {}) for each in stations for key in ("connectors", "id_tags"))]
    named = {car for each in tags for car in each.values()}
    return (named | set(table.get("entities", {})) | set(table.get("urls", {})) | {table.get("vehicle", "*")}) - {"*"}


def place(block: Block) -> str:
    line = block.page.read_text("utf-8")[: block.at].count("\n") + 1
    return f"{block.page.parent.name}-{block.page.stem}-{line}"


@pytest.mark.parametrize("block", settings_blocks(), ids=place)
async def test_the_settings_of_every_page_are_taken_and_name_cars_that_they_make_known(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await opened(block, tmp_path, monkeypatch)
    try:
        assert len(world.service.feeds.built) == len(world.service.settings.sources)
        cars = {car for table in world.service.settings.sources for car in cars_in(table)}
        assert not [car for car in cars if await world.store.vehicles.find_vehicle(car) is None]
    finally:
        await world.close()


@pytest.mark.parametrize(
    "block", [each for page in PAGES for each in blocks(page) if each.language == "toml" and each.name != SETTINGS], ids=place
)
def test_every_dialect_on_a_page_is_one_that_its_settings_name(block: Block) -> None:
    dialect = user.from_table(tomllib.loads(block.text), block.name)
    others = [tomllib.loads(each.text) for each in settings_blocks() if each.page == block.page]
    assert [each for each in others if block.name in each.get("dialects", [])]
    assert dialect.name in {table.get("dialect") for each in others for table in each["sources"]}


def request(command: Command) -> tuple[str, str, str | None]:
    """What a curl line sends: method, address, body."""
    words = iter(command.words)
    url, body, method = "", None, None
    for word in words:
        if word in ("-d", "--data", "--data-binary"):
            body = next(words)
        elif word in ("-H", "-u", "-o"):
            next(words)
        elif word == "-X":
            method = next(words)
        elif not word.startswith("-"):
            url = word
    return method or ("GET" if body is None else "POST"), url, body


def routes_of(method: str, path: str) -> list[str]:
    """The routes that a path is of."""
    return [
        route.path for route in ROUTES if route.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path)
    ]


@pytest.mark.parametrize("command", list(commands("curl")), ids=lambda each: f"{each.page.stem} {request(each)[1]}")
async def test_what_a_curl_line_posts_is_understood_with_the_settings_above_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, url, body = request(command)
    path = url.removeprefix("http://127.0.0.1:8080").partition("?")[0]
    assert routes_of(method, path), url
    if path == "/oauth2/token":
        return
    assert path.startswith("/ingest/")
    assert command.settings is not None
    assert body is not None
    world = await opened(command.settings, tmp_path, monkeypatch)
    try:
        headers = (await world.application()).headers
        response = await world.client.post(url.removeprefix("http://127.0.0.1:8080"), content=body.strip(), headers=headers)
        reported = response.json()
        assert (response.status_code, reported["rejected"]) == (200, [])
        assert reported["accepted"]
    finally:
        await world.close()


@pytest.mark.parametrize("command", list(commands("mosquitto_pub")), ids=lambda each: " ".join(each.words))
async def test_what_a_line_of_mosquitto_publishes_is_understood(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.settings is not None
    topic, payload = (command.words[command.words.index(flag) + 1] for flag in ("-t", "-m"))
    world = await opened(command.settings, tmp_path, monkeypatch)
    try:
        [table] = world.service.settings.sources
        received = Delivery(
            source=table["name"], dialect=table["dialect"], payload=payload.encode(), received_at=T0, topic=topic
        )
        taken = await world.service.feeds.pipeline.take([received])
        assert taken.issues == []
        assert sum(taken.outcomes.values())
    finally:
        await world.close()


@pytest.mark.parametrize("command", list(commands("chargeport")), ids=lambda each: f"{each.page.stem} {' '.join(each.words)}")
def test_every_command_on_a_page_exists_with_its_options(command: Command) -> None:
    found: Any = typer.main.get_command(app)
    path = []
    for word in command.words:
        inner = getattr(found, "commands", {})
        if word not in inner:
            break
        found = inner[word]
        path.append(word)
    assert not getattr(found, "commands", {}), f"chargeport {' '.join(command.words)}"
    known = {name for each in found.params for name in (*each.opts, *each.secondary_opts)}
    assert {word for word in command.words if word.startswith("-")} <= known
    arguments = [each for each in found.params if each.param_type_name == "argument"]
    assert bool(arguments) or all(word.startswith("-") or "." in word or word == path[-1] for word in command.words[-1:])


def cells_of(line: str) -> list[str]:
    """The cells of a table's row."""
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


def gives(page: Path) -> dict[str, list[tuple[set[str], set[str]]]]:
    """By dialect, the rows of its table: the signals, and the fields that are named."""
    return {
        match[1]: [
            (set(CODE.findall(cells[0])), set(CODE.findall(cells[1])))
            for cells in map(cells_of, re.findall(r"^\| `.*$", match[2], re.MULTILINE))
        ]
        for match in GIVES.finditer(page.read_text("utf-8"))
    }


TABLES: Final = {name: rows for page in PAGES for name, rows in gives(page).items()}


def test_every_dialect_has_a_page() -> None:
    assert set(TABLES) == set(ALL) - {"simulator"}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_what_a_page_says_that_a_dialect_gives_is_what_its_rows_are_for(name: str) -> None:
    sent = [code for codes, _ in TABLES[name] for code in codes]
    assert len(sent) == len(set(sent))
    given = {row.signal.code for row in ALL[name].rows}
    if name == "generic":  # it gives all there are, as its page says
        assert given == {signal.code for signal in CATALOGUE}
        assert set(sent) <= given
    else:
        assert set(sent) == given


def is_called(field: str, named: str) -> bool:
    """Whether a page's name is this field's; one that begins with … is the end of it."""
    return field.endswith(named[1:]) if named.startswith("…") else field == named


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"generic", "smartcar"}))
def test_the_fields_that_a_page_names_are_those_of_the_rows_for_the_signal(name: str) -> None:
    for codes, fields in TABLES[name]:
        rows = [row for row in ALL[name].rows if row.signal.code in codes]
        strange = {each for each in fields if not any(is_called(field, each) for row in rows for field in row.fields)}
        assert not strange, (codes, strange)
        untold = [row.fields for row in rows if not any(is_called(field, each) for field in row.fields for each in fields)]
        assert not untold, (codes, untold)


def test_the_short_names_of_the_generic_form_are_those_that_it_takes() -> None:
    assert all({code_of(each) for each in names} == codes for codes, names in TABLES["generic"])


@pytest.mark.parametrize("field", sorted({field for _, fields in TABLES["home_assistant"] for field in fields}))
def test_an_entity_that_the_settings_give_to_a_car_is_read_as_the_cars(field: str) -> None:
    domain, _, name = field.partition(".")
    entity = f"{domain}.model_3_{name}"
    state = {"entity_id": entity, "state": "1", "attributes": {}, "last_updated": "2026-05-01T09:59:58+00:00"}
    received = Delivery(
        source="home", dialect="home_assistant", payload=msgspec.json.encode(state), received_at=T0, topic=entity,
        vehicle="5YJ3E1EA7KF000000",
    )  # fmt: skip
    found = read(received, ALL["home_assistant"])
    assert isinstance(found, list)
    assert [(each.vehicle, set(each.fields)) for each in found] == [("5YJ3E1EA7KF000000", {field})]


def rows_under(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading of the overview."""
    text = OVERVIEW.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [cells_of(line) for line in text.splitlines() if line.startswith("|")][2:]


def test_the_overview_counts_each_dialect_as_its_rows_are() -> None:
    counts = {CODE.findall(cells[2])[0]: cells[1] for cells in rows_under("Which system gives what") if "`" in cells[2]}
    assert counts == {
        name: str(len({row.signal.code for row in dialect.rows} & THE_21))
        for name, dialect in ALL.items()
        if name != "simulator"
    }


def test_the_overview_links_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)", OVERVIEW.read_text("utf-8")))
    assert linked == {page.name for page in PAGES} - {OVERVIEW.name}


def test_the_overview_names_signals_and_sides_that_there_are() -> None:
    reported = {code: cells[1] for cells in rows_under("Two sources for one car") for code in CODE.findall(cells[0])}
    assert reported.keys() <= BY_CODE.keys()
    assert set(reported.values()) == {"car", "station"}
    assert {"ocpp", "evcc"} == STATIONS


def test_what_is_to_be_installed_is_an_extra_of_ours() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    named = re.compile(r"extras?\]\(\.\./installation/README\.md#extras\)((?: (?:and )?`\w+`)+)")
    asked_for = {extra for page in PAGES for found in named.findall(page.read_text("utf-8")) for extra in CODE.findall(found)}
    asked_for |= {extra for cells in rows_under("Which system gives what") for extra in CODE.findall(cells[-1])}
    assert len(asked_for) > 1
    assert asked_for <= extras, asked_for - extras


def test_every_type_of_source_of_ours_is_shown() -> None:
    shown = {table["type"] for block in settings_blocks() for table in tomllib.loads(block.text).get("sources", [])}
    ours = {name for name, kind in source_types().items() if kind.build.__module__.startswith("chargeport.")}
    assert ours <= shown


def test_the_vins_on_the_pages_are_of_no_car() -> None:
    found = {vin for page in PAGES for vin in VIN.findall(page.read_text("utf-8"))}
    assert found
    assert all(is_vin(vin) and vin.endswith("000000") for vin in found)
