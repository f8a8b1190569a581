"""When something was observed: ISO 8601 or epoch milliseconds, not from the future, not before there were such cars."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.ingest.times import OLDEST_AT, as_of, observed_at
from chargeport.signals.violation import Rule, Violation

NOW = 1_777_629_598_000  # 2026-05-01T09:59:58Z
AHEAD_S = 300


def read(given_time: Any, max_future_s: float = AHEAD_S) -> int:
    return observed_at(given_time, NOW, max_future_s)


def rule(given_time: Any) -> Rule:
    with pytest.raises(Violation) as caught:
        read(given_time)
    assert caught.value.path == "observedAt"
    assert len(caught.value.detail) < 200
    return caught.value.rule


def test_without_a_time_it_is_now() -> None:
    assert read(None) == NOW


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-05-01T09:59:58Z", NOW),
        ("2026-05-01T09:59:58.000Z", NOW),
        ("2026-05-01T09:59:58,000Z", NOW),
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
    assert observed_at(text, NOW + 1000, AHEAD_S) == at


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "now", "yesterday", "1777629598000", "2026-05-01", "09:59:58Z", "2026-05-01T09:59:58", "2026-05-01 09:59:58Z",
        "2026-05-01T09:59:58 Z", " 2026-05-01T09:59:58Z", "2026-05-01T09:59:58Z\n", "2026-05-01T09:59:58.Z", "20260501T095958Z",
        "2026-W18-5T09:59:58Z", "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-10T00:00:00Z",
        "2026-05-01T25:00:00Z", "2026-05-01T09:60:00Z", "2026-05-01T09:59:61Z", "2026-05-01T09:59:58+25:00",
        "26-05-01T09:59:58Z",
        "0000-01-01T00:00:00Z", "12026-05-01T09:59:58Z", "2026-05-01T09:59:58+02", "2026-05-01T09:59:58.1234567890Z",
        "\u0662\u0660\u0662\u0666-05-01T09:59:58Z", "2026-05-01T09:59:58Z" * 1000,
    ],
    ids=lambda text: ascii(text)[:36],
)  # fmt: skip
def test_what_is_no_iso_instant_is_refused(text: str) -> None:
    assert rule(text) is Rule.BAD_FORMAT


@pytest.mark.parametrize("number", [NOW, float(NOW), NOW - 1, OLDEST_AT, float(OLDEST_AT)])
def test_a_whole_number_is_milliseconds_since_1970(number: float) -> None:
    at = read(number)
    assert at == number
    assert type(at) is int


@pytest.mark.parametrize(
    "wrong", [True, False, NOW + 0.5, float("nan"), float("inf"), float("-inf"), [], {}, b"2026", ("x" * 99,)]
)
def test_what_is_neither_a_whole_number_nor_a_text_is_refused(wrong: Any) -> None:
    assert rule(wrong) is Rule.WRONG_TYPE


def test_up_to_the_limit_a_stamp_ahead_counts_as_of_now_and_not_a_millisecond_more() -> None:
    limit = NOW + AHEAD_S * 1000
    assert read(NOW + 1) == read(limit) == NOW
    assert rule(limit + 1) is Rule.IN_THE_FUTURE
    assert read("2026-05-01T10:04:58.000Z") == NOW
    assert rule("2026-05-01T10:04:58.001Z") is Rule.IN_THE_FUTURE


def test_the_limit_of_the_future_is_the_caller_s() -> None:
    assert read(NOW, max_future_s=0) == NOW
    assert read(NOW + 500, max_future_s=0.5) == NOW
    for at, limit in ((NOW + 1, 0), (NOW + 501, 0.5)):
        with pytest.raises(Violation) as caught:
            read(at, max_future_s=limit)
        assert caught.value.rule is Rule.IN_THE_FUTURE
        assert f"more than {limit:g} s" in caught.value.detail


@pytest.mark.parametrize("number", [NOW * 1000, NOW * 10**6, 10**30, 10**400, 1e300, 253_402_300_800_000])
def test_microseconds_and_whatever_else_is_huge_lie_in_the_future(number: float) -> None:
    assert rule(number) is Rule.IN_THE_FUTURE


@pytest.mark.parametrize("number", [OLDEST_AT - 1, 0, -1, -NOW, -(10**400), -1e300, 1.0])
def test_what_lies_before_2000_is_a_clock_that_was_never_set(number: float) -> None:
    assert rule(number) is Rule.TOO_OLD


@pytest.mark.parametrize(
    "text", ["1999-12-31T23:59:59.999Z", "2000-01-01T00:59:59+01:00", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"]
)
def test_a_text_from_before_2000_is_too_old(text: str) -> None:
    assert rule(text) is Rule.TOO_OLD


@pytest.mark.parametrize("stamp", [NOW - 1, NOW, "2026-05-01T09:59:58Z", OLDEST_AT])
def test_a_sources_stamp_up_to_our_clock_is_when_its_message_counts(stamp: Any) -> None:
    assert as_of(stamp, NOW) == observed_at(stamp, NOW, 0)


@pytest.mark.parametrize(
    "stamp", [None, NOW + 1, NOW + 90_000_000_000, "2061-01-01T00:00:00Z", 0, 86_400_000, "1970-01-01T00:00:00Z"]
)
def test_a_stamp_of_a_clock_that_is_ahead_or_was_never_set_is_of_no_use(stamp: Any) -> None:
    assert as_of(stamp, NOW) is None


def test_2000_began_in_utc() -> None:
    assert read("2000-01-01T00:00:00Z") == read("2000-01-01T01:00:00+01:00") == OLDEST_AT == 946_684_800_000


@pytest.mark.parametrize(
    ("number", "hinted"), [(NOW // 1000, True), (NOW / 1000, True), (0, False), (-5, False), (86_400, False)]
)
def test_seconds_taken_for_milliseconds_are_told_so(number: float, hinted: bool) -> None:
    with pytest.raises(Violation) as caught:
        read(number)
    assert caught.value.rule is Rule.TOO_OLD
    assert ("look like seconds" in caught.value.detail) == hinted


def test_the_violation_names_the_member_as_the_caller_calls_it() -> None:
    with pytest.raises(Violation) as caught:
        observed_at("x", NOW, AHEAD_S, "meta.oemUpdatedAt")
    assert caught.value.path == "meta.oemUpdatedAt"


instants = st.integers(OLDEST_AT, NOW)
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(at=instants, zone=offsets)
def test_an_instant_is_the_same_in_every_zone_and_as_a_number(at: int, zone: timezone) -> None:
    moment = datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)
    text = moment.astimezone(zone).isoformat(timespec="milliseconds")
    assert read(text) == read(at) == read(float(at)) == at


@given(
    st.text()
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", fullmatch=True)
)
def test_anything_is_an_instant_within_the_limits_or_a_violation(anything: Any) -> None:
    try:
        at = read(anything)
    except Violation:
        return
    assert OLDEST_AT <= at <= NOW
