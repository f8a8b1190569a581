"""Applications, their tokens and their connections: the same on every store."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_store import MemoryStore

from chargeport.errors import ConflictError, NotFoundError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Outcome, Page, Vehicle, user_uuid_of
from chargeport.store.tables import vehicles

AT = 1_777_629_598_000
HOUR_MS = 3_600_000
CARS = [Vehicle(id=f"0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c1{number}", created_at=AT + number, mode=mode)
        for number, mode in enumerate(("live", "simulated", "live"))]  # fmt: skip
READS, WRITES = frozenset({Permission.READ_CHARGE}), frozenset({Permission.WRITE_READINGS, Permission.READ_CHARGE})
APP, OTHER, STRANGER = "client_app", "client_other", "client_stranger"
PAGE = Page(1, 100)

pytestmark = pytest.mark.parametrize("store", ["sqlite", "postgres", "memory"], indirect=True)


@pytest.fixture
async def known(store: Store) -> Store:
    await fill(store)
    return store


async def fill(store: Store) -> None:
    """Add three vehicles and two applications."""
    for car in CARS:
        await store.vehicles.add_vehicle(car)
    for number, client_id in enumerate((OTHER, APP)):
        made = Application(
            client_id=client_id, name=client_id, permissions=WRITES, connected_only=client_id == OTHER, created_at=AT + number,
            management_token=f"token of {client_id}",
        )  # fmt: skip
        await store.access.add_application(made, b"hash")


def connection(
    key: str, car: Vehicle, user: str = "ann", client_id: str = APP, *, at: int = AT, may: Any = READS
) -> Connection:
    return Connection(id=key, client_id=client_id, user_id=user, vehicle=car, permissions=may, created_at=at)


async def ids(store: Store, *args: Any, **wanted: Any) -> tuple[list[str], int]:
    found, total = await store.access.connections(*args, **wanted)
    return [each.id for each in found], total


async def test_applications_are_listed_by_age_and_a_revoked_one_stays_known(known: Store) -> None:
    assert [each.client_id for each in await known.access.applications()] == [OTHER, APP]
    assert await known.access.application(STRANGER) is None
    assert await known.access.revoke_application(APP, AT + 9)
    assert not await known.access.revoke_application(APP, AT + 10)
    assert not await known.access.revoke_application(STRANGER, AT)
    found = await known.access.application(APP)
    assert found is not None
    assert (found[0].revoked_at, found[1]) == (AT + 9, b"hash")


async def test_who_sees_which_vehicles_is_counted_with_every_change_of_it(known: Store) -> None:
    seen = [await known.vehicles.visibility()]

    async def counted() -> None:
        seen.append(await known.vehicles.visibility())
        assert len(set(seen)) == len(seen)

    await known.vehicles.add_vehicle(Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c19", created_at=AT))
    await counted()
    await known.vehicles.update_vehicle(msgspec.structs.replace(CARS[0], model="Another"))
    await counted()
    await known.access.add_connection(connection("one", CARS[0]))
    await counted()
    await known.access.add_connection(connection("two", CARS[0], may=WRITES))
    await counted()
    await known.access.end_connections(APP, [CARS[1].id], AT)
    await counted()
    await known.access.add_connection(connection("three", CARS[1], user=APP))
    await counted()
    assert await known.access.remove_connection("one")
    await counted()
    await known.vehicles.remove_vehicle(CARS[0].id)
    await counted()
    await known.access.add_token(b"token", APP, AT + HOUR_MS)
    assert await known.vehicles.visibility() == seen[-1]


async def test_new_secrets_end_the_tokens_and_the_management_token_before(known: Store) -> None:
    await known.access.add_token(b"one", APP, AT + HOUR_MS)
    await known.access.add_token(b"other", OTHER, AT + HOUR_MS)
    assert await known.access.rotate_management_token(APP, "second", AT + 5)
    found = await known.access.application(APP)
    assert found is not None
    assert found[0].signing_keys(AT + 4) == (f"token of {APP}", "second")
    assert found[0].signing_keys(AT + 5) == ("second",)
    assert await known.access.grant(b"one") is not None
    assert await known.access.rotate_secret(APP, b"new", "third")
    found = await known.access.application(APP)
    assert found is not None
    assert (found[1], found[0].signing_keys(AT)) == (b"new", ("third",))
    assert await known.access.grant(b"one") is None
    assert await known.access.grant(b"other") is not None
    await known.access.revoke_application(APP, AT)
    assert not await known.access.rotate_secret(APP, b"again", "fourth")
    assert not await known.access.rotate_management_token(APP, "fourth", AT)


async def test_a_token_stands_for_its_application_until_that_is_revoked(known: Store) -> None:
    await known.access.add_token(b"one", APP, AT + 5)
    await known.access.add_token(b"user", APP, AT + 6, user_uuid=user_uuid_of("ann"))
    grant, limited = await known.access.grant(b"one"), await known.access.grant(b"user")
    assert grant is not None
    assert limited is not None
    assert (grant.client_id, grant.permissions, grant.expires_at, grant.user_uuid) == (APP, WRITES, AT + 5, None)
    assert (grant.connected_only, grant.sees_all) == (False, True)
    assert (limited.connected_only, limited.user_uuid) == (True, user_uuid_of("ann"))
    await known.access.end_connections(APP, [CARS[0].id], AT)
    grant = await known.access.grant(b"one")
    assert grant is not None
    assert not grant.sees_all
    await known.access.revoke_application(APP, AT)
    assert await known.access.grant(b"one") is None
    assert await known.access.grant(b"none") is None


async def test_tokens_that_are_long_over_go_and_the_oldest_beyond_a_number(known: Store) -> None:
    for number in range(4):
        await known.access.add_token(b"%d" % number, APP, AT + number)
    await known.access.add_token(b"other", OTHER, AT)
    await known.access.add_token(b"new", APP, AT + 9, most=3)
    assert [await known.access.grant(b"%d" % number) is not None for number in range(4)] == [False, False, True, True]
    await known.access.add_token(b"newer", APP, AT + 2 * HOUR_MS, now=AT + HOUR_MS + 3)
    left = {key: await known.access.grant(key) is not None for key in (b"2", b"3", b"new", b"newer", b"other")}
    assert left == {b"2": False, b"3": True, b"new": True, b"newer": True, b"other": False}


async def test_tokens_can_be_ended_of_one_application_or_of_all(known: Store) -> None:
    for key, client_id, expires_at in ((b"a", APP, AT + 9), (b"b", APP, AT + 1), (b"c", OTHER, AT + 9)):
        await known.access.add_token(key, client_id, expires_at)
    assert await known.access.expire_tokens(AT + 5, APP) == 1
    assert await known.access.expire_tokens(AT + 5) == 1
    grants = [await known.access.grant(key) for key in (b"a", b"b", b"c")]
    assert [each.expires_at for each in grants if each is not None] == [AT + 5, AT + 1, AT + 5]


async def test_a_connection_of_the_same_three_keeps_its_id_and_gets_the_new_permissions(known: Store) -> None:
    first = await known.access.add_connection(connection("first", CARS[0]))
    again = await known.access.add_connection(connection("again", CARS[0], may=WRITES))
    assert (first.id, again.id, again.permissions, again.vehicle) == ("first", "first", WRITES, CARS[0])
    await known.access.add_connection(connection("bob's", CARS[0], "bob", at=AT - 1))
    oldest, anns = (
        await known.access.connection(APP, CARS[0].id),
        await known.access.connection(APP, CARS[0].id, user_uuid_of("ann")),
    )
    assert oldest is not None
    assert anns is not None
    assert (oldest.id, anns.id) == ("bob's", "first")
    assert await known.access.connection(APP, CARS[1].id) is None
    of_cars = await known.access.connections_with(APP, [CARS[1].id, CARS[0].id, "nobody"])
    assert {car: each.id for car, each in of_cars.items()} == {CARS[0].id: "bob's"}
    assert await known.access.connections_with(APP, [CARS[0].id], user_uuid_of("ann")) == {CARS[0].id: anns}
    assert await known.access.connections_with(APP, []) == {}
    assert await known.access.connection_by_id("first") == anns
    assert await known.access.connection_by_id("first", APP, anns.user_uuid) == anns
    assert await known.access.connection_by_id("first", STRANGER) is None
    assert await known.access.connection_by_id("first", APP, user_uuid_of("nobody")) is None
    assert await known.access.remove_connection("first")
    assert not await known.access.remove_connection("first")
    assert await known.access.connection_by_id("first") is None


async def test_only_a_writing_connection_lets_an_application_write_to_its_vehicles(known: Store) -> None:
    await known.access.add_connection(connection("reads", CARS[0], client_id=OTHER))
    await known.access.add_connection(connection("writes", CARS[1], client_id=OTHER, may=WRITES))
    assert [await known.access.may_write(OTHER, car.id) for car in CARS] == [False, True, False]
    found = [await known.vehicles.find_vehicle(car.id, OTHER) for car in CARS]
    assert [None if each is None else each.id for each in found] == [None, CARS[1].id, None]
    written = [Reading(name, BY_CODE["charge-wattage"], 1, AT, AT, "box") for name in (CARS[0].id, CARS[1].id, "nobody")]
    refused, accepted, unknown = Outcome.NOT_PERMITTED, Outcome.ACCEPTED, Outcome.UNKNOWN_VEHICLE
    assert await known.readings.write(written, OTHER) == [refused, accepted, unknown]


async def test_lists_of_connections_are_newest_first_filtered_and_in_pages(known: Store) -> None:
    for key, car, user, client_id, at in (
        ("1", CARS[0], "ann", APP, 1), ("2", CARS[1], "bob", APP, 3),
        ("3", CARS[2], "ann", OTHER, 2), ("4", CARS[0], "bob", APP, 3),
    ):  # fmt: skip
        await known.access.add_connection(connection(key, car, user, client_id, at=AT + at))
    assert await ids(known, PAGE) == (["4", "2", "3", "1"], 4)
    assert await ids(known, Page(2, 3)) == (["1"], 4)
    assert await ids(known, PAGE, APP, user_uuid=user_uuid_of("bob")) == (["4", "2"], 2)
    assert await ids(known, PAGE, APP, mode="simulated") == (["2"], 1)
    assert await ids(known, PAGE, vehicle_id=CARS[0].id) == (["4", "1"], 2)
    cars, total = await known.vehicles.vehicles(Page(1, 1), APP)
    assert ([each.id for each in cars], total) == ([CARS[0].id], 2)
    cars, total = await known.vehicles.vehicles(PAGE, APP, user_uuid=user_uuid_of("ann"))
    assert [each.id for each in cars] == [CARS[0].id]


async def test_who_sees_every_vehicle_has_a_connection_of_its_own_with_each_until_it_ends_that(known: Store) -> None:
    await known.access.add_connection(connection("given", CARS[1], at=AT + 9))
    assert await ids(known, PAGE, APP, every=WRITES) == (["given", CARS[2].id, CARS[0].id], 3)
    own = (await known.access.connections(PAGE, APP, every=WRITES, vehicle_id=CARS[2].id))[0]
    assert [(each.user_id, each.permissions, each.external_id) for each in own] == [(APP, WRITES, None)]
    assert await known.access.end_connections(APP, [CARS[0].id, "nobody"], AT) == 1
    assert await known.access.end_connections(APP, [CARS[0].id], AT) == 0
    assert await known.access.ended_among(APP, (CARS[0].id, CARS[1].id)) == {CARS[0].id}
    assert not await known.access.ended_among(OTHER, (CARS[0].id,))
    assert await ids(known, PAGE, APP, every=WRITES) == (["given", CARS[2].id], 2)
    left, total = await known.vehicles.vehicles(PAGE, not_ended_by=APP)
    assert ([each.id for each in left], total) == ([CARS[1].id, CARS[2].id], 2)
    assert await known.access.end_connections(APP, None, AT) == 2
    await known.access.add_connection(connection("anew", CARS[0]))
    assert not await known.access.ended_among(APP, (CARS[0].id,))


async def test_a_vehicle_takes_its_connections_along(known: Store) -> None:
    await known.access.add_connection(connection("one", CARS[0]))
    await known.access.end_connections(APP, [CARS[0].id], AT)
    erased = await known.vehicles.remove_vehicle(CARS[0].id)
    assert erased is not None
    assert erased.connections == 2
    assert await known.access.connection_by_id("one") is None
    await known.vehicles.add_vehicle(CARS[0])
    assert not await known.access.ended_among(APP, (CARS[0].id,))


async def test_a_name_stands_for_one_vehicle_also_when_vehicles_are_edited(known: Store) -> None:
    one = Vehicle(id=CARS[0].id, vin="WVWZZZ00000000001", aliases=("garage",), make="VW")
    await known.vehicles.update_vehicle(one)
    for name in (one.id, "WVWZZZ00000000001", "garage"):
        found = await known.vehicles.find_vehicle(name)
        assert found is not None
        assert (found.id, found.make, found.created_at) == (one.id, "VW", CARS[0].created_at)
    with pytest.raises(ConflictError):
        await known.vehicles.update_vehicle(Vehicle(id=CARS[1].id, aliases=("garage",)))
    with pytest.raises(ConflictError):
        await known.vehicles.add_vehicle(Vehicle(id="new", aliases=("garage",)))
    with pytest.raises(NotFoundError):
        await known.vehicles.update_vehicle(Vehicle(id="new"))
    assert await known.vehicles.vehicle("new") is None
    await known.vehicles.update_vehicle(Vehicle(id=one.id))
    assert await known.vehicles.find_vehicle("garage") is None


async def test_the_ids_of_many_names_are_those_that_each_name_has(known: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vehicles, "NAMES_AT_ONCE", 3)
    await known.vehicles.update_vehicle(Vehicle(id=CARS[0].id, vin="WVWZZZ00000000001", aliases=("garage",)))
    names = ["garage", CARS[1].id, "nobody", CARS[0].id, "a\0b", "WVWZZZ00000000001", CARS[2].id, ""]
    each = {name: found.id for name in names if (found := await known.vehicles.find_vehicle(name)) is not None}
    assert len(each) == 5
    assert await known.vehicles.ids_of(names) == each
    assert await known.vehicles.ids_of([]) == {}


async def anew(store: Any) -> None:
    """Have the vehicles without connections, and the applications."""
    for car in CARS:
        await store.vehicles.remove_vehicle(car.id)
    if await store.access.application(APP) is None:
        await fill(store)
    else:
        for car in CARS:
            await store.vehicles.add_vehicle(car)


async def do(store: Any, calls: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
    """Call what is named; return the answers, and what each application has at the end."""
    answers: list[Any] = [await getattr(store.access, name)(*given) for name, given in calls]
    for client_id in (APP, OTHER):
        answers += [await store.access.may_write(client_id, car.id) for car in CARS]
        for wanted in ({}, {"every": WRITES}, {"user_uuid": user_uuid_of("ann")}, {"vehicle_id": CARS[1].id, "every": READS}):
            answers.append(await store.access.connections(PAGE, client_id, **wanted))
    return answers


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 30))
async def test_any_calls_are_answered_as_the_store_in_memory_answers_them(store: Store, seed: int) -> None:
    chance, calls = random.Random(seed), []
    for number in range(12):
        car, user, client_id = chance.choice(CARS), chance.choice(("ann", "bob")), chance.choice((APP, OTHER))
        may, at = chance.choice((READS, WRITES)), AT + chance.randrange(5)
        calls.append(chance.choice((
            ("end_connections", (client_id, chance.choice((None, [car.id], [car.id])), AT)),
            ("remove_connection", (f"{seed} {number - 1}",)),
            ("add_connection", (connection(f"{seed} {number}", car, user, client_id, at=at, may=may),)),
            ("add_connection", (connection(f"{seed} {number}", car, user, client_id, at=at, may=may),)),
        )))  # fmt: skip
    oracle = MemoryStore()
    for each in (store, oracle):
        await anew(each)
    assert await do(store, calls) == await do(oracle, calls)
