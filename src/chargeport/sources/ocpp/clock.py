"""The clock of a station: estimate its offset, and convert its timestamps to our clock.

A station's clock may show local time marked as UTC, may never have been set, or may be fast. A message can't be received before
it was sent, so a timestamp ahead of our clock shows an offset. A timestamp in the past does not, because stations queue
messages while they are offline. There the intervals decide: those of messages that are sent at once are the same by both
clocks; those of a queue are not. A station that has just started reports its present status: where that, and all messages of
some time, are behind by the same whole quarters of an hour, the station's clock shows local time.
"""

from typing import Final

UNSET_MS: Final = 90 * 86_400_000
"""No queue is as old as this: the clock was not set."""
NEAR_MS: Final = 10_000
"""A timestamp this close to its receipt is correct; latency and whole seconds are less."""
RUN_MESSAGES: Final = 3
RUN_MS: Final = 5_000
"""This many messages over this time, at the pace of our clock, show that they are sent at once: a queue has another pace."""
STEADY_MS: Final = 1_500
"""The delay of messages that are sent at once varies by up to this: timestamps are often whole seconds."""
BEHIND_MS: Final = 60_000
"""A clock that is behind by at most this counts as correct: a station may send its samples late."""
QUEUE_MS: Final = 5_000
"""Where timestamps advance by more than this beyond our clock, a queue is being emptied."""
BOOTED_MS: Final = 120_000
"""The time after a boot in which messages can show that the station's clock is in local time."""
QUARTER_MS: Final = 15 * 60_000
"""Local times differ from UTC by whole quarters of an hour, behind it by up to WEST_MS."""
WEST_MS: Final = 12 * 3_600_000
LOCAL_MS: Final = 15_000
"""The clock may differ from local time by up to this."""
CHANGE_MS: Final = 3_600_000
"""Summer time ends by at most this step."""
LOCAL_FOR_MS: Final = 1_000
"""The messages after a boot cover at least this time; those of a queue come at once."""


