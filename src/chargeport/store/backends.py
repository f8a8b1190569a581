"""Open the database of a URL. PostgreSQL's driver is loaded only where it is used: it is an extra."""

from collections.abc import Callable

from chargeport.errors import StartError
from chargeport.store.encryption import Encryption
from chargeport.store.protocols import Store
from chargeport.store.urls import database_file, is_missing, is_server, missing


def open_store(
    url: str,
    ring: Callable[[], None] = lambda: None,
    *,
    anew: bool = False,
    create: bool = True,
    encryption: Encryption | None = None,
) -> Store:
    """Open the database of a URL and migrate it. `ring` is called after each commit; `encryption` encrypts secrets.

    If a database file was removed, an empty one is created only with `anew`; without `create` never. Raises StartError,
    SchemaError, SettingError.
    """
    if is_server(url):
        require_driver()
        from chargeport.store.postgres import PostgresStore

        return PostgresStore.open(url, ring, create=create, encryption=encryption)
    if not create and is_missing(url):
        raise missing(url)
    from chargeport.store.sqlite import SqliteStore

    return SqliteStore.open(database_file(url), ring, anew=anew, encryption=encryption)


def require_driver() -> None:
    """Raise StartError if the driver of PostgreSQL is not installed."""
    try:
        import asyncpg  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        raise StartError("PostgreSQL needs the package asyncpg: pip install 'chargeport[postgres]'.") from None
