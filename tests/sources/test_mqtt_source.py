import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from mqtt_peers import NOW, WITHIN_S, Ears, Publisher, published, running, source

from brokers import BROKERS, FORBIDDEN, Broker, Mosquitto, Nats
from chargeport.dialects.all import ALL
from chargeport.errors import StoreError
from chargeport.ingest.engine import read
from chargeport.signals.reading import Issue
from chargeport.sources.base import REFUSED, Cause, Delivery, RawMessage, SourceError
from servers import free_port

pytestmark = pytest.mark.service


def opened(
    kind: type[Broker], folder: Path, certificate: tuple[Path, Path] | None = None, authority: Path | None = None
) -> Broker:
    if kind.program() is None:
        pytest.skip(f"{kind.NAME} is not installed")
    return kind(folder, certificate, authority)


@pytest.fixture(params=BROKERS, ids=lambda kind: kind.NAME)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    with opened(request.param, tmp_path) as started:
        yield started


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Broker]:
    with opened(Nats, tmp_path) as started:
        yield started


class TestWhatIsHeard:
    async def test_a_message_is_handed_on_as_it_came(self, broker: Broker) -> None:
        ears = Ears()
        async with running(source(broker.url), ears.emit):
            await published(broker, b"61.5")
            await ears.until_heard(b"61.5")
        assert ears.received == [
            Delivery(source="garage", dialect="plain", payload=b"61.5", received_at=NOW, topic="cars/leaf/soc", vehicle="leaf")
        ]

    async def test_what_a_broker_kept_for_newcomers_is_marked_so(self, broker: Broker) -> None:
        await published(broker, b"kept", retain=True)
        ears = Ears()
        async with running(source(broker.url), ears.emit):
            await ears.until_heard(b"kept")
            await published(broker, b"new")
            await ears.until_heard(b"new")
        assert [delivery.retained for delivery in ears.received] == [True, False]

    async def test_messages_without_acknowledgement_are_heard_as_well(self, broker: Broker) -> None:
        ears = Ears()
        async with running(source(broker.url), ears.emit):
            await published(broker, b"quick", qos=0)
            await ears.until_heard(b"quick")

    async def test_a_message_that_is_too_long_is_handed_on_short_and_says_so(self, broker: Broker) -> None:
        ears = Ears()
        async with running(source(broker.url, max_message_bytes=2_000), ears.emit):
            await published(broker, b"x" * 2_000, b"y" * 2_001, b"after")
            await ears.until_heard(b"after")
        assert [len(payload) for payload in ears.payloads] == [2_000, 1_000, 5]
        assert [delivery.headers.get(REFUSED, "")[:31] for delivery in ears.received] == [
            "", "the payload has 2,001 bytes, at", "",
        ]  # fmt: skip
        issue = read(ears.received[1], ALL["generic"])
        assert isinstance(issue, Issue)
        assert issue.detail.startswith("the payload has 2,001 bytes")

    async def test_what_is_much_too_long_is_not_even_sent_with_mqtt_5(self, broker: Broker) -> None:
        ears = Ears()
        async with running(source(broker.url, max_message_bytes=2_000), ears.emit):
            await published(broker, b"z" * 200_000, b"after")
            await ears.until_heard(b"after")
        assert [len(payload) for payload in ears.payloads] == ([5] if isinstance(broker, Mosquitto) else [1_000, 5])


class TestAcknowledgement:
    async def test_nothing_is_acknowledged_before_it_is_stored(self, broker: Broker) -> None:
        began = asyncio.Event()

        async def never(_parts: Sequence[RawMessage | Delivery]) -> None:
            began.set()
            await asyncio.Event().wait()

        async with running(source(broker.url), never):
            await published(broker, b"precious")
            async with asyncio.timeout(WITHIN_S):
                await began.wait()
        ears = Ears()
        async with running(source(broker.url), ears.emit):
            await ears.until_heard(b"precious")

    async def test_what_could_not_be_stored_comes_again(self, broker: Broker) -> None:
        async def refuse(_parts: Sequence[RawMessage | Delivery]) -> None:
            raise StoreError("the disk is full")

        async with running(source(broker.url), refuse) as task:
            await published(broker, b"precious")
            await asyncio.wait([task], timeout=WITHIN_S)
            assert isinstance(task.exception(), StoreError)
        ears = Ears()
        async with running(source(broker.url), ears.emit):
            await ears.until_heard(b"precious")

    async def test_what_was_stored_does_not_come_again(self, broker: Broker) -> None:
        ears = Ears()
        async with running(source(broker.url), ears.emit):
            await published(broker, b"once", b"twice")
            await ears.until_heard(b"once", b"twice")
            await published(broker, b"then")
            await ears.until_heard(b"then")
        again = Ears()
        async with running(source(broker.url), again.emit):
            await published(broker, b"later")
            await again.until_heard(b"later")
        assert not {b"once", b"twice"} & set(again.payloads)


