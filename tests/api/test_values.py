"""The history of a signal over HTTP: changes page by page, and what stretches of time were like."""

import json
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from answers import detail, typed_error
from chargeport.signals import wire
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Kind, Permission, Signal, Value
from chargeport.signals.effective import effective
from chargeport.signals.instants import instant_ms
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.records import Vehicle
from world import EVERYTHING, HOST, T0, Client, World

POWER = "charge-wattage"
MINUTE = 60_000
HOUR = 60 * MINUTE
MIDNIGHT = 1_777_593_600_000  # 2026-05-01T00:00:00Z
BAD = "VALIDATION/INVALID_INPUT_FORMAT"

Document = dict[str, Any]


class Asked:
    """Asks for the history of one car."""

    def __init__(self, world: World, app: Client, car: Vehicle) -> None:
        self.world, self.app, self.car = world, app, car

    async def raw(self, code: str = POWER, headers: Mapping[str, str] | None = None, **query: Any) -> httpx.Response:
        names = {"size": "page[size]", "cursor": "page[cursor]", "number": "page[number]", "from_": "from"}
        params = {names.get(name, name): str(value) for name, value in query.items()}
        path = f"/v3/vehicles/{self.car.id}/signals/{code}/values"
        return await self.world.client.get(path, params=params, headers=headers or self.app.headers)

    async def __call__(self, code: str = POWER, headers: Mapping[str, str] | None = None, **query: Any) -> Document:
        response = await self.raw(code, headers, **query)
        assert response.status_code == 200, response.text
        document: Document = response.json()
        return document

    async def refused(self, **query: Any) -> str:
        return detail(await self.raw(**query), 400, BAD)

    async def reports(self, *values: float, step: int = MINUTE, start: int = T0 - HOUR) -> None:
        signal = BY_CODE[POWER]
        await self.world.store.readings.write(
            [
                Reading(self.car.id, signal, value, start + n * step, start + n * step + 1, "box")
                for n, value in enumerate(values)
            ]
        )

    async def all(self, first: Document) -> list[Any]:
        """All data, by following links."""
        found, document = list(first["data"]), first
        while (following := document["links"]["next"]) is not None:
            assert following.startswith(f"{HOST}/v3/")
            document = (await self.world.client.get(following, headers=self.app.headers)).json()
            found += document["data"]
        return found


@pytest.fixture
def asked(world: World, app: Client, car: Vehicle) -> Asked:
    return Asked(world, app, car)


def values(data: list[Any]) -> list[Any]:
    return [element["body"]["value"] for element in data]


# Changes


async def test_each_change_has_its_body_both_times_and_its_source_newest_last(asked: Asked) -> None:
    await asked.reports(7200, 7200, 3600)
    document = await asked()
    path = f"{HOST}/v3/vehicles/{asked.car.id}/signals/{POWER}/values"
    assert document == {
        "data": [
            {
                "body": {"value": 7200, "unit": "watts"},
                "meta": {
                    "oemUpdatedAt": "2026-05-01T08:59:58.000Z",
                    "retrievedAt": "2026-05-01T08:59:58.001Z",
                    "source": "box",
                },
            },
            {
                "body": {"value": 3600, "unit": "watts"},
                "meta": {
                    "oemUpdatedAt": "2026-05-01T09:01:58.000Z",
                    "retrievedAt": "2026-05-01T09:01:58.001Z",
                    "source": "box",
                },
            },
        ],
        "meta": {"count": 2, "pageSize": 100},
        "links": {"self": path, "next": None},
    }


async def test_the_signals_link_leads_there_and_the_form_without_v3_answers_alike(asked: Asked) -> None:
    await asked.reports(1, 2)
    read = await asked.world.client.get(f"/v3/vehicles/{asked.car.id}/signals/{POWER}", headers=asked.app.headers)
    link = read.json()["data"]["links"]["values"]
    found = await asked.world.client.get(link, headers=asked.app.headers)
    assert found.json() == await asked()
    assert (await asked.world.client.get(link.replace("/v3", ""), headers=asked.app.headers)).json() == await asked()


@pytest.mark.parametrize("reason", AbsenceReason)
async def test_an_absence_is_at_its_instant_with_the_wording_of_the_read(asked: Asked, reason: AbsenceReason) -> None:
    await asked.reports(7)
    await asked.world.absent(asked.car, POWER, reason)
    read = await asked.world.client.get(f"/v3/vehicles/{asked.car.id}/signals/{POWER}", headers=asked.app.headers)
    first, second = (await asked())["data"]
    assert first["body"]["value"] == 7
    assert second["status"] == read.json()["data"]["attributes"]["status"]
    assert second.keys() == {"status", "meta"}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
