"""The connector at which a car is plugged in, if several connectors are fixed to it, such as at home and at work.

An idle connector reports nothing about a car that is plugged in at another one.
"""

from typing import Final, NamedTuple

from chargeport.clock import Clock

HOLDS_MS: Final = 60 * 60_000
"""A car stays plugged in for this time at a station whose connection has ended."""


class Connector(NamedTuple):
    """A connector of a station."""

    station: str
    number: int


class _Use(NamedTuple):
    connector: Connector
    at: int
    until: int | None = None


class Occupancy:
    """The connectors at which cars are plugged in: of each car the one that was used last, until it is free."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: dict[str, _Use] = {}

    def note(self, car: str, connector: Connector, at: int, *, is_in_use: bool) -> None:
        """Note whether the car that a connector is fixed to was plugged in there at an instant."""
        known = self._used.get(car)
        if known is not None and at < known.at:
            return
        if is_in_use:
            self._used[car] = _Use(connector, at)
        elif known is not None and known.connector == connector:
            del self._used[car]

    def gone(self, station: str) -> None:
        """Note that a station's connection has ended: its last report holds for HOLDS_MS."""
        until = self._clock.now() + HOLDS_MS
        for car, use in self._used.items():
            if use.connector.station == station:
                self._used[car] = use._replace(until=until)

    def is_elsewhere(self, car: str, connector: Connector) -> bool:
        """Return whether the car is plugged in at another connector."""
        use = self._used.get(car)
        return use is not None and use.connector != connector and (use.until is None or self._clock.now() < use.until)
