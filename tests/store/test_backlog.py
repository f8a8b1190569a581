"""What waits to be written is bounded."""

import pytest

from chargeport.errors import StoreError
from chargeport.store.health import Backlog


def test_more_than_the_bound_is_refused_until_something_was_written() -> None:
    backlog = Backlog(most=100)
    with backlog.of(60), backlog.of(40), pytest.raises(StoreError, match="100 readings wait"), backlog.of(1):
        pass
    with backlog.of(60), backlog.of(40):
        pass


def test_what_comes_alone_may_be_larger_than_the_bound() -> None:
    backlog = Backlog(most=100)
    with backlog.of(1_000), pytest.raises(StoreError), backlog.of(1):
        pass
