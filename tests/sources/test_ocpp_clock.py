"""A station's clock: what its timestamps prove about it, and what they mean by ours."""

import pytest
from source_world import T0

from chargeport.sources.ocpp.clock import StationClock

HOUR = 3_600_000
DAY = 24 * HOUR


def live(clock: StationClock, offset_ms: int, count: int, every_s: float = 30, since_s: float = 0) -> int:
    """Messages that are sent as they happen, by a clock that is off; when the last was received."""
    at = T0
    for number in range(count):
        at = T0 + round((since_s + number * every_s) * 1000)
        stamp = (at - 120 + offset_ms) // 1000 * 1000  # a latency, and whole seconds
        clock.take(stamp, at)
    return at


def queue(clock: StationClock, first_at: int, received_at: int, count: int = 20, every_s: float = 30) -> list[int]:
    """A queue that is emptied in a second; when its messages happened by our clock."""
    found = []
    for number in range(count):
        stamp, at = first_at + round(number * every_s * 1000), received_at + number * 50
        clock.take(stamp, at)
        found.append(clock.at(stamp, at))
    return found


def test_a_right_clock_is_known_to_be_right_and_its_timestamps_stay_as_they_are() -> None:
    clock = StationClock()
    live(clock, 0, 2)
    assert clock.offset_ms == 0
    assert clock.at(T0 - 5_000, T0) == T0 - 5_000


@pytest.mark.parametrize("offset_ms", [700, 45_000, HOUR, 2 * HOUR, 30 * DAY])
def test_one_message_from_the_future_proves_a_clock_that_is_ahead(offset_ms: int) -> None:
    clock = StationClock()
    clock.take(T0 + offset_ms, T0)
    assert clock.offset_ms == offset_ms
    assert clock.at(T0 + offset_ms, T0) == T0
    assert clock.at(T0 + offset_ms - HOUR, T0) == T0 - HOUR, "what waited in a queue is corrected, too"


@pytest.mark.parametrize("stamp", [T0 - 9_000 * DAY, T0 + 9_000 * DAY], ids=["before", "ahead"])
def test_a_clock_that_was_never_set_and_stands_still_shows_the_time_of_receipt(stamp: int) -> None:
    clock = StationClock()
    for second in (0, 60, 61, 3_600):
        clock.take(stamp, T0 + second * 1000)
        assert abs(clock.at(stamp, T0 + second * 1000) - (T0 + second * 1000)) <= 1_000


def test_a_few_messages_over_some_seconds_prove_a_clock_that_is_behind() -> None:
    clock = StationClock()
    received_at = live(clock, -37 * 60_000, 4, every_s=3)
    assert abs(clock.at(received_at - 37 * 60_000, received_at) - received_at) < 2_000


@pytest.mark.parametrize("offset_ms", [-5 * HOUR, -2 * HOUR, -90_000])
def test_messages_at_the_pace_of_our_clock_prove_one_that_is_behind(offset_ms: int) -> None:
    clock = StationClock()
    received_at = live(clock, offset_ms, 3)
    assert clock.offset_ms is None, "the first message of a connection may be the end of a queue"
    received_at = live(clock, offset_ms, 2, since_s=90)
    assert clock.offset_ms is not None
    assert abs(clock.offset_ms - offset_ms) < 2_000
    assert received_at - 2_000 <= clock.at(received_at + offset_ms, received_at) <= received_at


def test_a_clock_that_stays_ahead_stays_known_to_be() -> None:
    clock = StationClock()
    live(clock, 2 * HOUR, 50)
    assert clock.offset_ms is not None
    assert abs(clock.offset_ms - 2 * HOUR) < 2_000


def test_a_clock_that_is_set_back_by_some_is_followed() -> None:
    clock = StationClock()
    live(clock, 2 * HOUR, 5)
    live(clock, HOUR, 5, since_s=200)
    assert clock.offset_ms is not None
    assert abs(clock.offset_ms - HOUR) < 2_000


def test_a_queue_proves_nothing_of_the_clock() -> None:
    clock = StationClock()
    assert queue(clock, T0 - DAY, T0)[0] == T0 - DAY
    assert clock.offset_ms is None
    for number in range(40):
        clock.take(T0 - DAY + number, T0 + number, is_queued=True)
    assert clock.offset_ms is None


