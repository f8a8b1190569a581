"""Rate limits of applications: a token bucket for each application and type of request.

A bucket is full at first and is refilled evenly, by a monotonic clock. Each process counts for itself. Answers have the headers
of draft-ietf-httpapi-ratelimit-headers: `q` requests within `w` seconds, `r` left now, all available again in `t` seconds.
"""

import math
from typing import Final, Literal

from throttled import MemoryStore, RateLimiterType, Throttled, per_min

from chargeport.api.response import Header
from chargeport.attempts import MAX_KEYS, WINDOW_S
from chargeport.errors import RATE_LIMITED, Problem
from chargeport.settings import LimitSettings

Sort = Literal["requests", "ingest", "streams"]
REQUESTS: Final = "requests"  # all other requests
INGEST: Final = "ingest"
STREAMS: Final = "streams"


class TokenBuckets:
    """A bucket for each application: it has `quota` tokens and gets as many within a window."""

    def __init__(self, sort: Sort, quota: int) -> None:
        self._sort = sort
        self._quota = quota
        self._throttled = Throttled(
            using=RateLimiterType.GCRA.value,  # a token bucket that keeps one number, when the bucket is full again
            quota=per_min(quota, burst=quota),
            store=MemoryStore(options={"MAX_SIZE": MAX_KEYS}),  # a removed application gets a full bucket
        )
        self._policy: Header = (b"ratelimit-policy", f'"{sort}";q={quota};w={WINDOW_S}'.encode())

    def take(self, client_id: str, headers: list[Header]) -> None:
        """Take a token, and add the headers with the remaining ones. Raises Problem (429) if there is none."""
        result = self._throttled.limit(client_id)
        state = result.state
        left = f'"{self._sort}";r={state.remaining};t={math.ceil(state.reset_after)}'
        headers += self._policy, (b"ratelimit", left.encode())
        if result.limited:
            setting = f"limits.{self._sort}_per_minute"
            detail = f"The application may make {self._quota} of these requests a minute ({setting}): try again later."
            raise Problem(RATE_LIMITED, detail, retry_after_s=max(1, math.ceil(state.retry_after)))


class Allowance:
    """The share of one request in its application's bucket, and the headers of its answer about it."""

    __slots__ = ("_buckets", "headers")

    def __init__(self, buckets: TokenBuckets | None) -> None:
        self._buckets = buckets
        self.headers: list[Header] = []

    def take(self, client_id: str) -> None:
        """Take a token if there is a limit. Raises Problem (429)."""
        if self._buckets is not None:
            self._buckets.take(client_id, self.headers)


class RateLimits:
    """The buckets of all applications."""

    def __init__(self, settings: LimitSettings) -> None:
        quotas: dict[Sort, int] = {
            REQUESTS: settings.requests_per_minute, INGEST: settings.ingest_per_minute, STREAMS: settings.streams_per_minute,
        }  # fmt: skip
        self._buckets = {sort: TokenBuckets(sort, quota) for sort, quota in quotas.items() if quota}

    def has(self, sort: Sort) -> bool:
        """Return whether there is a limit for this type of request."""
        return sort in self._buckets

    def allowance(self, sort: Sort) -> Allowance:
        """Return the allowance of a request of this type."""
        return Allowance(self._buckets.get(sort))
