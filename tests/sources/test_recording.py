"""Recordings: written redacted, read back as they were, heard again at any pace."""

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from source_world import T0

from chargeport.clock import ManualClock
from chargeport.sources.base import Cause, Delivery, RawMessage, SourceError
from chargeport.sources.recording import Recorder, read_recording
from chargeport.sources.redaction import Redaction
from chargeport.sources.replay import Replay
from unredacted import unredacted

VIN = "ZZZFV2C57HM726913"  # nobody's


def delivery(payload: bytes, at: int = T0, **more: object) -> Delivery:
    return Delivery(**{"source": "mine", "dialect": "tesla", "payload": payload, "received_at": at, **more})  # type: ignore[arg-type]


def read(file: Path) -> list[Delivery]:
    return list(read_recording(file, dialect="tesla", source="mine"))


def test_what_was_recorded_is_read_as_it_was_heard(tmp_path: Path) -> None:
    received = [
        delivery(b'{"soc": 55.10}', topic="cars/1", vehicle="car-1", retained=True, headers={"a": "b"}, observed_at=T0 - 5),
        delivery(b"on", at=T0 + 1),
        delivery("Größe".encode()),
        delivery(b""),
    ]
    with Recorder(tmp_path / "one.jsonl", Redaction()) as recorder:
        recorder.write(received)
    assert read(tmp_path / "one.jsonl") == received
    assert (recorder.written, recorder.left_out, recorder.full) == (4, 0, False)


def test_payloads_are_json_text_or_bytes(tmp_path: Path) -> None:
    file = tmp_path / "composed.jsonl"
    file.write_text(
        '{"at": 1, "payload": {"soc": 55.10}}\n\n{"at": 2, "payload": "on"}\n{"at": 3, "payload": null}\n'
        '{"at": 4, "payload_base64": "AP8="}\n{"at": 5, "payload": 1e3}\n'
    )
    assert [one.payload for one in read(file)] == [b'{"soc": 55.10}', b"on", b"null", b"\x00\xff", b"1e3"]


