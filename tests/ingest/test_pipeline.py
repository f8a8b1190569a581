"""What is handed on is on disk when `take` returns, or a StoreError says that it is not; nothing else gets out."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.clock import ManualClock
from chargeport.dialects.all import ALL
from chargeport.dialects.table import Dialect, dialect, row
from chargeport.errors import StoreError
from chargeport.ingest import pipeline as pipeline_module
from chargeport.ingest.batch import Batch
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.violation import Rule
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Outcome, Page, Vehicle
from chargeport.store.sqlite import SqliteStore
from feeding import CAR, OTHER, T0, Unwilling, delivery, pipeline, raw_message, value
from new_database import new_database

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


async def kept(store: Store) -> list[tuple[str, str]]:
    found, _ = await store.issues.issues(Page(1, 100))
    return [(each.issue.subject, each.issue.detail) for each in found]


async def test_what_is_understood_and_what_is_not_are_both_on_disk_when_it_returns(store: Store) -> None:
    taken = await pipeline(store).take([raw_message({"wattage": 7200, "voltage": "a lot"}), delivery({"wattage": 7300})])
    assert (taken.stored, len(taken.issues), [each.index for each in taken.rejections]) == (2, 1, [0])
    assert await value(store, "wattage") == (7200, "car"), "of two sources of one rank and instant the first by name"
    assert [subject for subject, _ in await kept(store)] == ["charge-voltage"]


@pytest.mark.parametrize("where", ["write", "add_issues"])
async def test_a_store_that_fails_is_heard_of_and_the_same_may_be_handed_on_again(store: Store, where: str) -> None:
    unwilling = Unwilling(store)
    whole = pipeline(unwilling)  # type: ignore[arg-type]
    batch = [raw_message({"wattage": 7200}), delivery(b"{")]
    unwilling.fails_at = where
    with pytest.raises(StoreError):
        await whole.take(batch)
    unwilling.fails_at = None
    taken = await whole.take(batch)
    assert (taken.stored, len(taken.issues)) == (1, 1)
    found, total = await store.issues.issues(Page())
    assert (total, found[0].count) == (1, 1)
    assert await value(store, "wattage") == (7200, "car")


async def test_retained_values_that_were_believed_survive_a_store_that_fails(store: Store) -> None:
    unwilling = Unwilling(store)
    whole = pipeline(unwilling)  # type: ignore[arg-type]
    retained = msgspec.structs.replace(raw_message({"wattage": 7200}, retained=True), observed_at=None)
    assert (await whole.take([retained])).stored == 0
    unwilling.fails_at = "write"
    with pytest.raises(StoreError):
        await whole.take([raw_message({"voltage": 231})])
    unwilling.fails_at = None
    await whole.take([raw_message({"voltage": 231})])
    assert await value(store, "wattage") == (7200, "car")


async def test_a_huge_batch_is_written_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "MAX_ENTRIES", 100)
    unwilling = Unwilling(store)
    lines = b"\n".join(json.dumps({"at": T0 - index, "wattage": index}).encode() for index in range(1000))
    taken = await pipeline(unwilling).take([delivery(lines)])  # type: ignore[arg-type]
    assert taken.stored == 1000
    assert max(unwilling.writes) <= 100
    assert await value(store, "wattage") == (0, "generic")


async def test_messages_that_say_nothing_leave_others_their_turn(store: Store) -> None:
    lines = b"\n".join([b'{"nothing": 1}'] * 2000)
    taking = asyncio.ensure_future(pipeline(store).take([delivery(lines)]))
    turns = 0
    while not taking.done():
        turns += 1
        await asyncio.sleep(0)
    assert len((await taking).issues) == 2000
    assert turns > 2000 // pipeline_module.TURN


async def test_a_large_payload_is_read_while_others_have_their_turn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "OFFLOAD_BYTES", 10)
    loops = []

    def reading(_dialect: Dialect, one: Delivery) -> list[RawMessage]:
        with pytest.raises(RuntimeError):
            loops.append(asyncio.get_running_loop())
        return [raw_message({"wattage": 1})]

    odd = msgspec.structs.replace(ALL["generic"], read=reading)
    assert (await pipeline(store, dialects={"generic": odd}).take([delivery({"wattage": 12345})])).stored == 1
    assert loops == []


async def test_a_dialect_that_fails_in_a_way_of_its_own_is_an_issue_that_keeps_the_delivery(store: Store) -> None:
    def read(_dialect: Dialect, one: Delivery) -> list[RawMessage]:
        if one.payload == b"boom":
            raise RuntimeError("out of cheese")
        return [RawMessage(source="x", dialect="odd", vehicle=CAR.id, fields={"a": 1, "b": 2}, received_at=T0)]

    def decode(_value: object) -> Any:
        raise AssertionError("this can't be")

    odd = dialect("odd", row("a", "charge-wattage"), row("b", "charge-voltage", decode=decode), read=read)
    whole = pipeline(store, dialects={"odd": odd})
    taken = await whole.take([delivery(b"boom", "odd"), delivery(b"fine", "odd")])
    assert [issue.detail for issue in taken.issues] == [
        "can't be read: RuntimeError: out of cheese",
        "can't be read: AssertionError: this can't be",
    ]
    assert [each.index for each in taken.rejections] == [0, 1]
    assert msgspec.json.decode(taken.issues[0].raw, type=Delivery).payload == b"boom"


async def test_half_a_character_and_an_unknown_dialect_are_issues_too(store: Store) -> None:
    whole = pipeline(store)
    taken = await whole.take(
        [
            raw_message({"wattage": 1}, vehicle="\ud800"),
            raw_message({"wattage": "\ud800"}),
            raw_message({"\ud800": 1}),
            raw_message({"wattage": 1}, source="\ud800", vehicle="nobody"),
            raw_message({"wattage": 1}, source="\ud800"),
            raw_message({"charge-chargingconnectortype": "Type \ud800"}),
            delivery(b"{", received_at=1 << 70),
            msgspec.structs.replace(raw_message({"wattage": 1}), dialect="klingon"),
            delivery(b"{}", "klingon"),
        ]
    )
    assert len(taken.issues) == 9
    assert taken.stored == 0
    assert sum(detail == "can't be read: 'klingon' is no dialect here" for _, detail in await kept(store)) == 2


@pytest.mark.parametrize("received_at", [-1, T0 + 301_000, 1 << 70])
async def test_what_can_not_have_been_received_yet_is_an_issue(store: Store, received_at: int) -> None:
    message = msgspec.structs.replace(raw_message({"wattage": 1}), received_at=received_at, observed_at=None)
    taken = await pipeline(store).take([message, raw_message({"wattage": 2})])
    assert [issue.detail for issue in taken.issues] == [f"can't be read: it can't have been received at {received_at}"]
    assert await value(store, "wattage") == (2, "car")


async def test_a_stamp_ahead_does_not_outrank_what_is_reported_next(store: Store, clock: ManualClock) -> None:
    whole = pipeline(store, clock)
    await whole.take([msgspec.structs.replace(raw_message({"wattage": 0}), observed_at=T0 + 280_000)])
    assert await value(store, "wattage") == (0, "car")
    clock.move(2)
    late = raw_message({"wattage": 7000}, at=T0 + 2_000)
    await whole.take([msgspec.structs.replace(late, observed_at=T0 - 5_000)])
    assert await value(store, "wattage") == (7000, "car")


async def test_an_unknown_car_is_an_issue_that_says_what_to_do_and_can_be_read_again(store: Store) -> None:
    whole = pipeline(store)
    taken = await whole.take([raw_message({"wattage": 1}, source="box", vehicle="bob")])
    assert taken.issues[0].rule is Rule.UNKNOWN_VEHICLE
    assert "give it this alias (box:bob" in taken.issues[0].detail
    await store.vehicles.update_vehicle(msgspec.structs.replace(CAR, aliases=("box:bob",)))
    again = msgspec.json.decode(taken.issues[0].raw, type=RawMessage)
    assert (await whole.take([again], Batch(keep_issues=False))).stored == 1


async def test_a_car_that_was_removed_and_made_known_anew_loses_nothing(store: Store) -> None:
    whole = pipeline(store)
    await whole.take([raw_message({"wattage": 1}, vehicle="ann")])
    await store.vehicles.remove_vehicle(CAR.id)
    anew = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c99", aliases=("ann",))
    await store.vehicles.add_vehicle(anew)
    taken = await whole.take([raw_message({"wattage": 2, "voltage": "odd"}, vehicle="ann", at=T0 + 1)])
    assert (taken.stored, len(taken.issues)) == (1, 1)
    assert await value(store, "wattage", anew.id) == (2, "car")


async def test_what_a_removed_car_says_is_an_issue_that_keeps_the_message(store: Store) -> None:
    whole = pipeline(store)
    await whole.take([raw_message({"wattage": 1}, vehicle="ann")])
    await store.vehicles.remove_vehicle(CAR.id)
    taken = await whole.take([raw_message({"wattage": 2}, vehicle="ann")])
    assert [issue.rule for issue in taken.issues] == [Rule.UNKNOWN_VEHICLE]
    assert msgspec.json.decode(taken.issues[0].raw, type=RawMessage).vehicle == "ann"


async def test_an_application_for_some_cars_reaches_no_other_and_leaves_nothing_behind(store: Store) -> None:
    await store.access.add_application(
        Application(client_id="app", name="App", permissions=frozenset(Permission), connected_only=True, management_token="",
                    created_at=T0),
        b"hash",
    )  # fmt: skip
    await store.access.add_connection(
        Connection(id="c", client_id="app", user_id="u", vehicle=CAR, permissions=frozenset(Permission), created_at=T0)
    )
    whole = pipeline(store, auto_register=True)
    await whole.take([raw_message({"ischarging": True}, vehicle=OTHER.id)])
    names = (CAR.id, OTHER.id, "WVWZZZ00000000009", "nobody")
    batch = Batch(client_id="app", connected_only=True, may_register=True)
    taken = await whole.take(
        [raw_message({"ischarging": False, "oops": 1}, vehicle=name, at=T0 + 1) for name in names],
        batch,
    )
    refused = [issue for issue in taken.issues if issue.subject == "vehicle"]
    assert [issue.rule for issue in refused] == [Rule.NOT_PERMITTED] * 3
    assert len({issue.detail for issue in refused}) == 1, "it is not told which cars there are"
    assert taken.outcomes[Outcome.ACCEPTED] == 1
    assert await kept(store) == []
    assert await value(store, "ischarging", OTHER.id) == (True, "car")


async def test_what_was_heard_is_recorded_only_once_it_is_on_disk(store: Store) -> None:
    unwilling, recorded = Unwilling(store), []
    whole = pipeline(unwilling, record=recorded.extend)  # type: ignore[arg-type]
    received = [delivery({"wattage": 1}), raw_message({"wattage": 2}, at=T0 + 1)]
    unwilling.fails_at = "write"
    with pytest.raises(StoreError):
        await whole.take(received)
    assert recorded == []
    unwilling.fails_at = None
    await whole.take(received)
    assert recorded == received[:1]


async def test_a_source_with_topics_of_its_own_does_not_change_how_pushes_of_its_name_are_read(store: Store) -> None:
    whole = pipeline(store)
    whole.use_dialect("evcc", ALL["generic"])
    assert (await whole.take([delivery({"chargePower": 7200}, "evcc")])).issues == []


@pytest.mark.parametrize("name", sorted(ALL))
async def test_no_bytes_and_no_json_stop_a_source(name: str, folder: Path) -> None:
    store = SqliteStore.open(new_database(folder / "any.db"))
    await store.vehicles.add_vehicle(CAR)
    whole = pipeline(store, ManualClock(T0))
    fields = sorted(ALL[name].by_field)
    topics = [each.text.replace("{vehicle}", "ann").replace("{field...}", "x/y").replace("{field}", "x").replace("{}", "z")
              for each in ALL[name].topics]  # fmt: skip
    named = st.dictionaries(st.sampled_from(fields), JSON, max_size=4)

    @given(
        st.binary(max_size=60)
        | JSON.map(lambda each: json.dumps(each).encode())
        | named.map(lambda each: json.dumps(each).encode()),
        st.sampled_from(["", "no/such/topic", *topics]),
        st.sampled_from([None, CAR.id]),
        st.booleans(),
    )
    def tried(payload: bytes, topic: str, vehicle: str | None, retained: bool) -> None:
        part = delivery(payload, name, vehicle, topic=topic, retained=retained)
        taken = asyncio.run(whole.take([part]))
        assert len(taken.rejections) == len(taken.issues)

    await asyncio.to_thread(tried)
    await store.close()


def mqtt(topic: str, payload: str, at: int, *, retained: bool = False) -> Delivery:
    return Delivery(
        source="evcc", dialect="evcc", payload=payload.encode(), received_at=at, topic=f"evcc/{topic}", retained=retained,
        vehicle="ann" if topic.startswith("loadpoints") else None,
    )  # fmt: skip


async def evcc_waits(store: Store, clock: ManualClock) -> pipeline_module.Pipeline:
    """A car that waits at a loadpoint, as evcc has told it once."""
    whole = pipeline_module.Pipeline(store, clock, ALL)
    reported = [("loadpoints/1/connected", "true"), ("loadpoints/1/charging", "false")]
    await whole.take([mqtt(topic, payload, T0) for topic, payload in reported])
    return whole


async def seen_at(store: Store) -> int:
    found = await store.readings.signals(CAR.id)
    assert found is not None
    (state,) = found.series[BY_CODE["charge-ischarging"].key]
    return state.observed_at or 0


TEN_MIN = 600_000


async def test_a_status_confirms_what_its_source_told_until_it_says_otherwise_or_is_lost(store: Store) -> None:
    clock = ManualClock(T0)
    whole = await evcc_waits(store, clock)
    await whole.take([mqtt("status", "online", T0, retained=True)])
    clock.move(600)
    await whole.confirm("evcc")
    assert await seen_at(store) == T0 + TEN_MIN
    clock.move(600)
    await whole.take([mqtt("status", "offline", T0 + 2 * TEN_MIN)])
    await whole.confirm("evcc")
    await whole.take([mqtt("status", "online", T0 + 2 * TEN_MIN)])
    assert await seen_at(store) == T0 + 2 * TEN_MIN
    whole.mark_disconnected("evcc")
    clock.move(600)
    await whole.confirm("evcc")
    assert await seen_at(store) == T0 + 2 * TEN_MIN


async def test_a_heartbeat_confirms_what_its_source_told_and_an_old_one_does_not(store: Store) -> None:
    clock = ManualClock(T0 + 2 * TEN_MIN)
    whole = await evcc_waits(store, clock)
    await whole.take([mqtt("updated", "1777629598", T0 + TEN_MIN, retained=True)])
    assert await seen_at(store) == T0, "nobody knows how old it is"
    await whole.take([mqtt("updated", "1777629598", T0 + TEN_MIN)])
    assert await seen_at(store) == T0 + TEN_MIN


async def test_what_a_broker_has_kept_counts_once_a_status_shows_that_its_source_is_there(store: Store) -> None:
    whole = pipeline_module.Pipeline(store, ManualClock(T0), ALL)
    await whole.take([mqtt("loadpoints/1/charging", "true", T0, retained=True)])
    assert await value(store, "ischarging") is None
    await whole.take([mqtt("status", "online", T0, retained=True)])
    assert await value(store, "ischarging") == (True, "evcc")