class TestComingBack:
    async def test_messages_sent_while_we_were_away_arrive_later(self, broker: Broker) -> None:
        async with running(source(broker.url), Ears().emit):
            pass
        await published(broker, b"first", b"second")
        ears = Ears()
        async with running(source(broker.url), ears.emit):
            await ears.until_heard(b"first", b"second")
        assert ears.payloads == [b"first", b"second"]

    async def test_more_than_may_wait_here_at_once_was_kept_and_arrives_in_order(self, broker: Broker) -> None:
        async with running(source(broker.url), Ears().emit):
            pass
        kept = [b"%d" % number for number in range(300)]
        await published(broker, *kept)
        ears = Ears()
        async with running(source(broker.url, max_inflight=5), ears.emit):
            await ears.until_heard(*kept)
        assert list(dict.fromkeys(ears.payloads)) == kept

    async def test_without_a_session_nothing_is_kept_for_us(self, broker: Broker) -> None:
        async with running(source(broker.url, session_expiry_s=0), Ears().emit):
            pass
        await published(broker, b"missed")
        ears = Ears()
        async with running(source(broker.url, session_expiry_s=0), ears.emit):
            await published(broker, b"heard")
            await ears.until_heard(b"heard")
        assert ears.payloads == [b"heard"]

    async def test_a_broker_that_dies_is_unreachable_and_heard_again_once_it_is_back(self, broker: Broker) -> None:
        ears = Ears()
        async with running(source(broker.url), ears.emit) as task:
            broker.crash()
            await asyncio.wait([task], timeout=WITHIN_S)
            failure = task.exception()
        assert isinstance(failure, SourceError)
        assert failure.cause is Cause.UNREACHABLE
        assert f"localhost:{broker.port}" in str(failure)
        broker.start()
        async with running(source(broker.url), ears.emit):
            await published(broker, b"back")
            await ears.until_heard(b"back")

    async def test_nothing_is_lost_when_the_broker_is_restarted_under_load(self, broker: Broker) -> None:
        ears, back, expected = Ears(), asyncio.Event(), [b"%d" % number for number in range(5_000)]

        async def hear_whatever_happens() -> None:
            while True:
                try:
                    await source(broker.url).run(ears.emit)
                except SourceError as failure:
                    assert failure.cause is Cause.UNREACHABLE, failure  # noqa: PT017
                    await back.wait()

        async with running(source(broker.url), Ears().emit):
            pass  # the session is there before the first message
        hearing = asyncio.create_task(hear_whatever_happens())
        publisher = await asyncio.to_thread(Publisher, broker)
        sending = asyncio.create_task(asyncio.to_thread(publisher.send, expected))
        await ears.until(lambda: len(ears.received) > 500)
        assert not sending.done()
        await asyncio.to_thread(broker.crash)
        await asyncio.to_thread(broker.start)
        back.set()
        await ears.until(lambda: len(set(ears.payloads)) == len(expected))
        await sending
        await asyncio.to_thread(publisher.close)
        hearing.cancel()
        await asyncio.wait([hearing], timeout=WITHIN_S)
        assert set(ears.payloads) == set(expected)