async def test_pages_follow_their_links_to_the_end(asked: Asked, size: int) -> None:
    await asked.reports(*range(20))
    first = await asked(size=size, from_=T0 - HOUR)
    assert first["meta"] == {"count": min(size, 20), "pageSize": size}
    assert dict(parse_qsl(urlsplit(first["links"]["self"]).query)) == {"page[size]": str(size), "from": str(T0 - HOUR)}
    assert values(await asked.all(first)) == list(range(20))


async def test_new_and_late_data_between_pages_neither_repeats_nor_hides_anything(asked: Asked) -> None:
    await asked.reports(*range(0, 40, 2), step=2 * MINUTE)
    document = await asked(size=3)
    seen = values(document["data"])
    late = iter(range(39, 0, -4))
    while document["links"]["next"] is not None:
        for value in (next(late, None), next(late, None)):
            if value is not None:
                await asked.reports(value, start=T0 - HOUR + value * MINUTE)
        document = (await asked.world.client.get(document["links"]["next"], headers=asked.app.headers)).json()
        seen += values(document["data"])
    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)
    assert set(seen) >= set(range(0, 40, 2))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-05-01T09:01:58Z", "2026-05-01T09:03:58Z"),
        (T0 - HOUR + 2 * MINUTE, T0 - HOUR + 4 * MINUTE),
        ("2026-05-01T11:01:58+02:00", "2026-05-01T09:03:58.000Z"),
    ],
)
async def test_from_is_inclusive_and_to_is_exclusive_in_either_form(asked: Asked, start: Any, end: Any) -> None:
    await asked.reports(*range(10))
    assert values((await asked(from_=start, to=end))["data"]) == [2, 3]
    unescaped = f"/vehicles/{asked.car.id}/signals/{POWER}/values?from={start}&to={end}"
    assert values((await asked.world.client.get(unescaped, headers=asked.app.headers)).json()["data"]) == [2, 3]


async def test_a_day_is_its_beginning_in_utc(asked: Asked) -> None:
    await asked.reports(1, start=MIDNIGHT - 1)
    await asked.reports(2, start=MIDNIGHT)
    assert values((await asked(from_="2026-05-01"))["data"]) == [2]
    assert values((await asked(to="2026-05-01"))["data"]) == [1]
    assert values((await asked(from_=0))["data"]) == [1, 2]


async def test_what_the_client_has_already_is_304(asked: Asked) -> None:
    await asked.reports(1)
    tag = (await asked.raw()).headers["etag"]
    assert (await asked.raw(headers=asked.app.headers | {"If-None-Match": tag})).status_code == 304


# Refusals


@pytest.mark.parametrize(
    ("query", "reported"),
    [
        ({"from_": "yesterday"}, ["from", "2026-05-01T09:59:58Z"]),
        ({"from_": ""}, ["from"]),
        ({"from_": "2026-05-01T10:00:00"}, ["from"]),
        ({"from_": "1777629598"}, ["from", "seconds", "milliseconds"]),
        ({"to": "-1"}, ["to"]),
        ({"to": "9" * 40}, ["to"]),
        ({"to": "1969-12-31T23:59:59Z"}, ["to", "1970"]),
        ({"to": "\u0661777629598000"}, ["to"]),
        ({"from_": T0, "to": T0}, ["from", "to", "exclusive"]),
        ({"from_": T0 + 1, "to": T0}, ["from", "to"]),
        ({"resolution": "hour"}, ["resolution", "PT15M"]),
        ({"resolution": ""}, ["resolution"]),
        ({"resolution": "PT59S"}, ["resolution", "PT1M"]),
        ({"resolution": "P32D"}, ["resolution", "P31D"]),
        ({"resolution": "P1M"}, ["resolution"]),
        ({"resolution": "PT1.5H"}, ["resolution"]),
        ({"resolution": "P"}, ["resolution"]),
        ({"resolution": "PT"}, ["resolution"]),
        ({"resolution": "PT99999999M"}, ["resolution"]),
        ({"size": 0}, ["page[size]", "1 to"]),
        ({"size": "all"}, ["page[size]"]),
        ({"number": 2}, ["page[number]", "links.next"]),
        ({"cursor": ""}, ["page[cursor]", "links.next"]),
        ({"cursor": "x"}, ["page[cursor]"]),
        ({"cursor": "A" * 1000}, ["page[cursor]"]),
        ({"cursor": "é"}, ["page[cursor]"]),
        ({"cursor": "YjE3Nzc2Mjk1OTgwMDA"}, ["page[cursor]"]),
        ({"cursor": "YzE3Nzc2Mjk1OTgwMDAuNw", "resolution": "PT1H"}, ["page[cursor]"]),
        ({"filter[code]": "charge-voltage"}, ["filter[code]"]),
        ({"resolution": "PT1M", "from_": 0}, ["resolution", "100000", "longer"]),
    ],
)
async def test_a_bad_parameter_is_named_with_its_rule_and_the_way_out(
    asked: Asked, query: dict[str, Any], reported: list[str]
) -> None:
    await asked.reports(1)
    sent = await asked.refused(**query)
    assert not [text for text in reported if text not in sent], sent


