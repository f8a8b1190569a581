"""How many requests an application may make: a token bucket for each application and sort of request.

A bucket is full at first and is refilled evenly, by a clock that only goes forward. `limits`, which counts wrong credentials,
has windows and no buckets: at a window's edge it lets twice as many pass. Each process counts for itself. Answers carry the
headers of draft-ietf-httpapi-ratelimit-headers: `q` requests within `w` seconds, `r` left now, all again in `t` seconds.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

from cachetools import LRUCache

from chargeport.api.response import Header
from chargeport.attempts import MAX_KEYS, WINDOW_S, loop_time
from chargeport.errors import RATE_LIMITED, Problem
from chargeport.settings import LimitSettings

Sort = Literal["requests", "ingest", "streams"]
REQUESTS: Final = "requests"  # all that is neither of the others
INGEST: Final = "ingest"
STREAMS: Final = "streams"


class TokenBuckets:
    """A bucket for each application: it holds `quota` tokens and gets as many within a window."""

    def __init__(self, sort: Sort, quota: int, now: Callable[[], float]) -> None:
        self._sort = sort
        self._quota = quota
        self._token_s = WINDOW_S / quota
        self._now = now
        self._full_at: LRUCache[str, float] = LRUCache(MAX_KEYS)  # who was forgotten has a full one
        self._policy: Header = (b"ratelimit-policy", f'"{sort}";q={quota};w={WINDOW_S}'.encode())

    def take(self, client_id: str, headers: list[Header]) -> None:
        """Take a token, and add to the headers what is left. Raises Problem (429) where there is none."""
        now = self._now()
        missing_s = max(0.0, self._full_at.get(client_id, now) - now)
        wait_s = missing_s + self._token_s - WINDOW_S
        is_empty = wait_s > self._token_s * 1e-6  # sums of seconds are not exact
        if not is_empty:
            missing_s += self._token_s
            self._full_at[client_id] = now + missing_s
        left = max(0, math.floor((WINDOW_S - missing_s) / self._token_s + 1e-6))
        headers += self._policy, (b"ratelimit", f'"{self._sort}";r={left};t={math.ceil(missing_s)}'.encode())
        if is_empty:
            setting = f"limits.{self._sort}_per_minute"
            detail = f"The application may make {self._quota} of these requests a minute ({setting}): try again later."
            raise Problem(RATE_LIMITED, detail, retry_after_s=math.ceil(wait_s))


class Allowance:
    """What one request takes of its application's bucket, and the headers of its answer that say so."""

    __slots__ = ("_buckets", "headers")

    def __init__(self, buckets: TokenBuckets | None) -> None:
        self._buckets = buckets
        self.headers: list[Header] = []

    def take(self, client_id: str) -> None:
        """Take a token where there is a limit. Raises Problem (429)."""
        if self._buckets is not None:
            self._buckets.take(client_id, self.headers)


class RateLimits:
    """The buckets of all applications."""

    def __init__(self, settings: LimitSettings, now: Callable[[], float] = loop_time) -> None:
        quotas: dict[Sort, int] = {
            REQUESTS: settings.requests_per_minute, INGEST: settings.ingest_per_minute, STREAMS: settings.streams_per_minute,
        }  # fmt: skip
        self._buckets = {sort: TokenBuckets(sort, quota, now) for sort, quota in quotas.items() if quota}

    def has(self, sort: Sort) -> bool:
        """Return whether there is a limit for this sort of request."""
        return sort in self._buckets

    def allowance(self, sort: Sort) -> Allowance:
        """Return what a request of this sort may take."""
        return Allowance(self._buckets.get(sort))
