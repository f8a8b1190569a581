"""The status of each source: the counts and the sentence that `source list` shows."""

from collections import deque
from collections.abc import Mapping
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec

from chargeport.clock import Clock
from chargeport.sources.base import SourceError, StationStatus

RATE_OVER_MS: Final = 60_000
SILENT_AFTER_MS: Final = 30_000
"""A server stores the states of its sources every few seconds: older ones are of a server that has stopped."""
MAX_STATIONS: Final = 1_000  # of one source: any client may try to connect under new names

Condition = Literal["connecting", "connected", "waiting", "stopped"]


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a source. Instants are milliseconds since the epoch, by our clock.

    `waiting` is between a failure, with its `cause` and `sentence`, and the next attempt at `retry_at`. `messages`, `stored`
    and `rejected` are counted since the start of the server. `lag`: the messages that wait at the other side, if it reports
    them. `left`: the requests that a source with a budget may make now, by car. `stations`: those that connect, or try to.
    """

    name: str
    type: str
    dialect: str
    condition: Condition = "connecting"
    since_at: int
    last_message_at: int | None = None
    messages: int = 0
    per_second: float = 0
    stored: int = 0
    rejected: int = 0
    lag: int | None = None
    left: dict[str, int] = {}
    stations: list[StationStatus] = []
    retry_at: int | None = None
    cause: str | None = None
    sentence: str | None = None


@runtime_checkable
class Budgeted(Protocol):
    """A source with a limited number of requests."""

    async def left(self) -> Mapping[str, int | None]:
        """Return the requests that may be made now, by car; None: any number."""
        ...


class SourceStatus:
    """Keep the state of one running source. It is the `StatusReporter` of the source."""

    def __init__(self, name: str, kind: str, dialect: str, clock: Clock) -> None:
        self._clock = clock
        self._state = SourceState(name=name, type=kind, dialect=dialect, since_at=clock.now())
        self._received: deque[tuple[int, int]] = deque()  # when, how many

    @property
    def state(self) -> SourceState:
        """The present state of the source."""
        now = self._clock.now()
        while self._received and self._received[0][0] <= now - RATE_OVER_MS:
            self._received.popleft()
        rate = sum(count for _, count in self._received) * 1000 / RATE_OVER_MS
        return msgspec.structs.replace(self._state, per_second=round(rate, 2))

    def connected(self) -> None:
        """Note that the other side has accepted the connection."""
        self._become("connected")

    def lag(self, behind: int) -> None:
        """Note how many messages wait on the other side."""
        self._state = msgspec.structs.replace(self._state, lag=behind)

    def station(self, status: StationStatus) -> None:
        """Note the state of a station. Above MAX_STATIONS, the oldest one that is not connected is removed.

        A client that is refused under the identity of a connected station does not disconnect it.
        """
        known = next((station for station in self._state.stations if station.name == status.name), None)
        others = [station for station in self._state.stations if station.name != status.name]
        if known is not None and known.is_connected and status.refused_because is not None:
            refusal = {name: getattr(status, name) for name in ("refusals", "refused_at", "refused_because")}
            status = msgspec.structs.replace(known, **refusal)
        if len(others) >= MAX_STATIONS:
            oldest = next((station for station in others if not station.is_connected), others[0])
            others.remove(oldest)
        self._state = msgspec.structs.replace(self._state, stations=[*others, status])

    def left(self, requests: Mapping[str, int | None]) -> None:
        """Note how many requests may be made now, by car; None: any number."""
        limited = {vehicle: count for vehicle, count in requests.items() if count is not None}
        self._state = msgspec.structs.replace(self._state, left=limited)

    def received(self, count: int, stored: int, rejected: int) -> None:
        """Note the numbers of messages received, of readings stored, and of issues."""
        if not count:
            return
        now = self._clock.now()
        self._received.append((now, count))
        if self._state.condition != "connected":  # a source that receives messages is
            self._become("connected")
        known = self._state
        self._state = msgspec.structs.replace(
            known,
            last_message_at=now,
            messages=known.messages + count,
            stored=known.stored + stored,
            rejected=known.rejected + rejected,
        )

    def failed(self, error: SourceError, retry_at: int) -> None:
        """Note that the source failed, and when it is started again."""
        self._become("waiting", cause=error.cause.value, sentence=str(error), retry_at=retry_at)

    def trying(self) -> None:
        """Note that the source is started (again); the last failure stays until it is connected."""
        known = self._state
        self._become("connecting", cause=known.cause, sentence=known.sentence)

    def stopped(self) -> None:
        """Note that the source was stopped with the server."""
        self._become("stopped")

    def _become(
        self, condition: Condition, *, cause: str | None = None, sentence: str | None = None, retry_at: int | None = None
    ) -> None:
        since_at = self._state.since_at if condition == self._state.condition else self._clock.now()
        self._state = msgspec.structs.replace(
            self._state, condition=condition, since_at=since_at, cause=cause, sentence=sentence, retry_at=retry_at
        )
