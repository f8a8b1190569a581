"""NATS JetStream, against a real server."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from source_world import WITHIN_S, Heard, Listener, Running, eventually, source_context

from chargeport.errors import StoreError
from chargeport.sources.base import Cause, Delivery, RawMessage, SourceError
from chargeport.sources.nats import NATS, NatsSource
from chargeport.sources.nats_settings import NatsSettings
from nats_server import NatsServer, nats_server

nats = pytest.importorskip("nats", reason="chargeport[nats] is not installed")
pytestmark = pytest.mark.service

Say = Callable[..., Awaitable[None]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


async def say(server: NatsServer, stream: str, *payloads: bytes, headers: dict[str, str] | None = None) -> None:
    """Publish to a stream of that name, made with the first call, on the subject NAME.car."""
    client = await nats.connect(server.url)
    jetstream = client.jetstream()
    await jetstream.add_stream(name=stream, subjects=[f"{stream}.>"])
    for payload in payloads:
        await jetstream.publish(f"{stream}.car", payload, headers=headers)
    await client.close()


async def all_acknowledged(server: NatsServer, stream: str) -> bool:
    """Whether nothing waits for the durable, nor is in its hands."""
    client = await nats.connect(server.url)
    found = await client.jetstream().consumer_info(stream, "chargeport")
    await client.close()
    return not found.num_pending and not found.num_ack_pending


def settings(server: NatsServer, stream: str, **more: Any) -> NatsSettings:
    return NatsSettings(servers=server.url, stream=stream, **more)


async def test_a_message_is_handed_on_with_its_subject_and_headers_and_then_acknowledged(server: NatsServer) -> None:
    await say(server, "one", b"\x00binary", headers={"TxType": "V"})
    received, reported = Heard(), Listener()
    async with Running(NatsSource(settings(server, "one"), source_context(status=reported, vehicle="the-car")).run(received)):
        (delivery,) = await received.count(1)
        assert delivery == Delivery(
            source="mine", dialect="tesla", payload=b"\x00binary", received_at=delivery.received_at, topic="one.car",
            vehicle="the-car", headers={"txtype": "V"},
        )  # fmt: skip
        async with asyncio.timeout(2):  # far less than a request's five seconds: a single message does not wait for more
            await say(server, "one", b"second")
            await received.count(2)
        await eventually(lambda: all_acknowledged(server, "one"))
    assert reported.connections == 1
    assert reported.behind == 0


async def test_what_was_not_stored_is_heard_again_and_nothing_is_lost(server: NatsServer) -> None:
    payloads = [str(number).encode() for number in range(50)]
    await say(server, "unstored", *payloads)
    failing = Heard()
    failing.failing = StoreError("The disk is full.")
    with pytest.raises(StoreError):
        await NatsSource(settings(server, "unstored", batch=10), source_context()).run(failing)
    received = Heard()
    async with Running(NatsSource(settings(server, "unstored", batch=10), source_context()).run(received)):
        await received.until(lambda all_: {one.payload for one in all_} == set(payloads))


async def test_a_message_is_stored_at_once_when_no_time_is_left_to_ask_for_those_beside_it(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = nats.js.JetStreamContext.PullSubscription.fetch

    async def in_no_time(subscription: Any, batch: int = 1, **more: Any) -> Any:
        if batch > 1:
            raise TimeoutError  # as nats-py does at that moment: not of its own kind
        return await fetch(subscription, batch, **more)

    monkeypatch.setattr(nats.js.JetStreamContext.PullSubscription, "fetch", in_no_time)
    await say(server, "hurried", b"1", b"2")
    received = Heard()
    async with Running(NatsSource(settings(server, "hurried"), source_context()).run(received)):
        assert [one.payload for one in await received.count(2)] == [b"1", b"2"]


async def test_a_consumer_that_dies_between_storing_and_acknowledging_repeats_what_it_stored(server: NatsServer) -> None:
    payloads = [str(number).encode() for number in range(20)]
    await say(server, "dying", *payloads)
    storing = asyncio.Event()

    async def emit(_batch: Sequence[RawMessage | Delivery]) -> None:
        storing.set()
        await asyncio.Event().wait()  # stored, but it never comes to know

    mine = settings(server, "dying", batch=5, ack_wait_s=1)
    async with Running(NatsSource(mine, source_context()).run(emit)):
        async with asyncio.timeout(WITHIN_S):
            await storing.wait()
    received = Heard()
    async with Running(NatsSource(mine, source_context()).run(received)):
        await received.until(lambda all_: {one.payload for one in all_} == set(payloads))


async def test_two_consumers_of_one_durable_share_its_messages(server: NatsServer) -> None:
    await say(server, "shared")
    first, second = Heard(), Heard()
    mine = settings(server, "shared", batch=2, max_ack_pending=20)
    payloads = [str(number).encode() for number in range(400)]
    async with (
        Running(NatsSource(mine, source_context("first")).run(first)),
        Running(NatsSource(mine, source_context("second")).run(second)),
    ):
        await say(server, "shared", *payloads)
        await eventually(lambda: all_acknowledged(server, "shared"))
    assert first.deliveries
    assert second.deliveries
    assert sorted(first.payloads + second.payloads, key=int) == payloads


async def test_only_the_named_subjects_are_heard(server: NatsServer) -> None:
    await say(server, "many", b"1")
    client = await nats.connect(server.url)
    await client.jetstream().publish("many.wallbox", b"2")
    await client.close()
    received = Heard()
    async with Running(NatsSource(settings(server, "many", subjects=["many.wallbox"]), source_context()).run(received)):
        await received.count(1)
    assert received.payloads == [b"2"]


async def test_a_server_that_goes_is_unreachable_at_once_and_loses_nothing(tmp_path: Path) -> None:
    with nats_server(tmp_path / "kept") as server:
        await say(server, "kept", b"1")
        received = Heard()
        source = NatsSource(settings(server, "kept"), source_context())
        task = asyncio.create_task(source.run(received))
        await received.count(1)
        await say(server, "kept", b"2")
        await received.count(2)
        server.kill()
        with pytest.raises(SourceError) as found:
            async with asyncio.timeout(3):
                await task
        assert found.value.cause is Cause.UNREACHABLE
        with pytest.raises(SourceError, match="can't be reached") as found:
            await source.run(received)
        assert found.value.cause is Cause.UNREACHABLE
        server.start()
        await say(server, "kept", b"3")
        async with Running(source.run(received)):
            await received.until(lambda all_: b"3" in {one.payload for one in all_})


async def test_a_wrong_password_is_said_to_be_one(tmp_path: Path) -> None:
    with nats_server(tmp_path / "closed", "--user", "gate", "--pass", "right") as server:
        wrong = settings(server, "any", user="gate", password="wrong")
        for attempt in (NatsSource(wrong, source_context()).check(5), NatsSource(wrong, source_context()).run(Heard())):
            with pytest.raises(SourceError) as found:
                await attempt
            assert found.value.cause is Cause.AUTHENTICATION
        (tmp_path / "password").write_text("right\n")
        right = settings(server, "any", user="gate", password=f"file:{tmp_path}/password")
        with pytest.raises(SourceError, match="no JetStream stream any"):
            await NatsSource(right, source_context()).check(5)


async def test_a_stream_that_is_not_there_is_a_setting_to_mend(server: NatsServer) -> None:
    with pytest.raises(SourceError, match=r"stream: .* has no JetStream stream nowhere") as found:
        await NatsSource(settings(server, "nowhere"), source_context()).run(Heard())
    assert found.value.cause is Cause.CONFIGURATION
    await say(server, "somewhere")
    await NatsSource(settings(server, "somewhere"), source_context()).check(5)


async def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats.aio.client", None)
    source = NATS.build(NatsSettings(stream="any"), source_context())
    with pytest.raises(SourceError, match=r"pip install .* \(the extra nats\)") as found:
        await source.run(Heard())
    assert found.value.cause is Cause.CONFIGURATION
