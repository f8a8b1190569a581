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


def local(clock: StationClock, behind_ms: int, after_boot_s: float = 1) -> int | None:
    """The offset after a status that a station sends after its boot."""
    clock.connected()
    clock.booted(T0)
    at = T0 + round(after_boot_s * 1000)
    clock.take(at - behind_ms, at, is_status=True)
    return clock.offset_ms


@pytest.mark.parametrize("behind_ms", [5 * HOUR, 2 * HOUR + 1_200, 3 * HOUR + HOUR // 2, 12 * HOUR])
def test_a_status_after_the_boot_shows_local_time_west_of_greenwich(behind_ms: int) -> None:
    clock = StationClock()
    offset_ms = local(clock, behind_ms)
    assert offset_ms is not None
    assert 0 <= behind_ms + offset_ms < 2_000
    received_at = live(clock, -behind_ms, 2, since_s=30)
    assert clock.offset_ms == offset_ms
    assert received_at - 2_500 <= clock.at(received_at - behind_ms, received_at) <= received_at
    assert clock.at(T0 - DAY - behind_ms, received_at) == pytest.approx(T0 - DAY, abs=2_000), "so is what waits in a queue"


def test_an_old_status_shows_nothing_of_the_clock() -> None:
    for behind_ms in (2 * HOUR + 7 * 60_000, 13 * HOUR, 4_000):
        assert not local(StationClock(), behind_ms)
    assert local(StationClock(), 2 * HOUR, after_boot_s=120) is None, "long after the boot"
    clock = StationClock()
    clock.connected()
    clock.take(T0 - 2 * HOUR, T0, is_status=True)
    assert clock.offset_ms is None, "without a boot"
    clock.booted(T0)
    clock.take(T0 + 1_000 - 2 * HOUR, T0 + 1_000, may_wait=True)
    assert clock.offset_ms is None, "of a transaction"
    assert local(StationClock(0), 2 * HOUR) == 0, "by a clock that was right"


def test_a_status_that_looks_like_local_time_by_chance_is_found_out_by_the_next_that_is_live() -> None:
    clock = StationClock()
    assert local(clock, 2 * HOUR) == -2 * HOUR
    live(clock, 0, 2, since_s=10)
    assert clock.offset_ms == 0
