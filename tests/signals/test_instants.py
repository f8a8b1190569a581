"""Instants and durations as text: ISO 8601, with an offset, and nothing that could mean two things."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.signals.instants import duration_ms, instant_ms

NOW = 1_777_629_598_000  # 2026-05-01T09:59:58Z


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-05-01T09:59:58Z", NOW),
        ("2026-05-01T09:59:58.000Z", NOW),
        ("2026-05-01T09:59:58,000Z", NOW),
        ("2026-05-01T09:59:58z", NOW),
        ("2026-05-01 09:59:58Z", NOW),
        ("2026-05-01T11:59:58+02:00", NOW),
        ("2026-05-01T11:59:58+0200", NOW),
        ("2026-05-01T04:29:58-05:30", NOW),
        ("2026-05-02T09:58:58+23:59", NOW),
        ("2026-05-01T09:59Z", NOW - 58_000),
        ("2026-05-01T09:59:58.1Z", NOW + 100),
        ("2026-05-01T09:59:58.123Z", NOW + 123),
        ("2026-05-01T09:59:58.123999Z", NOW + 123),
        ("2026-05-01T09:59:58.123456789Z", NOW + 123),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
    ],
)
def test_an_iso_time_with_an_offset_is_an_instant(text: str, at: int) -> None:
    assert instant_ms(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "now", "yesterday", "1777629598000", "2026-05-01", "09:59:58Z", "2026-05-01T09:59:58",
        "2026-05-01T09:59:58 Z", " 2026-05-01T09:59:58Z", "2026-05-01T09:59:58Z\n", "2026-05-01T09:59:58.Z", "20260501T095958Z",
        "2026-W18-5T09:59:58Z", "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-10T00:00:00Z",
        "2026-05-01T25:00:00Z", "2026-05-01T09:60:00Z", "2026-05-01T09:59:61Z", "2026-05-01T09:59:58+25:00",
        "26-05-01T09:59:58Z",
        "0000-01-01T00:00:00Z", "12026-05-01T09:59:58Z", "2026-05-01T09:59:58+02", "\ud800",
        "\u0662\u0660\u0662\u0666-05-01T09:59:58Z", "2026-05-01T09:59:58Z" * 1000,
    ],
    ids=lambda text: ascii(text)[:36],
)  # fmt: skip
def test_what_is_no_iso_instant_with_an_offset_is_none(text: str) -> None:
    assert instant_ms(text) is None


instants = st.integers(-62_135_596_800_000 + 86_400_000, 253_402_300_799_999 - 86_400_000)  # the years 1 to 9999
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(at=instants, zone=offsets)
def test_an_instant_is_the_same_in_every_zone(at: int, zone: timezone) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    assert instant_ms(moment.astimezone(zone).isoformat(timespec="milliseconds")) == at


@given(st.text())
def test_no_text_makes_an_error(text: str) -> None:
    assert instant_ms(text) is None or text[:1].isdigit()
    duration_ms(text)


@pytest.mark.parametrize(
    ("text", "length_ms"),
    [
        ("PT1S", 1000), ("PT15M", 900_000), ("PT1H30M", 5_400_000), ("P1DT1H", 90_000_000), ("P2W", 14 * 86_400_000),
    ],
)  # fmt: skip
def test_an_iso_duration_has_its_length(text: str, length_ms: int) -> None:
    assert duration_ms(text) == length_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "15 min",
        "15",
        "P1Y",
        "P1M",
        "P1W2D",
        "PT0.5H",
        "pt1h",
        "-PT1H",
        "PT1H ",
        "PT1X",
        "PT99999999999999999999S",
    ],
)
def test_what_is_no_duration_of_a_certain_length_is_none(text: str) -> None:
    assert duration_ms(text) is None
