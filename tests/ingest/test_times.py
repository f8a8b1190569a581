"""When something was observed: never ahead of our clock, never before there were such cars."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.ingest.times import OLDEST_AT, AheadTimes, as_of, observed_at
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
    "text", ["", "yesterday", "1777629598000", "2026-05-01", "2026-05-01T09:59:58", "2026-02-30T00:00:00Z"]
)
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


@pytest.mark.parametrize("ahead_ms", [1, 1000, AHEAD_S * 1000])
def test_up_to_the_limit_the_future_counts_as_now(ahead_ms: int) -> None:
    assert read(NOW + ahead_ms) == NOW
    assert read(float(NOW + ahead_ms)) == NOW


def test_a_millisecond_beyond_the_limit_is_refused() -> None:
    limit = NOW + AHEAD_S * 1000
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


@pytest.mark.parametrize("stamp", [NOW + 1, NOW + 10**9, "2126-05-01T09:59:58Z", OLDEST_AT - 1, 0, -5, 10**400])
def test_a_source_whose_clock_is_ahead_or_was_never_set_counts_as_of_receipt(stamp: Any) -> None:
    assert as_of(stamp, NOW) is None


@pytest.mark.parametrize("stamp", [NOW, float(NOW - 1), OLDEST_AT, "2026-05-01T09:59:58Z"])
def test_a_source_s_stamp_that_can_be_true_is_when_it_counts(stamp: Any) -> None:
    assert as_of(stamp, NOW) == (NOW if isinstance(stamp, str) else stamp)


@pytest.mark.parametrize("stamp", ["soon", True, NOW + 0.5, float("nan"), [], "2026-05-01T09:59:58"])
def test_a_source_s_stamp_that_is_no_instant_is_a_violation(stamp: Any) -> None:
    with pytest.raises(Violation):
        as_of(stamp, NOW)


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


ANN = (None, "garage", "ann")


def test_what_is_reported_after_a_time_ahead_counts_after_it() -> None:
    ahead = AheadTimes()
    assert ahead.counted_at(ANN, NOW + 280_000, NOW) == NOW
    assert ahead.counted_at(ANN, NOW - 3_000, NOW + 1_000) == NOW + 1
    assert ahead.counted_at(ANN, NOW - 2_000, NOW + 2_000) == NOW + 2
    assert ahead.counted_at(ANN, NOW + 2_500, NOW + 3_000) == NOW + 2_500, "its clock is right by now"


@pytest.mark.parametrize(
    ("by", "stamp", "received_at"),
    [
        (ANN, NOW - 300_001, NOW + 1_000),  # told late, and older than what lay ahead can be
        (ANN, NOW - 3_000, NOW),  # received together with it: their order is not known
        ((None, "box", "ann"), NOW - 3_000, NOW + 1_000),
        ((None, "garage", "bob"), NOW - 3_000, NOW + 1_000),
        (("client_a", "garage", "ann"), NOW - 3_000, NOW + 1_000),
    ],
)
def test_nothing_else_is_moved_by_a_time_ahead(by: Any, stamp: int, received_at: int) -> None:
    ahead = AheadTimes()
    ahead.counted_at(ANN, NOW + 280_000, NOW)
    assert ahead.counted_at(by, stamp, received_at) == stamp


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.integers(0, 50)), max_size=20))
def test_nothing_counts_after_its_receipt_or_before_its_stamp_unless_that_lies_ahead(reports: list[tuple[int, int]]) -> None:
    ahead, now = AheadTimes(), NOW
    for offset, later in reports:
        now += later
        at = ahead.counted_at(ANN, now + offset, now)
        assert min(now + offset, now) <= at <= now


@given(
    st.text()
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", fullmatch=True)
)
def test_anything_is_an_instant_that_is_not_ahead_or_a_violation(anything: Any) -> None:
    try:
        at = read(anything)
    except Violation:
        return
    assert OLDEST_AT <= at <= NOW
