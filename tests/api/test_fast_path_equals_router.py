"""The fast path is only quicker: whatever is asked, with it and without it the answer is the same, byte for byte."""

import asyncio
import tempfile
import uuid
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from answers import request_id
from chargeport.api.reads import Reads
from chargeport.api.response import Response
from chargeport.settings import ServerSettings
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from world import EVERYTHING, T0, World, ask

FULL, ABSENT, EMPTY, FOREIGN, ODD = "car-full", "car-absent", "car-empty", "car-foreign", "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
SHARED, KNOWN = "car-shared", "car-known"
RULE = "wattage/voltage-amperage@1 of charge-voltage charge-amperage"


class Two(NamedTuple):
    """One service, answered with the fast path and without it."""

    runner: asyncio.Runner
    world: World
    bare: ASGIApp
    tokens: list[bytes]
    tags: list[bytes]

    def answers(self, *request: object, **more: object) -> list[httpx.Response]:
        async def both() -> list[httpx.Response]:
            return [await ask(app, *request, **more) for app in (self.world.app, self.bare)]  # type: ignore[arg-type]

        return self.runner.run(both())


async def populated(folder: Path) -> tuple[World, list[bytes]]:
    """Cars in every state, and tokens of every sort."""
    world = World.open(folder, server=ServerSettings(trusted_proxies=["127.0.0.1"]))
    cars = {name: await world.car(name) for name in (FULL, ABSENT, EMPTY, FOREIGN, ODD)}
    await world.report_all(cars[FULL])
    await world.report_all(cars[ODD], T0 - 10 * 60_000)
    await world.report(cars[ODD], "charge-ischarging", {"value": False})
    cars |= {SHARED: await world.car(SHARED), KNOWN: await world.car(KNOWN, vin="5YJ3E1EA7KF317000")}
    await world.report_all(cars[SHARED])
    await world.store.readings.write(
        [
            Reading(SHARED, BY_CODE["charge-voltage"], 229.5, T0 + 1000, T0 + 1000, "wallbox"),
            Reading(SHARED, BY_CODE["charge-ischarging"], False, T0 + 1000, T0 + 1000, "wallbox"),
            Reading(KNOWN, BY_CODE["charge-wattage"], 7.2, T0, T0, DERIVED, RULE),
        ]
    )
    await world.report(cars[KNOWN], "charge-voltage", {"value": 230.5, "unit": "volts"})
    for code, reason in zip(sorted(BY_CODE), cycle(AbsenceReason), strict=False):
        await world.absent(cars[ABSENT], code, reason)
    clients = [
        await world.application(),
        await world.application(EVERYTHING - {Permission.READ_CHARGE_LOCATIONS, Permission.READ_BATTERY}),
        await world.application(frozenset()),
        await world.application(connected_only=True),
    ]
    for name in (FULL, ABSENT, ODD, SHARED, KNOWN):
        await world.connect(clients[3], cars[name], "owner")
    await world.connect(clients[0], cars[FULL], "driver", frozenset({Permission.READ_BATTERY}))
    return world, [client.headers["Authorization"].encode() for client in clients]


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        world, tokens = runner.run(populated(Path(folder)))
        own = [(b"host", b"cars.test"), (b"authorization", tokens[0])]
        paths = [f"/v3/vehicles/{FULL}/signals", f"/vehicles/{FULL}/signals/charge-wattage"]
        tags = [runner.run(ask(world.app, path, own)).headers["etag"].encode() for path in paths]
        yield Two(runner, world, world.served, tokens, tags)
        runner.run(world.close())


codes = st.sampled_from([*BY_CODE, "charge-nothing", "Charge-Voltage", "charge-voltage\n", "", " ", "é", "."])
vehicles = st.sampled_from(
    [
        FULL,
        FULL,
        FULL,
        ODD,
        ODD,
        ABSENT,
        ABSENT,
        SHARED,
        KNOWN,
        EMPTY,
        FOREIGN,
        "nobody",
        "",
        " ",
        "..",
        "car-full\n",
        "CAR-FULL",
        "%",
        "ü",
    ]
)
segments = st.one_of(
    vehicles, codes, st.sampled_from(["v3", "vehicles", "signals", "coverage", "connections"]), st.text(max_size=8)
)


taken = st.builds(
    "{}/vehicles/{}/signals{}".format, st.sampled_from(["", "/v3"]), vehicles, st.one_of(st.just(""), codes.map("/{}".format))
)
close = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["/v3", "", "/v3/v3", "/", "x", "v3", "/V3"]),
    st.sampled_from(["/vehicles/", "/vehicle/", "vehicles/", "//vehicles/"]),
    vehicles,
    st.sampled_from(["/signals", "/signals/", "/signals//", "/signals\n", "", "/", "/coverage", "/signals/charge-wattage/x"]),
)
anything = st.lists(segments, max_size=6).map("/".join)
paths = st.one_of(taken, taken, taken.map("{}/".format), close, anything)


