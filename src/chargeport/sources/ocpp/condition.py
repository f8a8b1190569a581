"""What a station has reported of its connectors in this connection, and when that must be confirmed."""

from typing import Final, NamedTuple

CONFIRM_EVERY_MS: Final = 1_000
"""The last reports of a station are confirmed at most this often."""
_SUSPENDED: Final = ("suspendedev", "suspendedevse")
_FREE: Final = ("available", "reserved")
_IN_USE: Final = frozenset(
    {"preparing", "charging", "suspendedev", "suspendedevse", "finishing", "occupied", "evconnected"}
)  # fmt: skip


class Condition(NamedTuple):
    """The last report of a connector: its status and its transaction's charging state.

    `at` is the instant of the later one, `state_at` that of the charging state, which 1.6 does not have.
    """

    status: str | None = None
    charging_state: str | None = None
    at: int = 0
    state_at: int = 0

    @property
    def is_in_use(self) -> bool | None:
        """Whether a car is plugged in; None where neither shows it."""
        if is_free(self.status):
            return False
        states = {(each or "").strip().casefold() for each in (self.status, self.charging_state)}
        return True if states & _IN_USE else None


class Conditions:
    """The conditions of a station's connectors since `connected_at`; those before were confirmed until `confirmed_at`."""

    def __init__(self, connected_at: int = 0, confirmed_at: int = 0) -> None:
        self.known: dict[int, Condition] = {}
        self._since: dict[int, int] = {}
        self._confirmed: dict[int, int] = {}
        self._before_at = confirmed_at
        self._confirmed_at = connected_at

    def at(self, connector: int) -> Condition:
        """Return the condition of a connector."""
        return self.known.get(connector, Condition())

    def put(self, connector: int, condition: Condition) -> bool:
        """Set the condition of a connector; return False for an older one than the known, which changes nothing."""
        known = self.at(connector)
        if condition.at < known.at:
            return False
        if condition[:2] != known[:2]:
            self._since[connector] = condition.at
        self.known[connector] = condition
        is_late = condition.charging_state != known.charging_state and condition.state_at < condition.at
        if is_late or (condition[:2] != known[:2] and condition.at <= self._confirmed.get(connector, self._before_at)):
            self._confirmed_at = 0  # the earlier report was confirmed for too long: confirm this one at once
        return True

    def suspended_at(self, connector: int) -> int | None:
        """Return since when charging is suspended by the last reports of a connector; None if it is not."""
        known = self.at(connector)
        word = known.status if known.charging_state is None else known.charging_state
        return self._since.get(connector) if (word or "").strip().casefold() in _SUSPENDED else None

    def is_due(self, now: int) -> bool:
        """Return whether the conditions must be confirmed now."""
        if now - self._confirmed_at < CONFIRM_EVERY_MS:
            return False
        self._confirmed_at = now
        return True

    def confirmed(self, connector: int, at: int) -> None:
        """Note that the condition of a connector was confirmed."""
        self._confirmed[connector] = at


def is_free(status: str | None) -> bool:
    """Return whether no car is plugged in at a connector with this status."""
    return status is not None and status.strip().casefold() in _FREE
