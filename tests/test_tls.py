"""TLS of our own: certificates that change, end and are asked of clients, with real clients."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from chargeport import web
from chargeport.api.app import WebApp
from chargeport.errors import SettingError, StartError
from chargeport.settings import IngestSettings, LimitSettings, ServerSettings
from chargeport.tls import CHECK_EVERY_S, Certificate, TlsFiles
from serving import Serving, reached, served
from world import World

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
NOW_MS = round(NOW.timestamp() * 1000)
HOSTS = [("cars.example.org", True), ("localhost:8080", False), ("192.0.2.7:80", False), ("[::1]:80", False)]
ITEM = {"signal": "charge-voltage", "body": {"value": 230, "unit": "volts"}}


class Authority:
    """A certificate authority, and files of what it issues."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.ca_file = str(folder / "ca.pem")
        self.ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, name: str = "localhost", file: str = "server", not_after: dt.datetime | None = None) -> TlsFiles:
        made = self.ca.issue_cert(name, common_name=name, not_after=not_after)
        chain, key = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        chain.write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(key))
        return TlsFiles(str(chain), str(key))

    def halve(self, files: TlsFiles) -> None:
        Path(files.certificate).write_text("half a certif")

    def trusting(self, own: TlsFiles | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if own is not None:
            context.load_cert_chain(own.certificate, own.key)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def client(serving: Serving, context: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"https://localhost:{serving.port}", verify=context, trust_env=False) as made:
        yield made


async def serial_of(serving: Serving, context: ssl.SSLContext) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", serving.port, ssl=context, server_hostname="localhost")
    serial = str(writer.get_extra_info("peercert")["serialNumber"])
    writer.close()
    del reader
    return serial


async def test_a_new_certificate_is_used_without_ending_a_connection(world: World, authority: Authority) -> None:
    trusting = authority.trusting()
    async with served(world.served, tls=authority.issue()) as serving, client(serving, trusting) as open_one:
        assert (await open_one.get("/healthz")).status_code == 200
        before = await serial_of(serving, trusting)
        authority.issue()
        certificate = serving.server._certificate
        assert certificate is not None
        certificate._check_at_s = 0
        certificate.refresh()
        assert await serial_of(serving, trusting) != before
        assert (await open_one.get("/healthz")).status_code == 200


async def test_while_certificates_change_no_request_fails(world: World, authority: Authority) -> None:
    trusting = authority.trusting()
    async with served(world.served, tls=authority.issue()) as serving:
        is_over = False

        async def asking(*, anew: bool) -> list[int]:
            statuses = []
            async with client(serving, trusting) as own:
                while not is_over:
                    headers = {"Connection": "close"} if anew else {}
                    statuses.append((await own.get("/healthz", headers=headers)).status_code)
            return statuses

        tasks = [asyncio.create_task(asking(anew=number % 2 == 0)) for number in range(6)]
        certificate = serving.server._certificate
        assert certificate is not None
        serials = set()
        for number in range(8):
            if number % 3:
                authority.issue()
            else:
                authority.halve(certificate._files)
            certificate._check_at_s = 0
            certificate.refresh()
            serials.add(await serial_of(serving, trusting))
        is_over = True
        answers = await asyncio.gather(*tasks)
    assert len(serials) == 6, "five new ones, and the one before them"
    assert all(answers), "each client was answered meanwhile"
    assert {status for each in answers for status in each} == {200}


@pytest.mark.parametrize(
    "sent", [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"\x01" * 99, b"\0", b""]
)
async def test_what_is_no_handshake_ends_and_others_go_on(
    world: World, authority: Authority, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    monkeypatch.setattr(web, "HANDSHAKE_WITHIN_S", 0.3)
    trusting = authority.trusting()
    async with served(world.served, tls=authority.issue()) as serving, client(serving, trusting) as good:
        plain = [await asyncio.open_connection("127.0.0.1", serving.port) for _ in range(5)]
        for _, writer in plain:
            writer.write(sent)
        assert (await good.get("/healthz")).status_code == 200
        for reader, writer in plain:  # a handshake that is begun and left there has so long and no longer
            assert b"HTTP" not in await reader.read()
            writer.close()
        assert (await good.get("/healthz")).status_code == 200
        await reached(lambda: serving.clients == 1)
    assert caplog.messages == [], "whoever sends garbage does not fill the log"


async def test_handshakes_that_are_not_finished_make_room_for_others(world: World, authority: Authority) -> None:
    limits = LimitSettings(connections=8, connections_by_address=8)
    async with served(world.served, limits, tls=authority.issue()) as serving:
        slow = [socket.create_connection(("127.0.0.1", serving.port)) for _ in range(20)]
        async with client(serving, authority.trusting()) as good:
            assert (await good.get("/healthz")).status_code == 200
        for each in slow:
            each.close()


def test_no_client_renegotiates(authority: Authority) -> None:
    context = authority.issue().context()
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_key_that_wants_a_password_is_refused_and_nobody_is_asked_for_it(authority: Authority) -> None:
    files = authority.issue()
    key = load_pem_private_key(Path(files.key).read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    Path(files.key).write_bytes(locked)
    with pytest.raises(StartError, match="the key is encrypted"):
        files.context()


def test_files_that_are_no_good_leave_the_certificate_before_in_use(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    time_s = [0.0]
    files = authority.issue(not_after=NOW + dt.timedelta(days=400))
    certificate = Certificate(files, lambda: time_s[0], lambda: NOW_MS)
    before = certificate.context
    authority.halve(files)
    certificate.refresh()
    assert caplog.messages == [], "it looks every ten seconds"
    time_s[0] += CHECK_EVERY_S
    certificate.refresh()
    assert certificate.context is before
    assert "the old certificate stays in use" in caplog.messages[0]
    authority.issue(not_after=NOW + dt.timedelta(days=400))
    time_s[0] += CHECK_EVERY_S
    certificate.refresh()
    assert certificate.context is not before


@pytest.mark.parametrize(("days", "statement"), [(13.5, "expires in 13 days"), (-1, "has expired"), (15, None)])
def test_a_certificate_that_ends_soon_is_logged_once_a_day(
    authority: Authority, caplog: pytest.LogCaptureFixture, days: float, statement: str | None
) -> None:
    time_s = [0.0]
    certificate = Certificate(authority.issue(not_after=NOW + dt.timedelta(days=days)), lambda: time_s[0], lambda: NOW_MS)
    for _ in range(3):
        time_s[0] += CHECK_EVERY_S
        certificate.refresh()
    assert [statement in each for each in caplog.messages] == ([] if statement is None else [True])
    time_s[0] += 86_400
    certificate.refresh()
    assert len(caplog.messages) == (0 if statement is None else 2)


async def test_a_client_refuses_an_expired_certificate_and_the_server_continues(world: World, authority: Authority) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    trusting = authority.trusting()
    async with served(world.served, tls=authority.issue(not_after=yesterday)) as serving:
        async with client(serving, trusting) as strict:
            with pytest.raises(httpx.ConnectError, match="expired"):
                await strict.get("/healthz")
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        async with client(serving, trusting) as lenient:
            assert (await lenient.get("/healthz")).status_code == 200


async def test_readings_are_taken_from_clients_with_a_certificate_alone_where_that_is_set(
    tmp_path: Path, authority: Authority
) -> None:
    world = World.open(tmp_path, ingest=IngestSettings(client_certificate=True))
    app, car = await world.application(), await world.car()
    files = authority.issue()._replace(client_ca=authority.ca_file)
    body = [{"vehicle": car.id, **ITEM}]
    async with served(world.served, tls=files) as serving:
        async with client(serving, authority.trusting()) as plain:
            refused = await plain.post("/ingest/readings", json=body, headers=app.headers)
            assert (refused.status_code, "tls_client_ca" in refused.text) == (403, True)
            spoofed = {**app.headers, "X-Forwarded-Client-Cert": "By=x", "SSL-Client-Verify": "SUCCESS"}
            assert (await plain.post("/ingest/tesla", json={}, headers=spoofed)).status_code == 403
            path = f"/v3/vehicles/{car.id}"
            assert (await plain.get(path, headers=app.headers)).status_code == 200, "reads need none"
        async with client(serving, authority.trusting(authority.issue("collector", "own"))) as certified:
            assert (await certified.post("/ingest/readings", json=body, headers=app.headers)).status_code == 200
            assert (await certified.post("/ingest/readings", json=body)).status_code == 401, "a token is needed all the same"
        (tmp_path / "other").mkdir()
        stranger = Authority(tmp_path / "other").issue("collector", "strange")
        async with client(serving, authority.trusting(stranger)) as foreign:
            with pytest.raises(httpx.TransportError):
                await foreign.post("/ingest/readings", json=body, headers=app.headers)
    await world.close()


def test_settings_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="both, or neither"):
        _ = ServerSettings(tls_certificate="a.pem").tls
    with pytest.raises(SettingError, match="tls_client_ca needs"):
        _ = ServerSettings(tls_client_ca="ca.pem").tls
    with pytest.raises(StartError, match="Can't answer over TLS"):
        TlsFiles(str(tmp_path / "a"), str(tmp_path / "b")).context()


@pytest.mark.parametrize(("host", "warns"), HOSTS)
async def test_links_that_follow_a_name_of_the_request_are_warned_of_once(
    world: World, app: object, caplog: pytest.LogCaptureFixture, host: str, warns: bool
) -> None:
    del app
    assert isinstance(world.served, WebApp)
    for _ in range(2):
        await world.client.get("/v3/vehicles", headers={"Host": host})
    reported = [each for each in caplog.messages if "server.base_url" in each]
    assert len(reported) == int(warns)


async def test_no_warning_where_the_address_is_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World.open(tmp_path, server=ServerSettings(base_url="https://cars.example.org"))
    await world.client.get("/v3/vehicles", headers={"Host": "evil.example"})
    assert not [each for each in caplog.messages if "server.base_url" in each]
    await world.close()