async def test_a_hundred_thousand_stretches_are_the_most(asked: Asked) -> None:
    await asked.reports(1)
    most = 100_000 * MINUTE
    assert (await asked.raw(resolution="PT1M", from_=MIDNIGHT - most, to=MIDNIGHT)).status_code == 200
    assert (await asked.raw(resolution="PT1M", from_=MIDNIGHT - most - 1, to=MIDNIGHT)).status_code == 400


async def test_who_may_not_read_the_signal_may_not_read_its_history(asked: Asked) -> None:
    await asked.reports(1)
    narrow = await asked.world.application(EVERYTHING - {Permission.READ_CHARGE})
    typed_error(await asked.raw(headers=narrow.headers), 403, "PERMISSION/None")
    stranger = await asked.world.application(connected_only=True)
    typed_error(await asked.raw(headers=stranger.headers), 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")
    await asked.world.connect(stranger, asked.car, "owner", frozenset({Permission.READ_BATTERY}))
    typed_error(await asked.raw(headers=stranger.headers), 403, "PERMISSION/None")


async def test_what_was_never_reported_or_is_no_signal_is_404_as_for_the_read(asked: Asked) -> None:
    assert "never reported" in detail(await asked.raw(), 404, "RESOURCE_NOT_FOUND/SIGNAL_NOT_FOUND")
    typed_error(await asked.raw("charge-nothing"), 404, "RESOURCE_NOT_FOUND/SIGNAL_NOT_FOUND")
    asked.car = Vehicle(id="nobody")
    typed_error(await asked.raw(), 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")


@pytest.mark.parametrize("code", ["charge-chargelimits", "charge-chargetimers", "charge-chargerecords"])
async def test_places_are_taken_out_for_who_may_not_see_them(asked: Asked, code: str) -> None:
    await asked.world.report(asked.car, code, BY_CODE[code].example, T0 - HOUR)
    blind = (await asked.world.application(EVERYTHING - {Permission.READ_CHARGE_LOCATIONS})).headers
    for query in ({}, {"resolution": "PT1H"}):
        assert "latitude" in json.dumps(await asked(code, **query))
        hidden = json.dumps(await asked(code, blind, **query))
        assert not [word for word in ("latitude", "51.5014", "Home", "London") if word in hidden]


# Stretches of time


async def test_a_stretch_weighs_numbers_by_the_time_for_which_they_held(asked: Asked) -> None:
    await asked.reports(1000, start=MIDNIGHT)
    await asked.reports(4000, start=MIDNIGHT + 10 * MINUTE)
    document = await asked(resolution="PT15M")
    assert document["data"] == [
        {
            "from": "2026-05-01T00:00:00.000Z", "to": "2026-05-01T00:15:00.000Z", "count": 2, "heldSeconds": 900,
            "min": 1000, "max": 4000, "mean": 2000, "last": 4000,
        },
        {
            "from": "2026-05-01T00:15:00.000Z", "to": "2026-05-01T00:30:00.000Z", "count": 0, "heldSeconds": 900,
            "min": 4000, "max": 4000, "mean": 4000, "last": 4000,
        },
        {
            "from": "2026-05-01T00:30:00.000Z", "to": "2026-05-01T00:45:00.000Z", "count": 0, "heldSeconds": 600,
            "min": 4000, "max": 4000, "mean": 4000, "last": 4000,
        },
    ]  # fmt: skip
    assert document["meta"] == {"count": 3, "pageSize": 100, "unit": "watts"}


async def test_of_a_bucket_that_a_bound_cuts_only_the_requested_part_counts(asked: Asked) -> None:
    await asked.reports(*range(60), start=MIDNIGHT)
    data = (await asked(resolution="PT1H", from_=MIDNIGHT + 30 * MINUTE, to=MIDNIGHT + 40 * MINUTE))["data"]
    (only,) = data
    assert (only["from"], only["to"]) == ("2026-05-01T00:00:00.000Z", "2026-05-01T01:00:00.000Z")
    assert (only["count"], only["min"], only["max"], only["mean"], only["heldSeconds"]) == (10, 30, 39, 34.5, 600)


@pytest.mark.parametrize("resolution", ["PT1M", "PT7M", "PT90M", "P1D", "P1W", "P1DT12H", "PT3600S", "P31D"])
async def test_stretches_are_aligned_to_the_epoch_in_utc(asked: Asked, resolution: str) -> None:
    length_ms = {
        "PT1M": MINUTE, "PT7M": 7 * MINUTE, "PT90M": 90 * MINUTE, "P1D": 24 * HOUR, "P1W": 168 * HOUR, "P1DT12H": 36 * HOUR,
        "PT3600S": HOUR, "P31D": 31 * 24 * HOUR,
    }[resolution]  # fmt: skip
    for at in (1_774_746_000_000, T0 - HOUR):  # on the day when clocks in Europe are moved, and on another
        await asked.reports(at % 7, start=at)
    data = (await asked(resolution=resolution, size=1000))["data"]
    assert data
    for each in data:
        start, end = (_ms(each[name]) for name in ("from", "to"))
        assert (start % length_ms, end - start) == (0, length_ms)


def _ms(text: str) -> int:
    at = instant_ms(text)
    assert at is not None
    return at


async def test_buckets_after_the_present_are_left_out(asked: Asked) -> None:
    await asked.reports(1, start=T0)
    await asked.reports(2, start=T0 + MINUTE)
    (only,) = (await asked(resolution="PT1H", to=T0 + 10 * HOUR))["data"]
    assert (only["count"], only["last"], only["heldSeconds"]) == (1, 1, 0.001)
    assert (await asked(resolution="PT1H", from_=T0 + HOUR))["data"] == []


@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_pages_of_buckets_are_each_as_if_requested_alone(asked: Asked, size: int) -> None:
    await asked.reports(*(n % 5 for n in range(200)), step=7 * MINUTE, start=T0 - 40 * HOUR)
    whole = (await asked(resolution="PT15M", size=1000))["data"]
    assert await asked.all(await asked(resolution="PT15M", size=size)) == whole
    assert sum(each["count"] for each in whole) == len((await asked(size=1000))["data"])


VALUES: dict[str, list[Value]] = {
    POWER: [0, 1000, 7200.5],
    "tractionbattery-stateofcharge": [10, 20.5, 30],
    "charge-chargerphases": [1, 2, 3],
    "charge-ischarging": [True, False],
    "charge-detailedchargingstatus": ["CHARGING", 'a "b"'],
    "charge-chargelimits": ['{"activeLimit":80}', '{"activeLimit":90}'],
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("code", VALUES)
async def test_stretches_are_what_looking_at_every_minute_says(asked: Asked, code: str, seed: int) -> None:
    signal, chance = BY_CODE[code], random.Random(seed)
    start = T0 - T0 % HOUR - 8 * HOUR
    entries = scattered(asked.car.id, signal, chance, start)
    for at in range(0, len(entries), 9):
        await asked.world.store.readings.write(entries[at : at + 9])
    step, length = chance.choice([("PT5M", 5), ("PT15M", 15), ("PT1H", 60)])
    first = start + chance.randrange(90) * MINUTE
    last = first + chance.randrange(60, 300) * MINUTE
    got = await asked.all(await asked(code, resolution=step, from_=first, to=last, size=chance.choice([1, 5, 1000])))
    expected = await looked_at(asked.world, asked.car, signal, range(first, last, MINUTE), length * MINUTE)
    assert [(_ms(each["from"]), each["heldSeconds"] / 60) for each in got] == [
        (at, sum(held.values())) for at, held in expected.items()
    ]
    runs = await asked.world.store.history.history(asked.car.id, signal, first, last, source="box", limit=1000)
    for each, held in zip(got, expected.values(), strict=True):
        bounds = _ms(each["from"]), _ms(each["to"])
        assert each["count"] == len([run for run in runs if run.value is not None and bounds[0] <= run.observed_at < bounds[1]])
        reported(signal, each, held)


def scattered(car: str, signal: Signal, chance: random.Random, start: int) -> list[Entry]:
    """Readings, absences and ends of sessions at whole minutes, in no order."""
    entries: list[Entry] = []
    for minute in chance.sample(range(400), chance.randrange(5, 120)):
        at = start + minute * MINUTE
        entries.append(Reading(car, signal, chance.choice(VALUES[signal.code]), at, at, "box"))
        if chance.random() < 0.2:
            gone = start + chance.randrange(400) * MINUTE
            entries.append(Absence(car, signal, chance.choice([*AbsenceReason]), gone, gone, "box"))
        if chance.random() < 0.3 and signal is not IS_CHARGING:
            turned = start + chance.randrange(400) * MINUTE
            entries.append(Reading(car, IS_CHARGING, chance.random() < 0.5, turned, turned, "box"))
    chance.shuffle(entries)
    return entries


async def looked_at(world: World, car: Vehicle, signal: Signal, minutes: range, length_ms: int) -> dict[int, dict[Value, int]]:
    """For each stretch, for how many minutes each value stood: everything happens at whole minutes."""
    found: dict[int, dict[Value, int]] = {}
    for at in minutes:
        then = await world.store.history.series_at(car.id, at)
        assert then is not None
        counts = effective(signal, then.series, world.store.readings.ranks, at)
        if counts is None or counts.state.value is None or counts.unavailability is not None:
            continue
        held, value = found.setdefault(at - at % length_ms, {}), counts.state.value
        held[value] = held.pop(value, 0) + 1  # the last one behind the others
    return found


def reported(signal: Signal, bucket: Document, held: dict[Value, int]) -> None:
    """The bucket says what was seen: `held` has minutes by value, the last value last."""
    last = list(held)[-1]
    assert bucket["last"] == (json.loads(str(last)) if signal.kind is Kind.DOCUMENT else last)
    total = sum(held.values())
    match signal.kind:
        case Kind.FLAG | Kind.TEXT:
            names = {json.loads(wire.text(signal, value)): minutes for value, minutes in held.items()}
            expected = {str(name).lower() if isinstance(name, bool) else name: each / total for name, each in names.items()}
            assert bucket["fractions"] == pytest.approx(expected)
        case Kind.QUANTITY | Kind.COUNT:
            numbers: Any = held
            assert (bucket["min"], bucket["max"]) == (min(numbers), max(numbers))
            assert bucket["mean"] == pytest.approx(sum(value * minutes for value, minutes in numbers.items()) / total)
        case _:
            assert bucket.keys() == {"from", "to", "count", "heldSeconds", "last"}


async def test_a_long_history_is_put_together_from_many_pieces(asked: Asked) -> None:
    # More runs than are read at once, some of them longer than a row of history may be.
    await asked.reports(*(n // 500 % 3 for n in range(3000)), start=T0 - 3000 * MINUTE)
    await asked.reports(*range(300), start=T0 - 3300 * MINUTE)
    data = (await asked(resolution="PT1H", size=1000))["data"]
    assert sum(each["count"] for each in data) == 306
    assert sum(each["heldSeconds"] for each in data) == pytest.approx(3300 * 60)


async def test_a_value_that_came_back_after_an_absence_is_a_change_of_its_own(asked: Asked) -> None:
    await asked.reports(5)
    await asked.world.absent(asked.car, POWER, AbsenceReason.UNREADABLE, T0 - 50 * MINUTE)
    await asked.world.report(asked.car, POWER, {"value": 5}, T0 - 45 * MINUTE)
    (only,) = (await asked(resolution="P1D"))["data"]
    assert (only["count"], only["heldSeconds"]) == (2, 10 * 60 + 30 * 60)


async def test_every_signal_has_a_history_with_its_example(asked: Asked) -> None:
    await asked.world.report_all(asked.car)
    for code, signal in BY_CODE.items():
        (only,) = (await asked(code))["data"]
        assert only["body"] == signal.example
        assert only["meta"]["retrievedAt"] == "2026-05-01T09:59:58.250Z"
        (stretch,) = (await asked(code, resolution="PT1H"))["data"]
        assert stretch["last"] == (signal.example if signal.kind is Kind.DOCUMENT else signal.example["value"])
