"""Secrets that have to be used again are encrypted at rest, and their key is replaced while the server runs."""

from pathlib import Path

import pytest

from chargeport import config
from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.errors import SettingError, StoreError
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, Settings
from chargeport.signals.definition import READS
from chargeport.store.encryption import Encryption
from chargeport.store.sqlite import SqliteStore

OLD, NEW = "0123456789abcdef" * 2, "fedcba9876543210" * 2


class Keys:
    """A file of keys, as it is now."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __call__(self) -> str | None:
        return self.text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cars.db"


def opened(path: Path, keys: Keys) -> SqliteStore:
    return SqliteStore.open(path, encryption=Encryption(keys))


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.name.startswith(path.name))


async def token_of(store: SqliteStore, client_id: str) -> str:
    found = await store.access.application(client_id)
    assert found is not None
    return found[0].management_token


async def test_no_secret_stands_in_the_database_in_clear(path: Path) -> None:
    store = opened(path, Keys(OLD))
    access = Access(store, SystemClock())
    application, secret = await access.register("App", READS)
    token = await access.issue_token(application)
    assert await token_of(store, application.client_id) == application.management_token
    renewed = await access.rotate(application.client_id)
    assert renewed is not None
    assert await token_of(store, application.client_id) == renewed[1]
    for each in (secret, token, application.management_token, *renewed, OLD):
        assert each.encode() not in bytes_of(path)
    await store.close()
    assert b"cpm_" not in bytes_of(path)


async def test_what_was_stored_before_there_was_a_key_is_encrypted_when_the_server_starts(path: Path, tmp_path: Path) -> None:
    store = opened(path, Keys(None))
    application, _ = await Access(store, SystemClock()).register("App", READS)
    await store.close()
    assert application.management_token.encode() in bytes_of(path)
    (tmp_path / "key").write_text(f"{OLD}\n")
    settings = Settings(database=DatabaseSettings(f"sqlite:///{path}", key=f"file:{tmp_path / 'key'}"))
    service = Service.open(settings)
    await service.start()
    await service.close()
    assert application.management_token.encode() not in bytes_of(path)
    again = SqliteStore.open(path, encryption=config.encryption(settings))
    assert await token_of(again, application.client_id) == application.management_token
    await again.close()


async def test_a_key_is_replaced_while_the_server_runs(path: Path) -> None:
    keys = Keys(OLD)
    server, command = opened(path, keys), opened(path, keys)
    application, _ = await Access(server, SystemClock()).register("App", READS)
    keys.text = f"{NEW} {OLD}"
    assert await command.access.encrypt_anew() == 1
    assert await token_of(server, application.client_id) == application.management_token
    keys.text = NEW
    later, _ = await Access(server, SystemClock()).register("Later", READS)
    for store in (server, command, only_new := opened(path, keys)):
        for each in (application, later):
            assert await token_of(store, each.client_id) == each.management_token
    for store in (server, command, only_new):
        await store.close()


@pytest.mark.parametrize("keys", [None, NEW])
async def test_without_the_right_key_nothing_starts(path: Path, keys: str | None, tmp_path: Path) -> None:
    store = opened(path, Keys(OLD))
    await Access(store, SystemClock()).register("App", READS)
    await store.close()
    (tmp_path / "key").write_text(keys or "")
    named = None if keys is None else f"file:{tmp_path / 'key'}"
    service = Service.open(Settings(database=DatabaseSettings(f"sqlite:///{path}", key=named)))
    with pytest.raises(StoreError, match=r"encrypted with another key: .*database\.key"):
        await service.start()
    await service.close()


@pytest.mark.parametrize(
    ("named", "why"),
    [("env:CHARGEPORT_NOWHERE", "no variable"), ("file:/nowhere/key", "can't be read"), ("too short", "32 characters")],
)
def test_a_key_that_is_none_is_told_with_the_setting(path: Path, named: str, why: str) -> None:
    with pytest.raises(SettingError, match=rf"database\.key.*{why}"):
        Service.open(Settings(database=DatabaseSettings(f"sqlite:///{path}", key=named)))