class StationClock:
    """Estimates the offset of a station's clock from the timestamps of its messages."""

    def __init__(self, offset_ms: int | None = None, floor_at: int = 0) -> None:
        self.offset_ms = offset_ms
        """How far the clock is ahead of ours, in milliseconds; None while unknown."""
        self.floor_at = floor_at
        """When the last message of this connection was received whose timestamp was ahead of our clock or unusable."""
        self._last: tuple[int, int] | None = None  # of this connection: the last timestamp, and when it was received
        self._run: tuple[int, int, int] | None = None  # its first delay, when that was received, how many messages
        self._is_of_one = False  # whether a single message of this connection shows the offset
        self._booted_at: int | None = None  # in this connection, while it may still show that it is in local time
        self._local: tuple[int, int, bool] | None = None  # since when, how far behind, whether any of it was a status

    def connected(self) -> None:
        """Begin a connection: its first messages may be of a queue."""
        self._last = self._run = self._booted_at = self._local = None
        self._is_of_one = False
        self.floor_at = 0

    def booted(self, received_at: int) -> None:
        """Note that the station has started."""
        self._booted_at, self._local = received_at, None

    def take(
        self, stamp: int | None, received_at: int, *, is_queued: bool = False, may_wait: bool = False, is_status: bool = False
    ) -> None:
        """Learn from a message's timestamp; `is_queued`: the station reports that the message was queued.

        `may_wait`: it is of a transaction, and only such messages are queued while a station is offline. `is_status`: it is the
        status of a connector.
        """
        if stamp is None:
            return
        ahead = stamp - received_at
        if self._is_of_one and is_status and ahead < (self.offset_ms or 0) - STEADY_MS:
            self.offset_ms = None  # a status does not wait, so the message before had a wrong timestamp
        known = self.offset_ms or 0
        local_ms = None if is_queued else self._local_time(ahead, received_at, is_status=is_status)
        if ahead > known or ahead < known - UNSET_MS or self._stands_still(stamp, received_at):
            # A clock that was behind and is less so was set; how right it is now is not known if the message may be old.
            was_set = -UNSET_MS < ahead <= 0 and ahead > known + STEADY_MS
            self._is_of_one = ahead > known + STEADY_MS
            self.offset_ms = None if was_set else ahead
        elif local_ms is not None and self.offset_ms is None:
            self.offset_ms = local_ms
        elif not is_queued and not self._is_queue(stamp, received_at):
            self._take_live(ahead, received_at, in_burst=may_wait and self._follows_at_once(received_at))
        self._last = stamp, received_at
        if self.at(stamp, received_at) == received_at:
            self.floor_at = received_at

    def _stands_still(self, stamp: int, received_at: int) -> bool:
        """Return whether a clock that was never set shows the same time as before: then it identifies no instant."""
        is_unset = abs(self.offset_ms or 0) > UNSET_MS
        return is_unset and self._last is not None and self._last[0] == stamp and received_at - self._last[1] > STEADY_MS

    def _local_time(self, ahead: int, received_at: int, *, is_status: bool) -> int | None:
        """Return the offset of local time west of Greenwich, if all messages since the boot show it; None if not."""
        if self._booted_at is None:
            return None
        offset_ms = round(ahead / QUARTER_MS) * QUARTER_MS
        since_at, before_ms, had_status = self._local or (received_at, offset_ms, False)
        is_local = -WEST_MS <= offset_ms < 0 and abs(ahead - offset_ms) <= LOCAL_MS and offset_ms == before_ms
        if not is_local or received_at - self._booted_at > BOOTED_MS:
            self._booted_at = None
            return None
        self._local = since_at, offset_ms, had_status or is_status
        is_shown = self._local[2] and received_at - since_at >= LOCAL_FOR_MS
        return max(offset_ms, ahead) if is_shown else None

    def _is_queue(self, stamp: int, received_at: int) -> bool:
        """Return whether a queue is being emptied, or may be."""
        if self._last is None:
            return True
        last_stamp, last_received_at = self._last
        return (stamp - last_stamp) - (received_at - last_received_at) > QUEUE_MS

    def _follows_at_once(self, received_at: int) -> bool:
        """Return whether a message came so soon after the last one that both may be of one queue."""
        return self._last is not None and received_at - self._last[1] < QUEUE_MS

    def _was_live(self) -> bool:
        """Return whether the last message was sent at once, by the known offset."""
        return self._last is not None and abs(self._last[0] - self._last[1] - (self.offset_ms or 0)) <= STEADY_MS

    def _take_live(self, ahead: int, received_at: int, *, in_burst: bool) -> None:
        """Learn from a message that may have been sent at once."""
        is_off = self.offset_ms is not None and abs(self.offset_ms) > NEAR_MS
        step_ms = ahead - (self.offset_ms or 0)
        if abs(step_ms) <= STEADY_MS:
            self._is_of_one = False
        # Of a queue, it would be as old as the clock is ahead. A single wrong timestamp shows no offset.
        if abs(ahead) <= NEAR_MS and not (is_off and in_burst and not self._is_of_one):
            if self.offset_ms is None or is_off:
                self.offset_ms = max(ahead, 0)
            self._run = None
            return
        is_quarters = abs(step_ms - round(step_ms / QUARTER_MS) * QUARTER_MS) <= STEADY_MS < abs(step_ms)
        if is_off and is_quarters and (not in_burst or (self._was_live() and step_ms >= -CHANGE_MS - STEADY_MS)):
            self.offset_ms = ahead  # local time that is set back, such as at the end of summer time
        if self._run is None or abs(ahead - self._run[0]) > STEADY_MS:
            self._run = ahead, received_at, 1
            return
        first, since_at, count = self._run
        self._run = first, since_at, count + 1
        is_run = count + 1 >= RUN_MESSAGES and received_at - since_at >= RUN_MS
        if is_run and abs(ahead - (self.offset_ms or 0)) > STEADY_MS:
            self.offset_ms = 0 if -BEHIND_MS <= ahead <= 0 else ahead

    def is_usable(self, stamp: int | None, received_at: int) -> bool:
        """Return whether a timestamp identifies an instant: not where the clock was never set."""
        return stamp is not None and stamp > received_at - UNSET_MS

    def at(self, stamp: int | None, received_at: int) -> int:
        """Return the instant of a timestamp by our clock; the time of receipt where the timestamp is unusable.

        After a message that counts as of its receipt, one whose timestamp is up to NEAR_MS earlier counts as of then, too: it
        was sent later.
        """
        if stamp is None:
            return received_at
        # A timestamp that identifies an instant without correction was not made by a clock that was never set.
        offset_ms = self.offset_ms or 0
        for at in (stamp - offset_ms, stamp) if offset_ms < -UNSET_MS else (stamp - offset_ms,):
            if received_at - UNSET_MS < at < received_at:
                return min(self.floor_at, received_at) if self.floor_at - NEAR_MS <= at < self.floor_at else at
        return received_at
