"""The meaning of a database URL: a file, or a PostgreSQL server."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from chargeport.errors import SettingError, StartError

_SCHEMES: Final = ("postgresql://", "postgres://")
_FILE: Final = "sqlite:///"


def is_server(url: str) -> bool:
    """Return whether a URL is that of a PostgreSQL database."""
    return url.startswith(_SCHEMES)


def database_file(url: str) -> Path:
    """Return the file of a database URL; a plain path is a file. Raises SettingError."""
    if url.startswith(_FILE):
        path = url.removeprefix(_FILE)
    elif "://" in url:
        raise SettingError(
            f"database.url: {url.split('://', maxsplit=1)[0]}:// is not supported: use sqlite:///FILE or postgresql://HOST/NAME."
        )
    else:
        path = url
    if not path or path.startswith(":"):
        raise SettingError("database.url: a file is wanted, such as sqlite:///chargeport.db.")
    return Path(path)


def shown(url: str) -> str:
    """Return the location of a database for messages: a file, or a URL without its password.

    >>> shown("postgresql://me:secret@db.example:5432/cars")
    'postgresql://db.example:5432/cars'
    """
    if not is_server(url):
        return str(database_file(url))
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_missing(url: str) -> bool:
    """Return whether a URL is that of a file that does not exist."""
    return not is_server(url) and not database_file(url).exists()


def missing(url: str) -> StartError:
    """Return the error for a database that does not exist."""
    what = f"{shown(url)} has no tables of Chargeport's" if is_server(url) else f"{shown(url)} does not exist"
    return StartError(
        f"The database {what}: name another with --database, CHARGEPORT_DATABASE or --config, "
        "or make it with chargeport migrate."
    )


def file_of(url: str, purpose: str, instead: str) -> Path:
    """Return the file of a database that has to be one. Raises StartError with what to do `instead` for PostgreSQL."""
    if is_server(url):
        raise StartError(f"{purpose} works on SQLite files, and the database is {shown(url)}: {instead}.")
    return database_file(url)
