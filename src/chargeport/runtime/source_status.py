"""How each source is: what `source list` shows, in numbers and one line that a person can act on."""

from collections import deque
from collections.abc import Mapping
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec

from chargeport.clock import Clock
from chargeport.sources.base import SourceError, StationStatus

RATE_OVER_MS: Final = 60_000
MAX_STATIONS: Final = 1_000  # that are shown of one source; anybody may try to connect under new names

Condition = Literal["connecting", "connected", "waiting", "stopped"]


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is. Instants are milliseconds since the epoch, by our clock.

    `waiting` is between a failure, with its `cause` and `sentence`, and the next try at `retry_at`. `messages`, and what became
    of them, are counted since the server started; `lag` is how many wait on the other side, where it says so. `left`: of a
    source with a budget, the requests that it may still make now, by car. `stations`: those that connect to it, or try to.
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
    """A source that asks, and may not ask as often as it likes."""

    async def left(self) -> Mapping[str, int | None]:
        """Return the requests that may be made now, by car; None: any number."""
        ...


class SourceStatus:
    """Keeps the state of one running source. It is the `StatusReporter` that the source tells how it is."""

    def __init__(self, name: str, kind: str, dialect: str, clock: Clock) -> None:
        self._clock = clock
        self._state = SourceState(name=name, type=kind, dialect=dialect, since_at=clock.now())
        self._received: deque[tuple[int, int]] = deque()  # when, how many

    @property
    def state(self) -> SourceState:
        """Return how the source is now."""
        now = self._clock.now()
        while self._received and self._received[0][0] <= now - RATE_OVER_MS:
            self._received.popleft()
        rate = sum(count for _, count in self._received) * 1000 / RATE_OVER_MS
        return msgspec.structs.replace(self._state, per_second=round(rate, 2))

    def connected(self) -> None:
        """Note that the other side has accepted us."""
        self._become("connected")

    def lag(self, behind: int) -> None:
        """Note how many messages wait on the other side."""
        self._state = msgspec.structs.replace(self._state, lag=behind)

    def station(self, status: StationStatus) -> None:
        """Note how a station of the source is now; refused ones make room for others first.

        Somebody who is refused under the identity of a connected station does not disconnect it.
        """
        known = next((one for one in self._state.stations if one.name == status.name), None)
        others = [one for one in self._state.stations if one.name != status.name]
        if known is not None and known.is_connected and status.refused_because is not None:
            refusal = {name: getattr(status, name) for name in ("refusals", "refused_at", "refused_because")}
            status = msgspec.structs.replace(known, **refusal)
        if len(others) >= MAX_STATIONS:
            oldest = next((one for one in others if not one.is_connected), others[0])
            others.remove(oldest)
        self._state = msgspec.structs.replace(self._state, stations=[*others, status])

    def left(self, requests: Mapping[str, int | None]) -> None:
        """Note how many requests may be made now, by car; None: any number."""
        limited = {vehicle: count for vehicle, count in requests.items() if count is not None}
        self._state = msgspec.structs.replace(self._state, left=limited)

    def received(self, count: int, stored: int, rejected: int) -> None:
        """Note how many messages came, and how many readings of them are stored or not understood."""
        if not count:
            return
        now = self._clock.now()
        self._received.append((now, count))
        if self._state.condition != "connected":  # it receives messages, so it is
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
        """Note that it could not go on, and when it is started again."""
        self._become("waiting", cause=error.cause.value, sentence=str(error), retry_at=retry_at)

    def trying(self) -> None:
        """Note that it is started (again); why it failed before stays known until it is connected."""
        known = self._state
        self._become("connecting", cause=known.cause, sentence=known.sentence)

    def stopped(self) -> None:
        """Note that it has ended with the server."""
        self._become("stopped")

    def _become(
        self, condition: Condition, *, cause: str | None = None, sentence: str | None = None, retry_at: int | None = None
    ) -> None:
        since_at = self._state.since_at if condition == self._state.condition else self._clock.now()
        self._state = msgspec.structs.replace(
            self._state, condition=condition, since_at=since_at, cause=cause, sentence=sentence, retry_at=retry_at
        )
