"""To which addresses a webhook may be sent."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime

import aiohttp
import pytest
import trustme

from bare_listener import listener
from chargeport.settings import WebhookSettings
from chargeport.webhooks.receivers import RefusedTargetError, check_uri, refusal
from chargeport.webhooks.sender import PublicResolver, Sender

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "192.0.2.1",  # noqa: S104
    "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.1.2.3", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    "fec0::1", "::127.0.0.1", "64:ff9b:1::7f00:1", "::ffff:0:7f00:1", "2001::7f00:1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal(address) is not None


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address_is_taken(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]"])
def test_a_private_address_in_the_uri_is_refused_immediately(address: str) -> None:
    assert "public" in (check_uri(f"https://{address}/hook", allow_private=False) or "")
    assert check_uri(f"http://{address}/hook", allow_private=True) is None


ODD_URIS = [
    "https://:pw@example.org/", "https://@example.org/", "https://a@example.org/", "https://example.org/#",
    "https://example.org/\r\nX: y", "https://example.org/\0", "https://\u202eexample.org/", "https://example.org/a b",
]  # fmt: skip


@pytest.mark.parametrize("uri", ODD_URIS)
def test_a_uri_that_has_more_than_a_place_is_refused(uri: str) -> None:
    assert "printable" in (check_uri(uri, allow_private=False) or "")
    assert "printable" in (check_uri(uri, allow_private=True) or "")


def test_http_is_refused_unless_private_targets_are_allowed() -> None:
    assert "https" in (check_uri("http://example.org/hook", allow_private=False) or "")


OTHER_SCRIPTS = ["１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1"]  # noqa: RUF001
ODD_FORMS = ["2130706433", "127.1", "0177.0.0.1", "127.0.0.1."]


@pytest.mark.parametrize("host", ["１２７.0.0.1", "①②⑦.0.0.1"])  # noqa: RUF001
def test_an_address_in_digits_of_another_script_is_refused_immediately(host: str) -> None:
    assert "public" in (check_uri(f"https://{host}/hook", allow_private=False) or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "[::1]", *OTHER_SCRIPTS, *ODD_FORMS])
async def test_no_connection_is_made_to_a_private_address_whatever_it_is_called(host: str) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        sender = Sender(WebhookSettings(timeout_s=2))
        answer = await sender.post(f"http://{host}:{listening.getsockname()[1]}/hook", b"{}", {})
        await sender.close()
        assert answer.status is None
        assert ("usual form" if host in ODD_FORMS else "public") in (answer.error or ""), answer.error
        with pytest.raises(BlockingIOError):
            listening.accept()


async def test_a_name_is_refused_where_one_of_its_addresses_is_private_when_it_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the name resolved to before does not count: it is resolved once, for the connection that is made."""
    answers = [["93.184.215.14"], ["93.184.215.14", "10.0.0.1"], ["::ffff:169.254.169.254"]]

    async def resolved(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    resolver = PublicResolver(allow_private=False)
    assert [each["host"] for each in await resolver.resolve("rebinds.example", 443)] == ["93.184.215.14"]
    for _ in range(2):
        with pytest.raises(RefusedTargetError, match="resolves to"):
            await resolver.resolve("rebinds.example", 443)


async def test_a_name_that_can_not_be_resolved_is_a_failed_attempt_that_says_so() -> None:
    sender = Sender(WebhookSettings())
    found = await sender.post("https://nobody.invalid/hook", b"{}", {})
    assert found.status is None
    assert "nobody.invalid" in str(found.error)
    await sender.close()


async def test_an_expired_certificate_of_a_receiver_is_a_failed_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(ours)
    authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)).configure_cert(theirs)
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ours)

    async def hangs_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        pass

    async with listener(hangs_up, theirs) as port:
        sender = Sender(WebhookSettings(allow_private_targets=True))
        found = await sender.post(f"https://127.0.0.1:{port}/hook", b"{}", {})
        await sender.close()
    assert "expired" in str(found.error)