def test_a_queue_is_told_by_the_offset_that_was_known_before_whatever_instants_it_crosses() -> None:
    clock = StationClock()
    live(clock, 2 * HOUR, 5)
    assert clock.offset_ms is not None
    clock.connected()
    back_at = T0 + 4 * HOUR
    stamps_from = back_at - 10 * 60_000  # by the station's clock the queue crosses our present
    found = queue(clock, stamps_from, back_at, count=60)
    wanted = [stamps_from - 2 * HOUR + number * 30_000 for number in range(60)]
    assert all(abs(one - other) < 2_000 for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("offset_ms", [HOUR, 2 * HOUR])
def test_a_queue_of_just_as_long_ago_as_the_clock_is_ahead_does_not_show_that_it_was_set(offset_ms: int) -> None:
    clock = StationClock(offset_ms)
    clock.connected()
    stamps = [T0 - 3_000, T0 - 2_000, T0 - 1_000]  # by the station's clock just now
    found = []
    for number, stamp in enumerate(stamps):
        clock.take(stamp, T0 + number * 50, may_wait=True)
        found.append(clock.at(stamp, T0 + number * 50))
    assert clock.offset_ms == offset_ms
    assert found == [stamp - offset_ms for stamp in stamps]


def test_a_clock_that_is_set_in_the_middle_of_a_session_is_believed_at_the_next_reading() -> None:
    clock = StationClock()
    live(clock, 2 * HOUR, 3)
    clock.take(T0 + 90_000, T0 + 90_100, may_wait=True)
    assert clock.offset_ms == 0


@pytest.mark.parametrize("unset_ms", [-T0, -T0 + 946_684_800_000, -7 * 365 * DAY])
def test_a_clock_that_was_never_set_counts_from_receipt_until_it_is_set(unset_ms: int) -> None:
    clock = StationClock()
    live(clock, 0, 3)
    stamp = T0 + 200_000 + unset_ms
    assert not clock.is_usable(stamp, T0 + 200_000)
    assert clock.at(stamp, T0 + 200_000) == T0 + 200_000, "also before anything was learnt from it"
    clock.take(stamp, T0 + 200_000)
    assert clock.at(stamp, T0 + 200_000) == T0 + 200_000
    clock.take(stamp + 60_000, T0 + 260_000)
    assert clock.at(stamp, T0 + 260_000) == T0 + 200_000, "one instant of it is told from another"
    clock.take(T0 - DAY, T0 + 300_100)
    assert clock.at(T0 - DAY, T0 + 300_100) == T0 - DAY, "once it was set, a queue tells of yesterday"


def test_a_timestamp_of_the_right_time_holds_beside_those_of_a_clock_that_was_never_set() -> None:
    clock = StationClock(-T0)
    assert clock.at(T0 - HOUR, T0) == T0 - HOUR, "it was made before the clock was lost"
    assert clock.at(-HOUR, T0) == T0 - HOUR


@pytest.mark.parametrize("before_ms", [2 * HOUR, -T0])
def test_what_is_sent_after_a_message_that_counts_as_of_its_receipt_counts_after_it(before_ms: int) -> None:
    clock = StationClock()
    clock.take(T0 + before_ms, T0)
    clock.take(T0 - 2_000, T0 + 500)  # the clock was set, and is a little behind
    assert clock.at(T0 - 2_000, T0 + 500) == T0
    assert clock.at(T0 - 15_000, T0 + 500) == T0 - 15_000, "this happened before"
    clock.connected()
    assert clock.at(T0 - 2_000, T0 + 500) == T0 - 2_000, "after a new connection it may have waited in a queue"


@pytest.mark.parametrize(("ahead_ms", "is_followed"), [(HOUR, True), (100 * 60_000, False)])
def test_local_time_that_is_set_back_by_quarters_of_an_hour_is_followed_at_once(ahead_ms: int, is_followed: bool) -> None:
    clock = StationClock()
    live(clock, 2 * HOUR, 3)
    at = T0 + 90_000
    clock.take(at + ahead_ms, at)
    assert (clock.at(at + ahead_ms, at) == at) is is_followed


def test_a_clock_that_is_set_right_is_believed_again() -> None:
    clock = StationClock()
    live(clock, 2 * HOUR, 3)
    received_at = live(clock, 0, 3, since_s=120)
    assert clock.offset_ms == 0
    assert clock.at(received_at - 500, received_at) == received_at - 500


def test_a_station_that_tells_two_times_in_turn_is_right_with_both() -> None:
    clock = StationClock()
    for number in range(6):
        received_at = T0 + number * 30_000
        for stamp in (received_at - 200, received_at + HOUR - 200):  # a meter in UTC, a status in local time
            clock.take(stamp, received_at)
            assert received_at - 1_000 <= clock.at(stamp, received_at) <= received_at


def test_no_timestamp_is_the_time_of_receipt() -> None:
    clock = StationClock(HOUR)
    clock.take(None, T0)
    assert (clock.at(None, T0), clock.offset_ms) == (T0, HOUR)


def booted(clock: StationClock, *stamps: tuple[float, float], is_status: bool = True) -> int | None:
    """The offset after messages that follow a boot: when each is received, and how far its timestamp is behind, in seconds."""
    clock.connected()
    clock.booted(T0)
    for after_s, behind_s in stamps:
        at = T0 + round(after_s * 1000)
        clock.take(at - round(behind_s * 1000), at, is_status=is_status)
    return clock.offset_ms


@pytest.mark.parametrize("behind_s", [5 * 3_600, 2 * 3_600 + 1.2, 3.5 * 3_600 - 1, 12 * 3_600])
def test_messages_after_a_boot_that_are_all_behind_by_whole_quarters_of_an_hour_show_local_time(behind_s: float) -> None:
    clock = StationClock()
    offset_ms = booted(clock, (1, behind_s), (1.1, behind_s), (9, behind_s))
    assert offset_ms is not None
    assert abs(behind_s * 1_000 + offset_ms) < 2_000
    received_at = T0 + 10_000
    stamp = received_at - round(behind_s * 1_000)
    assert received_at - 2_000 <= clock.at(stamp, received_at) <= received_at
    assert clock.at(stamp - DAY, received_at) == pytest.approx(received_at - DAY, abs=2_000), "so is what waits in a queue"


@pytest.mark.parametrize(
    "stamps",
    [
        [(1, 7_200), (1.4, 7_200)],  # all at once
        [(1, 7_200), (9, 900)],  # two different offsets
        [(1, 7_200), (1.1, 6_900), (9, 7_200)],  # a queue
        [(1, 7_620), (9, 7_620)],  # no whole quarters
        [(1, 13 * 3_600), (9, 13 * 3_600)],  # nowhere
        [(1, 3), (9, 3)],  # right
        [(1, 7_200), (130, 7_200)],  # long after the boot
    ],
)
def test_old_messages_after_a_boot_show_no_local_time(stamps: list[tuple[float, float]]) -> None:
    assert not booted(StationClock(), *stamps)


def test_local_time_is_shown_by_a_status_after_a_boot_where_the_clock_was_not_known_to_be_right() -> None:
    whole = [(1.0, 7_200.0), (9.0, 7_200.0)]
    assert booted(StationClock(), *whole) == -2 * HOUR
    assert booted(StationClock(), *whole, is_status=False) is None
    assert booted(StationClock(0), *whole) == 0
    clock = StationClock()
    clock.connected()
    for after_s, behind_s in whole:
        clock.take(T0 + round((after_s - behind_s) * 1000), T0 + round(after_s * 1000), is_status=True)
    assert clock.offset_ms is None, "without a boot"


def test_a_status_that_looks_like_local_time_by_chance_is_found_out_by_the_next_message_that_is_live() -> None:
    clock = StationClock()
    assert booted(clock, (1, 7_200), (3, 7_200)) == -2 * HOUR
    live(clock, 0, 2, since_s=10)
    assert clock.offset_ms == 0


def test_a_single_timestamp_of_the_future_shows_no_offset_once_the_next_one_is_right() -> None:
    clock = StationClock()
    live(clock, 0, 3)
    at = T0 + 62_000
    clock.take(at + DAY, at, may_wait=True)
    assert clock.at(at + DAY, at) == at
    clock.take(at + 900, at + 1_000, may_wait=True)
    assert clock.offset_ms == 0
    assert clock.at(at + 900, at + 1_000) == at + 900


def test_a_single_timestamp_of_the_future_shows_no_offset_once_a_status_comes_that_can_not_have_waited() -> None:
    clock = StationClock()
    clock.take(T0 + 2 * HOUR, T0)
    clock.take(T0 - 300_000, T0 + 100, may_wait=True)
    assert clock.offset_ms == 2 * HOUR, "a message of a transaction may have waited in a queue"
    clock.take(T0 - 290_000, T0 + 200, is_status=True)
    assert clock.offset_ms is None


@pytest.mark.parametrize(
    ("set_back_ms", "is_followed"), [(HOUR, True), (HOUR // 2, True), (50 * 60_000, False), (2 * HOUR, False)]
)
def test_the_end_of_summer_time_is_followed_at_the_next_message_of_a_session(set_back_ms: int, is_followed: bool) -> None:
    clock = StationClock()
    at = live(clock, 2 * HOUR, 3)
    stamp = at + 1_000 + 2 * HOUR - set_back_ms
    clock.take(stamp, at + 1_000, may_wait=True)
    assert (clock.at(stamp, at + 1_000) >= at) is is_followed