@pytest.mark.parametrize(
    "line",
    [
        '{"payload": 1}',
        '{"at": 1}',
        '{"at": 1, "payload": 1, "payload_base64": ""}',
        '{"at": 1, "payload_base64": "%"}',
        '{"at": "1", "payload": 1}',
        '{"at": 1, "paylaod": 1}',
        "{",
        "\x00",
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "broken.jsonl").write_text('{"at": 1, "payload": 1}\n' + line)
    with pytest.raises(SourceError, match=r"broken\.jsonl, line 2 is not of a recording") as found:
        read(tmp_path / "broken.jsonl")
    assert found.value.cause is Cause.CONFIGURATION


def test_a_recording_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read: No such file"):
        read(tmp_path / "none.jsonl")


def test_nothing_of_whom_it_is_about_gets_into_a_recording(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    with Recorder(file, Redaction(["Bob"])) as recorder:
        recorder.write(
            [
                delivery(
                    f'{{"vin": "{VIN}", "lat": 52.520008}}'.encode(), vehicle=VIN, topic=f"bob/{VIN}", headers={"vin": VIN}
                ),
                delivery(b"hello", vehicle="Blitz", topic="cars/blitz/soc"),
            ]
        )
    text = file.read_text("utf-8")
    assert unredacted(text) == []
    assert not any(word in text.lower() for word in (VIN.lower(), "52.52", "bob", "blitz"))
    first, second = read(file)
    assert first.vehicle == "ZZZFV2C5001000000"
    assert second.topic == f"cars/{second.vehicle}/soc"


def test_a_recording_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    before = os.umask(0)
    try:
        Recorder(file, Redaction()).close()
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600


def test_bytes_are_left_out_unless_somebody_can_redact_them(tmp_path: Path) -> None:
    received = [
        delivery(b"\x00\xff" + VIN.encode()),
        delivery(b"\x01\x02"),
        delivery(b"[" * 5000 + b"]" * 5000),
        delivery(b"1"),
    ]
    with Recorder(tmp_path / "without.jsonl", Redaction()) as recorder:
        recorder.write(received)
    assert (recorder.written, recorder.left_out) == (1, 3)
    with Recorder(tmp_path / "with.jsonl", Redaction(), binary=lambda one: one if one[0] == 0 else None) as recorder:
        recorder.write(received)
    assert (recorder.written, recorder.left_out) == (2, 2)
    line = json.loads((tmp_path / "with.jsonl").read_text("utf-8").splitlines()[0])
    assert base64.b64decode(line["payload_base64"]) == b"\x00\xffZZZFV2C5001000000"


def test_a_recording_grows_no_further_than_it_may(tmp_path: Path) -> None:
    file = tmp_path / "small.jsonl"
    with Recorder(file, Redaction(), max_bytes=200) as recorder:
        recorder.write([delivery(b"x" * 50) for _ in range(9)] + [delivery(b"")])
    assert recorder.full
    assert 0 < file.stat().st_size <= 200
    assert len(read(file)) == recorder.written < 9


def test_a_file_that_exists_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text("mine")
    with pytest.raises(SourceError, match="can't be written: File exists"):
        Recorder(tmp_path / "one.jsonl", Redaction())


class Timed:
    """An `emit` that notes when each payload came, in milliseconds since T0 on a clock."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.came: list[tuple[bytes, int]] = []
        self.batches: list[int] = []
        self.deliveries: list[Delivery] = []

    async def __call__(self, batch: Sequence[RawMessage | Delivery]) -> None:
        self.batches.append(len(batch))
        self.deliveries += [one for one in batch if isinstance(one, Delivery)]
        self.came += [(one.payload, self.clock.now() - T0) for one in batch if isinstance(one, Delivery)]


def session(folder: Path) -> Path:
    file = folder / "session.jsonl"
    times = (1000, 1000, 3000, 2500, 61_000)
    file.write_text(
        "".join(json.dumps({"at": at, "payload": str(n), "observed_at": at - 10}) + "\n" for n, at in enumerate(times))
    )
    return file


@pytest.mark.parametrize(
    ("speed", "expected"), [(1.0, [0, 0, 2000, 2000, 60_000]), (10.0, [0, 0, 200, 200, 6000]), (None, [0, 0, 0, 0, 0])]
)
async def test_a_replay_keeps_the_pace_times_its_speed_and_the_order(
    tmp_path: Path, speed: float | None, expected: list[int]
) -> None:
    clock = ManualClock(T0)
    emit = Timed(clock)
    replay = Replay("again", session(tmp_path), clock, dialect="tesla", speed=speed)
    await replay.check(1)
    await replay.run(emit)
    assert [at for _, at in emit.came] == expected
    assert [payload for payload, _ in emit.came] == [b"0", b"1", b"2", b"3", b"4"]
    assert [one.received_at for one in emit.deliveries] == [1000, 1000, 3000, 2500, 61_000]
    assert {one.source for one in emit.deliveries} == {"again"}


async def test_a_replay_moved_to_now_begins_now_or_without_delays_ends_now(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    paced, at_once = Timed(clock), Timed(clock)
    await Replay("again", session(tmp_path), clock, dialect="tesla", speed=None, now=True).run(at_once)
    assert [one.received_at - T0 for one in at_once.deliveries] == [-60_000, -60_000, -58_000, -58_500, 0]
    await Replay("again", session(tmp_path), clock, dialect="tesla", now=True).run(paced)
    assert [one.received_at - T0 for one in paced.deliveries] == [0, 0, 2000, 2000, 60_000]
    for one in paced.deliveries + at_once.deliveries:
        assert one.observed_at == one.received_at - 10


async def test_an_empty_recording_hands_on_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    emit = Timed(ManualClock(T0))
    await Replay("again", tmp_path / "empty.jsonl", emit.clock, dialect="tesla").run(emit)
    assert emit.batches == []


@pytest.mark.parametrize("speed", [0, -1])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(SourceError, match=r"speed: .* is not more than 0"):
        Replay("again", session(tmp_path), ManualClock(T0), dialect="tesla", speed=speed)
