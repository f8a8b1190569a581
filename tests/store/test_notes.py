"""What sources remember over a restart, and how they are."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore

TEXT = st.text(max_size=20)
each = pytest.mark.parametrize("store", ["sqlite", "postgres", "memory"], indirect=True)


@each
async def test_what_was_put_down_last_is_remembered_until_it_is_taken_away(store: Store) -> None:
    assert await store.notes.recall("box", "cursor") is None
    await store.notes.remember("box", "cursor", "1")
    await store.notes.remember("box", "cursor", "2")
    await store.notes.remember("box", "other", "")
    await store.notes.remember("other", "cursor", "3")
    assert await store.notes.recall("box", "cursor") == "2"
    assert await store.notes.recall("box", "other") == ""
    await store.notes.remember("box", "cursor", None)
    await store.notes.remember("box", "cursor", None)
    assert await store.notes.recall("box", "cursor") is None
    assert await store.notes.recall("other", "cursor") == "3"


async def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    for value in (None, "kept"):
        store = SqliteStore.open(tmp_path / "a.db")
        assert await store.notes.recall("box", "cursor") == value
        await store.notes.remember("box", "cursor", "kept")
        await store.close()


@each
async def test_states_are_those_of_the_last_time(store: Store) -> None:
    await store.notes.write_source_states({"one": "{}", "two": '{"a":1}'}, 5)
    assert await store.notes.source_states() == {"one": ("{}", 5), "two": ('{"a":1}', 5)}
    await store.notes.write_source_states({"two": "{}"}, 9)
    assert await store.notes.source_states() == {"two": ("{}", 9)}
    await store.notes.write_source_states({}, 10)
    assert await store.notes.source_states() == {}


@each
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(notes=st.dictionaries(st.tuples(TEXT, TEXT), TEXT, max_size=6))
async def test_any_text_comes_back_as_it_was(store: Store, notes: dict[tuple[str, str], str]) -> None:
    for (owner, key), value in notes.items():
        await store.notes.remember(owner, key, value)
    for (owner, key), value in notes.items():
        assert await store.notes.recall(owner, key) == value


@each
async def test_a_lease_is_its_holders_until_it_ends_or_is_over(store: Store) -> None:
    assert await store.notes.take_lease("derivation", "one", 100, 200)
    assert not await store.notes.take_lease("derivation", "other", 150, 250)
    assert await store.notes.take_lease("webhooks", "other", 150, 250), "a lease of another name is free"
    assert await store.notes.take_lease("derivation", "one", 190, 300), "who has it makes it longer"
    assert not await store.notes.take_lease("derivation", "other", 300, 400)
    assert await store.notes.take_lease("derivation", "other", 301, 400)
    await store.notes.end_lease("derivation", "one")
    assert not await store.notes.take_lease("derivation", "one", 302, 500), "nobody ends the lease of another"
    await store.notes.end_lease("derivation", "other")
    assert await store.notes.take_lease("derivation", "one", 303, 500)


@each
async def test_of_many_that_put_something_down_first_one_does_and_all_are_given_its_text(store: Store) -> None:
    given = await asyncio.gather(*(store.notes.remember_first("api", "key", f"text {number}") for number in range(8)))
    assert len(set(given)) == 1
    assert await store.notes.recall("api", "key") == given[0]
    assert await store.notes.remember_first("api", "key", "later") == given[0]