headers_of_others = st.sampled_from([
    (b"sc-user-id", b"owner"), (b"sc-user-id", b"driver"), (b"sc-user-id", b""), (b"sc-user-id", b"\xff"),
    (b"if-none-match", b"*"), (b"if-none-match", b'"x"'), (b"if-none-match", b""), (b"sc-unit-system", b"metric"),
    (b"x-forwarded-host", b"other.test"), (b"x-forwarded-proto", b"https"), (b"accept", b"text/html"), (b"cookie", b"a=b"),
])  # fmt: skip
hosts = st.sampled_from([b"cars.test", b"cars.test:80", b"[::1]:8080", b'"', b"", b"other.test"]).map(
    lambda host: (b"host", host)
)
bad_tokens = st.sampled_from(
    [b"", b"Bearer", b"Bearer ", b"Bearer cpt_unknown", b"Basic eDp5", b"\xff", b"Bearer " + b"x" * 600]
)
methods = st.sampled_from(["GET"] * 12 + ["HEAD", "POST", "OPTIONS", "DELETE", "get"])
queries = st.sampled_from(
    [b""] * 12 + [b"page[size]=5", b"page[number]=2&page[size]=10", b"filter[code]=charge-wattage", b"&", b"x=%ff"]
)


@settings(max_examples=400)
@given(data=st.data(), path=paths, method=methods, query=queries, client=st.sampled_from(["127.0.0.1", "203.0.113.9"]))
def test_with_the_lane_and_without_it_the_answer_is_the_same(
    two: Two, data: st.DataObject, *, path: str, method: str, query: bytes, client: str
) -> None:
    tokens = st.one_of(st.sampled_from(two.tokens), st.sampled_from(two.tokens), bad_tokens)
    own = tokens.map(lambda token: (b"authorization", token))
    known = st.sampled_from(two.tags).map(lambda tag: (b"if-none-match", tag))
    good = (b"authorization", two.tokens[0])
    headers = [good, *data.draw(st.lists(st.one_of(own, hosts, known, headers_of_others), max_size=4))]
    with_fast_path, without = two.answers(path, headers, method=method, query=query, client=client)
    event(f"{method} {without.status_code}")
    assert facts(with_fast_path) == facts(without)


@pytest.mark.parametrize("vehicle", [FULL, ABSENT, EMPTY, FOREIGN, ODD, SHARED, KNOWN, "nobody"])
@pytest.mark.parametrize("moved_s", [0, 1700, 1801])
def test_every_state_of_every_signal_is_answered_alike_for_every_reader(two: Two, vehicle: str, moved_s: int) -> None:
    two.world.clock.move(moved_s)
    for token in two.tokens:
        for code in ("", *(f"/{code}" for code in BY_CODE)):
            headers = [(b"host", b"cars.test"), (b"authorization", token)]
            with_fast_path, without = two.answers(f"/v3/vehicles/{vehicle}/signals{code}", headers)
            assert facts(with_fast_path) == facts(without)
    two.world.clock.move(-moved_s)


reports = st.lists(  # signal, source, minute, whether it is the example, whether it is an absence
    st.tuples(
        st.sampled_from(["charge-ischarging", "charge-ischargingcableconnected", "charge-voltage", "charge-chargerphases",
                         "charge-amperagemax", "vehicleidentification-vin"]),
        st.sampled_from(["car", "wallbox", DERIVED]),
        st.integers(-40, 0),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=100)
@given(reports=reports, has_vin=st.booleans())
def test_whatever_sources_reported_is_answered_alike(
    two: Two, reports: list[tuple[str, str, int, bool, bool]], *, has_vin: bool
) -> None:
    car = two.runner.run(two.world.car(vin=uuid.uuid4().hex[:17].upper() if has_vin else None))
    two.runner.run(two.world.store.readings.write([entry(car.id, each) for each in reports]))
    for token in two.tokens[:2]:
        for code in ("", *(f"/{code}" for code in {"vehicleidentification-vin", *(code for code, *_ in reports)})):
            with_fast_path, without = two.answers(f"/v3/vehicles/{car.id}/signals{code}", [(b"authorization", token)])
            assert facts(with_fast_path) == facts(without)


def entry(vehicle: str, report: tuple[str, str, int, bool, bool]) -> Entry:
    """Something that a source reported: the example of the signal, or what says the contrary, or that there is nothing."""
    code, source, minute, is_example, is_absent = report
    signal, at = BY_CODE[code], T0 + minute * 60_000
    if is_absent:
        return Absence(vehicle, signal, AbsenceReason.UNREACHABLE, at, at + 500, source)
    value = bodies.parse(signal, signal.example)
    value = value if is_example else not value if isinstance(value, bool) else 0 if isinstance(value, int | float) else value
    return Reading(vehicle, signal, value, at, at + 500, source, RULE if source == DERIVED else None)


def test_a_plain_read_is_answered_without_what_the_router_calls(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> Response:
        raise AssertionError("the read went on to the function of the router")

    paths = [f"/vehicles/{vehicle}/signals{code}" for vehicle in (FULL, SHARED, KNOWN) for code in ("", "/charge-amperagemax")]
    headers = [(b"authorization", two.tokens[0])]
    two.answers(paths[0], headers)  # the token is looked up
    monkeypatch.setattr(Reads, "answer", refuse)
    statuses = [two.answers(path, headers)[0].status_code for path in paths[:-1]]
    assert statuses == [200] * 5


def facts(response: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], str]:
    """The whole answer, but for its id."""
    reported = request_id(response)
    headers = [(name, value) for name, value in response.headers.raw if name != b"sc-request-id"]
    return response.status_code, headers, response.text.replace(reported, "ID")
