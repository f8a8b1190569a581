"""Events with their ids, which are created once for all streams that send the same."""

import re

import msgspec

from chargeport.api.cursors import Positions
from chargeport.api.events import IdentifiedEvents
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.freshness import Freshness
from chargeport.store.records import Change
from world import T0

MINUTE = 60_000
CHANGE = Change(7, "car", BY_CODE["charge-wattage"], T0, T0, "box", 7200)
LARGE = Change(8, "car", BY_CODE["charge-detailedchargingstatus"], T0, T0, "box", "x" * 5000)


class Sealed(Positions):
    """Positions that count how often they are sealed."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.count = 0

    def seal(self, position: int, client_id: str, *, always_alike: bool = False) -> str:
        assert always_alike
        self.count += 1
        return f"{client_id}-{position}"


def test_all_streams_of_an_application_share_an_event_and_others_have_their_own() -> None:
    cache, positions, freshness = IdentifiedEvents(), Sealed(), Freshness()
    first = cache.event(CHANGE, "a", "http://x", False, freshness, positions)
    assert cache.event(CHANGE, "a", "http://x", False, freshness, positions) is first
    assert first.startswith(b"id: a-7\nevent: signal\n")
    assert cache.event(CHANGE, "b", "http://x", False, freshness, positions).startswith(b"id: b-7\n")
    assert b"http://y/" in cache.event(CHANGE, "a", "http://y", False, freshness, positions)
    assert positions.count == 3


def test_a_change_that_was_read_again_is_not_answered_with_the_former_one() -> None:
    cache, positions, freshness = IdentifiedEvents(), Sealed(), Freshness()
    cache.event(CHANGE, "a", "http://x", False, freshness, positions)
    again = msgspec.structs.replace(CHANGE, value=11_000)
    assert b"11000" in cache.event(again, "a", "http://x", False, freshness, positions)


def test_a_learnt_cadence_changes_when_the_value_of_an_event_becomes_stale() -> None:
    cache, positions = IdentifiedEvents(), Sealed()
    usual, longer = (
        cache.event(CHANGE, "a", "http://x", False, Freshness(usual_ms=minutes * MINUTE), positions) for minutes in (30, 90)
    )
    assert re.findall(rb'"staleAt":"[^T]+T([\d:]{8})', usual + longer) == [b"10:29:58", b"11:29:58"]


def test_large_events_are_not_retained_and_small_ones_within_a_limit() -> None:
    cache, positions, freshness = IdentifiedEvents(), Sealed(), Freshness()
    cache.event(LARGE, "a", "http://x", False, freshness, positions)
    assert not cache._known
    for position in range(3000):
        cache.event(msgspec.structs.replace(CHANGE, position=position), "a", "http://x", False, freshness, positions)
    assert 0 < len(cache._known) <= 1024
