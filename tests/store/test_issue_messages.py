"""The messages behind issues: kept whole, bounded, settled one by one."""

import pytest

from chargeport.signals.reading import Issue
from chargeport.store.protocols import Store
from chargeport.store.records import Page, Vehicle
from chargeport.store.tables import issues as table

AT = 1_777_629_598_000

pytestmark = pytest.mark.parametrize("store", ["sqlite", "postgres", "memory"], indirect=True)


def issue(number: int = 0, *, subject: str = "soc", raw: str | None = None, vehicle: str | None = "ann") -> Issue:
    return Issue("box", subject, "is odd", raw or f'{{"number":{number}}}', AT + number, vehicle)


async def messages(store: Store, after: int = 0, limit: int = 10_000) -> list[str]:
    return [each.issue.raw for each in await store.issues.issue_messages(after, limit)]


async def test_every_message_is_kept_in_the_order_in_which_it_came(store: Store) -> None:
    given = [issue(number, subject=f"field {number % 3}", vehicle=None if number % 2 else "ann") for number in range(9)]
    await store.issues.add_issues(given[:4])
    await store.issues.add_issues(given[4:])
    found = await store.issues.issue_messages(0, 100)
    assert [each.issue for each in found] == given
    assert [each.issue for each in await store.issues.issue_messages(found[3].id, 2)] == given[4:6]


async def test_an_issue_goes_with_its_last_message(store: Store) -> None:
    await store.issues.add_issues([issue(1), issue(2), issue(3, subject="other")])
    first, second, _ = await store.issues.issue_messages(0, 10)
    await store.issues.settle(first)
    assert {each.issue.subject for each in (await store.issues.issues(Page()))[0]} == {"soc", "other"}
    await store.issues.settle(second)
    await store.issues.settle(second)
    assert {each.issue.subject for each in (await store.issues.issues(Page()))[0]} == {"other"}
    assert len(await messages(store)) == 1


async def test_what_is_settled_is_counted_no_more(store: Store) -> None:
    await store.issues.add_issues([issue(1), issue(2), issue(3)])
    first, second, _ = await store.issues.issue_messages(0, 10)
    for message in (first, first, second):
        await store.issues.settle(message)
    assert [each.count for each in (await store.issues.issues(Page()))[0]] == [1]


async def test_what_one_application_sends_pushes_out_nothing_of_others(store: Store) -> None:
    await store.issues.add_issues([issue(0, subject="of a source")])
    await store.issues.add_issues([issue(0, subject="of another")], "client_b")
    for part in range(12):
        await store.issues.add_issues([issue(9, subject=f"{part} {number}") for number in range(1000)], "client_a")
    found = await store.issues.issue_messages(0, 100_000)
    assert [each.issue.subject for each in found[:2]] == ["of a source", "of another"]
    assert [each.client_id for each in found[:2]] == [None, "client_b"]
    assert len(found) == 2 + table.MAX_SENT_KINDS
    counts, total = await store.issues.issues(Page(1, 10_000))
    assert total == 2 + table.MAX_SENT_KINDS
    assert {(each.issue.subject, each.client_id) for each in counts} >= {("of a source", None), ("of another", "client_b")}


async def test_the_same_issue_of_two_applications_is_counted_and_settled_for_each(store: Store) -> None:
    for sender in ("client_a", "client_b", "client_a", None):
        await store.issues.add_issues([issue(1)], sender)
    counts, _ = await store.issues.issues(Page())
    assert {each.client_id: each.count for each in counts} == {"client_a": 2, "client_b": 1, None: 1}
    for message in await store.issues.issue_messages(0, 10):
        if message.client_id != "client_b":
            await store.issues.settle(message)
    counts, _ = await store.issues.issues(Page())
    assert {each.client_id: each.count for each in counts} == {"client_b": 1}


async def test_of_one_kind_the_newest_are_kept_and_all_are_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.issues.add_issues([issue(number) for number in range(table.MAX_MESSAGES)])
    await store.issues.add_issues([issue(number) for number in range(table.MAX_MESSAGES, table.MAX_MESSAGES + 7)])
    found = await messages(store)
    assert len(found) == table.MAX_MESSAGES
    assert (found[0], found[-1]) == ('{"number":7}', f'{{"number":{table.MAX_MESSAGES + 6}}}')
    assert (await store.issues.issues(Page()))[0][0].count == table.MAX_MESSAGES + 7


async def test_many_kinds_of_messages_are_bounded_together(store: Store) -> None:
    for part in range(23):
        await store.issues.add_issues([issue(number, subject=f"{part} {number // 500}") for number in range(1000)])
    found = await messages(store, limit=100_000)
    assert table.MAX_ALL <= len(found) <= table.MAX_ALL + 2 * table.TRIMMED_EVERY
    newest = (await store.issues.issues(Page(1, 100)))[0]
    assert sum(each.count for each in newest) == 23_000


async def test_an_issue_that_goes_takes_its_messages_along(store: Store) -> None:
    await store.issues.add_issues([issue(0, subject="first")])
    await store.issues.add_issues([issue(1, subject=f"kind {number}") for number in range(table.MAX_KINDS)])
    assert (await store.issues.issues(Page()))[1] == table.MAX_KINDS
    assert len(await messages(store, limit=100_000)) == table.MAX_KINDS


async def test_a_message_that_is_too_long_is_shown_in_part_and_not_read_again(store: Store) -> None:
    await store.issues.add_issues([issue(raw="x" * table.MAX_RAW), issue(raw="y" * (table.MAX_RAW + 1))])
    assert [len(each) for each in await messages(store)] == [table.MAX_RAW]
    (shown,), _ = await store.issues.issues(Page())
    assert (shown.count, len(shown.issue.raw)) == (2, table.MAX_RAW)


async def test_a_car_that_is_erased_takes_its_messages_along(store: Store) -> None:
    car = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", aliases=("ann",))
    await store.vehicles.add_vehicle(car)
    await store.issues.add_issues([issue(1), issue(2, vehicle=car.id), issue(3, vehicle="bob")])
    erased = await store.vehicles.remove_vehicle(car.id)
    assert erased is not None
    assert erased.issues == 2
    assert await messages(store) == ['{"number":3}']