class TestWhyItDoesNotWork:
    async def test_a_wrong_password(self, broker: Broker) -> None:
        with pytest.raises(SourceError, match=rf"localhost:{broker.port} .*password") as refused:
            await source(broker.url, password="wrong").run(Ears().emit)
        assert refused.value.cause is Cause.AUTHENTICATION

    async def test_nobody_listens(self) -> None:
        port = free_port()
        with pytest.raises(SourceError, match=f"127.0.0.1:{port} refuses the connection") as refused:
            await source(f"mqtt://127.0.0.1:{port}").run(Ears().emit)
        assert refused.value.cause is Cause.UNREACHABLE

    async def test_a_host_that_is_none(self) -> None:
        with pytest.raises(SourceError, match=r"broker\.invalid is not known") as refused:
            await source("mqtt://broker.invalid").run(Ears().emit)
        assert refused.value.cause is Cause.UNREACHABLE

    async def test_a_filter_that_we_may_not_read(self, nats: Broker) -> None:
        with pytest.raises(SourceError, match=f"'{FORBIDDEN}/#' is refused .*: give this user the right") as refused:
            await source(nats.url, "cars/#", f"{FORBIDDEN}/#").run(Ears().emit)
        assert refused.value.cause is Cause.AUTHENTICATION


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> tuple[Path, tuple[Path, Path]]:
        """An authority's certificate, and certificate and key that it gave to localhost."""
        return issued(tmp_path)

    @pytest.fixture(params=BROKERS, ids=lambda kind: kind.NAME)
    def secured(
        self, request: pytest.FixtureRequest, tmp_path: Path, authority: tuple[Path, tuple[Path, Path]]
    ) -> Iterator[Broker]:
        with opened(request.param, tmp_path, authority[1]) as started:
            yield started

    async def test_messages_come_encrypted(self, secured: Broker, authority: tuple[Path, tuple[Path, Path]]) -> None:
        ears = Ears()
        async with running(source(secured.url, ca_file=str(authority[0])), ears.emit):
            await published(secured, b"secret", b"x" * 100_000)
            await ears.until_heard(b"secret", b"x" * 100_000)

    async def test_an_authority_that_we_do_not_know_is_not_trusted(self, secured: Broker, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        other, _ = issued(tmp_path / "other")
        with pytest.raises(SourceError, match=f"The certificate of localhost:{secured.port} is not trusted") as refused:
            await source(secured.url, ca_file=str(other)).run(Ears().emit)
        assert refused.value.cause is Cause.CONFIGURATION

    @pytest.mark.parametrize("kind", BROKERS, ids=lambda kind: kind.NAME)
    async def test_a_certificate_for_another_name_is_not_trusted(self, kind: type[Broker], tmp_path: Path) -> None:
        authority, certificate = issued(tmp_path, "elsewhere.example")
        with opened(kind, tmp_path, certificate) as broker:
            with pytest.raises(SourceError, match="is not trusted") as refused:
                await source(broker.url, ca_file=str(authority)).run(Ears().emit)
            assert refused.value.cause is Cause.CONFIGURATION

    @pytest.mark.parametrize("kind", BROKERS, ids=lambda kind: kind.NAME)
    async def test_a_certificate_that_has_expired_is_not_trusted(self, kind: type[Broker], tmp_path: Path) -> None:
        authority, certificate = issued(tmp_path, until=datetime(2020, 1, 1, tzinfo=UTC))
        with opened(kind, tmp_path, certificate) as broker:
            with pytest.raises(SourceError, match=r"is not trusted.*expired") as refused:
                await source(broker.url, ca_file=str(authority)).run(Ears().emit)
            assert refused.value.cause is Cause.CONFIGURATION

    async def test_who_does_not_verify_needs_no_authority(self, secured: Broker) -> None:
        await source(secured.url, verify=False).check(WITHIN_S)

    @pytest.mark.parametrize("kind", BROKERS, ids=lambda kind: kind.NAME)
    async def test_a_broker_that_wants_a_certificate_of_ours_gets_it_or_says_so(
        self, kind: type[Broker], tmp_path: Path, authority: tuple[Path, tuple[Path, Path]]
    ) -> None:
        ca, (chain, key) = authority
        with opened(kind, tmp_path, (chain, key), authority=ca) as broker:
            await source(broker.url, ca_file=str(ca), cert_file=str(chain), key_file=str(key)).check(WITHIN_S)
            with pytest.raises(SourceError, match="certificate of ours"):
                await source(broker.url, ca_file=str(ca)).check(WITHIN_S)

    async def test_without_tls_such_a_port_does_not_answer(self, secured: Broker) -> None:
        with pytest.raises(SourceError, match="does the url's scheme fit") as refused:
            await source(f"mqtt://localhost:{secured.port}").run(Ears().emit)
        assert refused.value.cause is Cause.UNREACHABLE

    async def test_with_tls_a_plain_port_is_told_as_such(self, broker: Broker) -> None:
        with pytest.raises(SourceError, match=f"localhost:{broker.port}") as refused:
            await source(f"mqtts://localhost:{broker.port}").run(Ears().emit)
        assert refused.value.cause in (Cause.CONFIGURATION, Cause.UNREACHABLE)


class TestCheck:
    async def test_it_passes_and_leaves_a_running_source_alone(self, broker: Broker) -> None:
        ears = Ears()
        async with running(source(broker.url), ears.emit):
            await source(broker.url).check(WITHIN_S)
            await published(broker, b"still here")
            await ears.until_heard(b"still here")

    async def test_it_says_what_is_wrong(self, broker: Broker) -> None:
        with pytest.raises(SourceError, match="password") as refused:
            await source(broker.url, password="wrong").check(WITHIN_S)
        assert refused.value.cause is Cause.AUTHENTICATION


def issued(folder: Path, host: str = "localhost", until: datetime | None = None) -> tuple[Path, tuple[Path, Path]]:
    authority = trustme.CA()
    certificate = authority.issue_cert(host, not_after=until)
    ca, chain, key = folder / "ca.pem", folder / "chain.pem", folder / "key.pem"
    authority.cert_pem.write_to_path(ca)
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    return ca, (chain, key)
