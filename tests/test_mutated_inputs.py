"""What comes from outside, broken in every way: one clear refusal, never a traceback, and no neighbour is lost.

Examples are made from a corpus that is kept (`tests/data/corpus`, the recordings of sources, the scenarios): pieces are cut
out, doubled and replaced by what parsers trip over. What once broke a parser belongs into the corpus.
"""

import gzip
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport import config
from chargeport.api import cursors, request_body
from chargeport.dialects import user
from chargeport.dialects.all import ALL
from chargeport.errors import MALFORMED, TOO_LARGE, Problem, SettingError
from chargeport.ingest import engine, files
from chargeport.signals.reading import Issue
from chargeport.signals.violation import Violation
from chargeport.simulation import scenario
from chargeport.sources.ocpp import frames
from chargeport.store.records import RunStart

sys.path.insert(0, str(Path(__file__).parent / "dialects"))
import recorded

E = TypeVar("E", bound=Exception)
CORPUS = Path(__file__).parent / "data" / "corpus"
ODD = [
    b"", b"\x00", b"\xff\xfe", b"null", b"NaN", b"-Infinity", b"1e999", b"-1", b"9" * 400, b"{}", b"[]", b"[" * 300, b'"', b"'",
    b"\\ud800", b'"\\ud800"', "\u202e\u0661".encode(), b"true", b",", b":", b"=", b"\n", b"\r", b"2026-99-99T99:99:99Z",
    b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59+23:59", b"%00", b"'''", b"[[", b"]]", b"e", b".",
]  # fmt: skip
GOOD = b'{"vehicle":"car","signal":"charge-voltage","observedAt":"2026-05-01T10:00:00Z","body":{"value":231,"unit":"volts"}}'
MAX_BYTES = 1_000  # of a body
SCENARIOS = [path.read_bytes() for path in sorted(Path(scenario.__file__).parent.glob("scenarios/*.toml"))]


def corpus(name: str) -> list[bytes]:
    found = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    assert found, name
    return found


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with some pieces cut out, doubled or replaced."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 24)))
        piece = draw(st.one_of(st.sampled_from(ODD), st.binary(max_size=6), st.just(text[start:end] * 2)))
        text = text[:start] + piece + text[end:]
    return text


def written(text: bytes, folder: str) -> Path:
    file = Path(folder) / "input.toml"
    file.write_bytes(text)
    return file


def refusal(parse: Callable[[], object], kind: type[E]) -> E | None:
    """How something is refused; None where it is taken. Any other error is a failure of the test."""
    try:
        parse()
    except kind as refused:
        return refused
    return None


@given(mutated(corpus("settings")))
def test_settings_are_read_or_refused_in_one_sentence(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        refused = refusal(lambda: config.load(written(text, folder), {}), SettingError)
    assert refused is None or str(refused).endswith(".")


@given(mutated(corpus("dialect")))
def test_a_dialect_of_ones_own_is_read_or_refused_in_one_sentence(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        refused = refusal(lambda: user.from_file(written(text, folder)), user.DialectError)
    assert refused is None or "input.toml" in str(refused)


@given(mutated(SCENARIOS))
def test_a_scenario_is_read_or_refused(text: bytes) -> None:
    refused = refusal(lambda: scenario.parsed(text.decode("utf-8", "replace")), Problem)
    assert refused is None or refused.kind.status == 400


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@given(data=st.data())
def test_a_frame_of_a_station_is_read_or_refused(version: str, data: st.DataObject) -> None:
    text = data.draw(mutated(corpus("frame"))).decode("utf-8", "replace")
    refused = refusal(lambda: frames.parse(text, version), frames.Refused)
    assert refused is None or frames.failure(refused).startswith("[")


@pytest.mark.parametrize("opened", [cursors.change, cursors.bucket, cursors.vehicle])
@given(text=mutated([cursors.of_change(RunStart(1_777_629_598_000, 7)).encode(), cursors.of_bucket(0).encode()]))
def test_a_cursor_is_opened_or_refused(opened: Callable[[str], object], text: bytes) -> None:
    refused = refusal(lambda: opened(text.decode("latin-1")), Problem)
    assert refused is None or refused.kind.status == 400


@given(mutated([*corpus("items"), *corpus("table")]))
def test_a_file_of_readings_is_read_to_its_end_whatever_it_is(text: bytes) -> None:
    rows: list[files.Row] = []
    of_the_head = refusal(lambda: rows.extend(files.read(io.BytesIO(text))), Violation)
    assert [row.number for row in rows] == list(range(len(rows)))
    assert of_the_head is None or rows == []


@given(mutated(corpus("gzip")))
def test_a_packed_file_is_read_to_where_it_is_broken(packed: bytes) -> None:
    rows = list(files.read(gzip.GzipFile(fileobj=io.BytesIO(packed))))  # type: ignore[arg-type]
    assert [row.number for row in rows] == list(range(len(rows)))


@given(mutated(corpus("gzip")))
def test_a_packed_body_is_unpacked_or_refused_and_never_larger_than_is_taken(packed: bytes) -> None:
    bodies: list[bytes] = []
    refused = refusal(lambda: bodies.append(request_body.unpacked(packed, MAX_BYTES)), Problem)
    assert (refused is None) == bool(bodies)
    assert refused is None or refused.kind in (MALFORMED, TOO_LARGE)
    assert all(len(body) <= MAX_BYTES for body in bodies)


@given(mutated(corpus("items")))
def test_a_broken_line_costs_none_of_its_neighbours(text: bytes) -> None:
    rows = list(files.read(io.BytesIO(b"\n".join((GOOD, text, GOOD)))))
    taken = [row.item.signal for row in rows if not isinstance(row.item, Violation) and row.item.vehicle == "car"]
    assert taken[0] == taken[-1] == "charge-voltage"
    assert len(taken) >= 2


@pytest.mark.parametrize("name", [name for name in ALL if recorded.recordings(name)])
@given(data=st.data())
def test_a_broken_message_of_a_source_is_read_or_an_issue_and_costs_none_of_its_neighbours(
    name: str, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(recorded.recordings(name)))
    messages = recorded.deliveries(path)
    index = data.draw(st.integers(0, len(messages) - 1))
    payload = data.draw(mutated([messages[index].payload]))
    broken, rest = msgspec.structs.replace(messages[index], payload=payload), messages[:5]
    outcome = recorded.run(ALL[name], [broken, *rest])
    if isinstance(engine.read(broken, ALL[name]), Issue):
        assert outcome.entries == recorded.run(ALL[name], rest).entries
