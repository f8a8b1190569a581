"""Databases to measure on: many vehicles with a value for each of the 21 charge signals, made in bulk.

The rows are those that ingest would have written. A read touches `latest` only; with `runs` each series has a history, as it is
in steady state: as many of the newest runs wait in `recent` as on a server that is always busy; the feed has its full length.
"""

import random
import time
import uuid
from pathlib import Path

import msgspec

from chargeport.api.access import hashed
from chargeport.derivation.queue import Progress
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_KEY, CATALOGUE
from chargeport.signals.definition import Kind, Value
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store.sqlite.engine import connect
from chargeport.store.sqlite.migrations import migrate
from chargeport.store.sqlite.moving import FEED_CHANGES, MAX_RECENT
from chargeport.store.tables.keys import slot_of

CLIENT, TOKEN = "client_benchmark", "cpt_benchmark_token"
SIGNALS = [signal for signal in CATALOGUE if signal.group == "Charge"]
CHUNK = 2_000
MAX_SIGNALS = 32
MINUTE_MS = 60_000
DERIVED_MS = 120_000  # the least age of a value: at a start derivation looks a minute further back than where it was


def vehicle_ids(count: int, seed: int = 1) -> list[str]:
    """Return the ids of the vehicles, the same at every call."""
    draw = random.Random(seed)
    return sorted(str(uuid.UUID(int=draw.getrandbits(128), version=4)) for _ in range(count))


def build(
    path: Path, count: int, age_s: int = 0, *, source_name: str = "benchmark", runs: int = 1, fresh_s: float | None = None
) -> list[str]:
    """Make a database of `count` vehicles, whose values are `age_s` old, unless it is there already, whole; the vehicles' ids.

    One whose values stand for less than `fresh_s` is made anew. With more than one run a series changed every minute before; so
    many of its runs are in history.
    """
    ids = vehicle_ids(count)
    if path.exists() and (fresh_s is None or _age_s(path) < LIVE_FOR_MS / 1000 - fresh_s):
        return ids
    made = path.with_suffix(".part")
    for old in (Path(f"{file}{part}") for file in (path, made) for part in ("", "-wal", "-shm")):
        old.unlink(missing_ok=True)
    connection = connect(made, create=True)
    migrate(connection, made)
    connection.execute("PRAGMA synchronous = OFF")
    now = int((time.time() - age_s) * 1000) - DERIVED_MS
    values = [(signal.key, bodies.parse(signal, signal.example)) for signal in SIGNALS]
    permissions = "read_battery read_charge read_charge_locations read_charge_records write_readings"
    with connection:
        connection.execute("INSERT INTO sources (name) VALUES (?)", (source_name,))
        source = connection.last_insert_rowid()
        connection.execute(
            "INSERT INTO applications (client_id, name, secret_hash, management_token, permissions, connected_only, created_at)"
            " VALUES (?,'b',x'00','t',?,0,?)",
            (CLIENT, permissions, now),
        )
        connection.execute(
            "INSERT INTO tokens (token_hash, client_id, expires_at) VALUES (?,?,?)",
            (hashed(TOKEN), CLIENT, now + 10 * 365 * 86_400_000),
        )
        for start in range(0, count, CHUNK):
            part = list(enumerate(ids[start : start + CHUNK], start + 1))
            connection.executemany(
                "INSERT INTO vehicles (id, key, make, model, year, powertrain, mode, aliases, created_at)"
                " VALUES (?,?,'ACME','Bolt One',2026,'BEV','live','[]',?)",
                [(name, key, now) for key, name in part],
            )
            connection.executemany("INSERT INTO vehicle_references VALUES (?,?)", [(name, key) for key, name in part])
            connection.executemany(
                "INSERT INTO latest (slot, value, observed_at, changed_at, received_at, position, run_at)"
                " VALUES (?,?,?,?,?,?,?)",
                [
                    (slot_of(key, signal_key, source), value, now, now, now, _position(key, signal_key, runs - 1, count), now)
                    for key, _ in part
                    for signal_key, value in values
                ],
            )
            if runs > 1:
                connection.executemany(
                    "INSERT INTO settled (vehicle_key, signal_key, source_key, observed_at, position, lag, value)"
                    " VALUES (?,?,?,?,?,400,?)",
                    (
                        (key, signal_key, source, now - (runs - 1 - run) * MINUTE_MS, _position(key, signal_key, run, count),
                         value if run == runs - 1 else _before(signal_key, run))
                        for key, _ in part
                        for signal_key, value in values
                        for run in range(runs)
                    ),
                )  # fmt: skip
        last = _position(count, MAX_SIGNALS, runs - 1, count)
        floor = last if runs == 1 else max(0, last - FEED_CHANGES)
        connection.executemany(
            "UPDATE sequences SET value = ? WHERE name = ?", [(count, "vehicle"), (last, "position"), (floor, "feed")]
        )
        if runs > 1:
            connection.execute(
                "INSERT INTO feed (position, slot, observed_at) SELECT position, (vehicle_key << 28) + (signal_key << 20)"
                " + source_key, observed_at FROM settled WHERE position > ? ORDER BY position",
                (floor,),
            )
            waiting = last - 2 * MAX_RECENT * MAX_SIGNALS // len(SIGNALS)
            connection.execute("INSERT INTO recent SELECT * FROM settled WHERE position > ?", (waiting,))
            connection.execute("DELETE FROM settled WHERE position > ?", (waiting,))
        # As derivation leaves it: a server would work for minutes on what it takes for new, and that is not measured here.
        derived = msgspec.json.encode(Progress(last, now + DERIVED_MS)).decode()
        connection.execute("INSERT INTO remembered VALUES ('derivation','progress',?)", (derived,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    made.rename(path)
    return ids


def _before(signal_key: int, run: int) -> Value:
    """Return what a series said before, in a form that its signal has."""
    match BY_KEY[signal_key].kind:
        case Kind.QUANTITY | Kind.COUNT:
            return run
        case Kind.FLAG:
            return run % 2
    return f"STATE {run}"


def _position(vehicle_key: int, signal_key: int, run: int, vehicles: int) -> int:
    """Where in the feed a run is: all series changed one after the other, then all of them again."""
    return (run * vehicles + vehicle_key - 1) * MAX_SIGNALS + signal_key


def _age_s(path: Path) -> float:
    """How old the values of a database are that was built."""
    connection = connect(path)
    made_at: int = connection.execute("SELECT max(created_at) FROM applications").fetchall()[0][0]
    connection.close()
    return time.time() - made_at / 1000
