"""What brokers rarely do, played by a script."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_peers import WITHIN_S, Ears, packet, running, scripted, source, wanted

from chargeport.sources.base import Cause, Delivery, RawMessage, SourceError
from chargeport.sources.mqtt.link import HELD_BYTES

pytestmark = pytest.mark.service

CONNECT, PUBACK, SUBSCRIBE, DISCONNECT = 1, 4, 8, 14
WELCOME, GRANTED = b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x01"
WELCOME_OLD, GRANTED_OLD = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01"


def message(packet_id: int) -> bytes:
    """A PUBLISH of QoS 1 to topic "a" in MQTT 3.1.1; its payload is its identifier."""
    payload = b"%d" % packet_id
    body = b"\x00\x01a" + packet_id.to_bytes(2) + payload
    return bytes((0x32, len(body))) + body


def quick_message(size: int) -> bytes:
    """A PUBLISH of QoS 0 to topic "a" in MQTT 3.1.1, with a payload of 128 KiB to 256 MiB."""
    length, digits = 3 + size, []
    for _ in range(4):
        digits.append(length % 128 | 128)
        length //= 128
    digits[-1] &= 127
    return bytes((0x30, *digits)) + b"\x00\x01a" + bytes(size)


async def fails(url: str) -> SourceError:
    with pytest.raises(SourceError) as refused:
        async with asyncio.timeout(WITHIN_S):
            await source(url).run(Ears().emit)
    assert str(refused.value).startswith(url.removeprefix("mqtt://"))
    return refused.value


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (b"\x20\x03\x00\x86\x00", Cause.AUTHENTICATION, "check username and password"),
        (b"\x20\x03\x00\x87\x00", Cause.AUTHENTICATION, "give this user the right"),
        (b"\x20\x03\x00\x85\x00", Cause.CONFIGURATION, "choose another client_id"),
        (b"\x20\x03\x00\x89\x00", Cause.UNREACHABLE, r"\(Server busy\): it is asked again later"),
        (b"\x20\x03\x00\x97\x00", Cause.QUOTA, "Quota exceeded"),
        (b"\x20\x08\x00\x97\x05\x1f\x00\x02no", Cause.QUOTA, r"\(Quota exceeded, 'no'\)"),
        (b"\x20\x03\x00\x83\x00", Cause.PROTOCOL, r"\(Implementation specific error\): look into the broker's log"),
        (b"\x20\x02\x00\x05", Cause.AUTHENTICATION, "give this user the right"),
        (b"\x20\x03\x00\xff\x00", Cause.PROTOCOL, "check that it is an MQTT broker"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Cause.PROTOCOL, "check that it is an MQTT broker"),
        (b"\x20\xff\xff\xff\xff\xff", Cause.PROTOCOL, "check that it is an MQTT broker"),
    ],
)
async def test_who_does_not_take_us_in_says_why(answer: bytes, cause: Cause, words: str) -> None:
    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        await wanted(reader, CONNECT)
        writer.write(answer)
        await reader.read()

    async with scripted(script) as url:
        failure = await fails(url)
    assert failure.cause is cause
    with pytest.raises(SourceError, match=words):
        raise failure


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (b"\x90\x04\x00\x01\x00\x87", Cause.AUTHENTICATION, "'cars/#' is refused"),
        (b"\x90\x04\x00\x01\x00\x97", Cause.QUOTA, "quota of subscriptions"),
        (b"\x90\x04\x00\x01\x00\xee", Cause.PROTOCOL, "no MQTT"),
        (b"\x90\x03\x00\x01\x00", Cause.PROTOCOL, "no MQTT"),
        (b"\xe0\x02\x8e\x00", Cause.CONFIGURATION, "another program uses our client id"),
        (b"\xe0\x02\x8b\x00", Cause.UNREACHABLE, "Server shutting down"),
        (b"\xf0\x00", Cause.PROTOCOL, "no MQTT"),
        (b"", Cause.UNREACHABLE, "closed the connection"),
    ],
)
async def test_who_took_us_in_may_still_refuse(answer: bytes, cause: Cause, words: str) -> None:
    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        await wanted(reader, CONNECT)
        writer.write(WELCOME)
        await wanted(reader, SUBSCRIBE)
        writer.write(answer)

    async with scripted(script) as url:
        failure = await fails(url)
    assert failure.cause is cause
    assert words in str(failure)


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00", b""])
async def test_a_broker_that_knows_no_mqtt_5_is_spoken_to_in_3_1_1(refusal: bytes) -> None:
    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        if (await wanted(reader, CONNECT))[6] == 5:
            writer.write(refusal)
            return
        writer.write(WELCOME_OLD)
        await wanted(reader, SUBSCRIBE)
        writer.write(GRANTED_OLD + message(7))
        assert await wanted(reader, PUBACK) == b"\x00\x07"
        await reader.read()

    ears = Ears()
    async with scripted(script) as url, running(source(url), ears.emit):
        await ears.until_heard(b"7")


async def test_who_neither_takes_mqtt_5_nor_3_1_1_says_nothing_to_us() -> None:
    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        await wanted(reader, CONNECT)

    async with scripted(script) as url:
        failure = await fails(url)
    assert failure.cause is Cause.UNREACHABLE
    assert "closed the connection before it answered" in str(failure)


async def test_a_broker_that_falls_silent_is_unreachable() -> None:
    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        await wanted(reader, CONNECT)
        writer.write(WELCOME)
        await wanted(reader, SUBSCRIBE)
        writer.write(GRANTED)
        await reader.read()

    async with scripted(script) as url:
        with pytest.raises(SourceError, match="has sent nothing for 2 s") as refused:
            async with asyncio.timeout(WITHIN_S):
                await source(url, keepalive_s=1).run(Ears().emit)
    assert refused.value.cause is Cause.UNREACHABLE


async def test_a_check_that_hears_nothing_ends_in_time() -> None:
    async def script(reader: StreamReader, _writer: StreamWriter) -> None:
        await reader.read()

    async with scripted(script) as url:
        with pytest.raises(SourceError, match=r"did not answer within 0\.05 s") as refused:
            await source(url).check(0.05)
    assert refused.value.cause is Cause.UNREACHABLE


async def test_a_session_that_kept_more_than_may_wait_is_heard_out_before_the_subscription_is_granted() -> None:
    acknowledged = asyncio.Event()

    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        if (await wanted(reader, CONNECT))[6] == 5:
            return
        writer.write(WELCOME_OLD + b"".join(message(number) for number in range(1, 50)))
        for number in range(1, 50):
            assert await wanted(reader, PUBACK) == number.to_bytes(2)
        acknowledged.set()
        writer.write(GRANTED_OLD)
        await reader.read()

    ears = Ears()
    async with scripted(script) as url, running(source(url, max_inflight=3), ears.emit):
        assert acknowledged.is_set()
    assert ears.payloads == [b"%d" % number for number in range(1, 50)]


async def test_a_check_passes_over_what_arrives_before_the_subscription_is_granted() -> None:
    acknowledged: list[bytes] = []

    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        if (await wanted(reader, CONNECT))[6] == 5:
            return
        writer.write(WELCOME_OLD + b"".join(message(number) for number in range(1, 50)))
        await wanted(reader, SUBSCRIBE)
        writer.write(GRANTED_OLD)
        while True:
            head, body = await packet(reader)
            if head >> 4 == PUBACK:
                acknowledged.append(body)

    async with scripted(script) as url:
        await source(url, max_inflight=3).check(WITHIN_S)
    assert acknowledged == []


@pytest.mark.parametrize(("max_inflight", "size"), [(3, 1_048_576), (1_000, 4 * 1_048_576)])
async def test_a_broker_has_to_wait_while_as_much_waits_here_as_may(max_inflight: int, size: int) -> None:
    count = 80 * 1_048_576 // size
    began, go_on, sent = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        if (await wanted(reader, CONNECT))[6] == 5:
            return
        writer.write(WELCOME_OLD)
        await wanted(reader, SUBSCRIBE)
        writer.write(GRANTED_OLD)
        for _ in range(count):
            writer.write(quick_message(size))
            await writer.drain()
        sent.set()
        await reader.read()

    ears = Ears()

    async def emit(parts: Sequence[RawMessage | Delivery]) -> None:
        began.set()
        await go_on.wait()
        await ears.emit(parts)

    async with scripted(script) as url, running(source(url, max_inflight=max_inflight, max_message_bytes=size), emit):
        await began.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sent.wait(), 0.3)
        go_on.set()
        await ears.until(lambda: len(ears.received) == count)
    assert max(ears.batches) <= min(max_inflight, HELD_BYTES // size)


async def test_who_may_be_sent_no_more_says_so_to_a_broker_of_mqtt_5() -> None:
    hello: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        hello.set_result(await wanted(reader, CONNECT))
        writer.write(WELCOME)
        await reader.read()

    async with scripted(script) as url:
        hearing = asyncio.create_task(source(url, max_inflight=300, max_message_bytes=50_000).run(Ears().emit))
        body = await asyncio.wait_for(hello, WITHIN_S)
        hearing.cancel()
        await asyncio.wait([hearing])
    assert b"\x21\x01\x2c" in body  # receive maximum: 300
    assert b"\x27" + (120_000).to_bytes(4) in body  # maximum packet size, with room for the longest topic


async def test_a_topic_that_is_no_utf_8_is_handed_on_all_the_same() -> None:
    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        await wanted(reader, CONNECT)
        writer.write(WELCOME)
        await wanted(reader, SUBSCRIBE)
        writer.write(GRANTED + b"\x30\x07\x00\x02\xffa\x0061")
        await reader.read()

    ears = Ears()
    async with scripted(script) as url, running(source(url), ears.emit):
        await ears.until_heard(b"61")
    assert ears.received[0].topic == "\ufffda"


@settings(max_examples=40, deadline=None)
@given(welcome=st.sampled_from([b"", WELCOME, WELCOME + GRANTED]), head=st.integers(0, 255), body=st.binary(max_size=40))
def test_whatever_a_broker_says_it_ends_as_an_error_of_the_source(welcome: bytes, head: int, body: bytes) -> None:
    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        await wanted(reader, CONNECT)
        writer.write(welcome + bytes((head, len(body))) + body)

    async def attempt() -> None:
        async with scripted(script) as url:
            await fails(url)

    asyncio.run(attempt())


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
async def test_a_broker_that_is_slow_to_take_us_in_holds_up_nobody_else(scheme: str) -> None:
    async def script(reader: StreamReader, _writer: StreamWriter) -> None:
        await reader.read()

    async with scripted(script) as url:
        waiting = asyncio.create_task(source(url.replace("mqtt", scheme)).run(Ears().emit))
        for _ in range(100):
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(0)
            assert asyncio.get_running_loop().time() - before < 1
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting], timeout=WITHIN_S)
        assert waiting.cancelled()


async def test_a_source_that_is_cancelled_says_goodbye() -> None:
    goodbye: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        await wanted(reader, CONNECT)
        writer.write(WELCOME)
        await wanted(reader, SUBSCRIBE)
        writer.write(GRANTED)
        head, _ = 0, b""
        while head >> 4 != DISCONNECT:
            head, _ = await packet(reader)
        goodbye.set_result(head)

    async with scripted(script) as url:
        async with running(source(url), Ears().emit):
            pass
        async with asyncio.timeout(WITHIN_S):
            assert await goodbye == 0xE0
