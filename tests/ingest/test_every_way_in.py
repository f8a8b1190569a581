"""Whatever way readings come in, the same is stored: there is one pipeline, and nothing else writes readings."""

import ast
import io
import json
from pathlib import Path
from typing import Any, Final

import pytest

import chargeport
from chargeport.cli.import_dialect import DialectImporter, Form
from chargeport.cli.importer import Importer, Plan
from chargeport.clock import ManualClock
from chargeport.dialects.all import ALL
from chargeport.ingest import payload
from chargeport.ingest.batch import Batch
from chargeport.ingest.items import ItemChecker
from chargeport.ingest.pipeline import Pipeline
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Entry, Reading
from chargeport.store.protocols import Store
from feeding import CAR, T0, delivery, pipeline

SOURCE: Final = "generic"
PACKAGE: Final = Path(chargeport.__file__).parent

# Each twice, out of order, with a signal that can't be read, a time ahead of our clock and a car that nobody knows.
HEARD: Final[list[tuple[str, int, dict[str, Any]]]] = [
    ("ann", T0 - 60_000, {"charge-wattage": 7200, "charge-ischarging": True}),
    ("ann", T0 - 90_000, {"charge-wattage": 6900, "charge-voltage": 99_999}),
    ("ann", T0 + 5_000, {"charge-voltage": 231}),
    ("nobody", T0 - 1_000, {"charge-voltage": 231}),
    (CAR.id, T0 - 60_000, {"charge-wattage": 7200}),
]


def items(*, kept: bool = False) -> bytes:
    more = {"source": SOURCE, "receivedAt": T0} if kept else {}
    found = [
        {"vehicle": name, "observedAt": at, "signals": {code: {"value": value} for code, value in reported.items()}, **more}
        for name, at, reported in HEARD
    ]
    return b"\n".join(json.dumps(each).encode() for each in found)


def rows() -> bytes:
    return b"\n".join(json.dumps({"vehicle": name, "observedAt": at, **reported}).encode() for name, at, reported in HEARD)


async def by_delivery(whole: Pipeline) -> None:
    await whole.take([delivery(line, vehicle=None) for line in rows().splitlines()])


async def by_items(whole: Pipeline) -> None:
    batch = whole.batch()
    payload.read(items(), ItemChecker(batch, SOURCE, T0, 300), 100, lines=True)
    await whole.write(batch)


async def by_entries(whole: Pipeline) -> None:
    entries: list[Entry] = [
        Reading(name, BY_CODE[code], value, min(at, T0), T0, SOURCE)
        for name, at, reported in HEARD
        for code, value in reported.items()
        if value != 99_999
    ]
    await whole.write(Batch.of(entries))


async def by_file(whole: Pipeline) -> None:
    plan = Plan("import", None, None)
    await Importer(whole, ManualClock(T0), plan, str).import_all(io.BytesIO(items(kept=True)), lambda: None)


async def by_file_of_a_dialect(whole: Pipeline) -> None:
    form = Form(ALL["generic"])
    importer = DialectImporter(whole, ManualClock(T0), Plan(SOURCE, None, None), str, form)
    await importer.import_all(io.BytesIO(rows()), lambda: None)


WAYS: Final = [by_delivery, by_items, by_entries, by_file, by_file_of_a_dialect]


async def stored(store: Store) -> list[Any]:
    return [
        (each.vehicle_id, each.signal.code, each.observed_at, each.value, each.absence, each.source)
        for each in await store.readings.changes(0, 100)
    ]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_every_way_in_leads_to_the_same_state(store: Store, way: Any) -> None:
    whole = pipeline(store)
    for _ in range(2):
        await way(whole)
    assert sorted(await stored(store)) == [
        (CAR.id, "charge-ischarging", T0 - 60_000, True, None, SOURCE),
        (CAR.id, "charge-voltage", T0, 231, None, SOURCE),
        (CAR.id, "charge-wattage", T0 - 90_000, 6900, None, SOURCE),
        (CAR.id, "charge-wattage", T0 - 60_000, 7200, None, SOURCE),
    ]


def test_nothing_but_the_pipeline_writes_readings() -> None:
    found = set()
    for module in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "write" and ast.unparse(node.value).endswith("readings"):
                found.add(module.relative_to(PACKAGE).as_posix())
    assert found == {"ingest/pipeline.py"}
