"""Convert rows to records: the columns of each table, in the order in which they are read."""

import json
from functools import lru_cache
from typing import Any, Final

from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Kind, Permission, Value
from chargeport.signals.reading import AbsenceReason
from chargeport.store.records import Application, Change, Connection, Vehicle
from chargeport.store.tables.keys import SERIES

VEHICLE: Final = "v.id, v.make, v.model, v.year, v.vin, v.powertrain, v.mode, v.aliases, v.created_at"
STATE: Final = (  # the first is the signal and the source: see `Named`
    f"l.slot & {SERIES}, l.value, l.observed_at, l.changed_at, l.received_at, l.position, l.absence, l.absence_at,"
    " l.absence_received_at, l.rule_key"
)
_PREVIOUS: Final = "FROM previous_management_tokens p WHERE p.client_id = applications.client_id"
APPLICATION: Final = (
    "client_id, name, permissions, connected_only, management_token, created_at, revoked_at,"
    f" (SELECT token {_PREVIOUS}), (SELECT valid_until {_PREVIOUS})"
)
CONNECTION: Final = f"c.id, c.client_id, c.user_id, c.permissions, c.created_at, {VEHICLE}"

WRITING: Final = (  # of an application and the key of a vehicle
    "SELECT 1 FROM connections WHERE ' ' || permissions || ' ' LIKE '% write_readings %' AND client_id = ? AND vehicle_key ="
)

_NO_ALIASES: Final = "[]"
FLAGS: Final = frozenset(signal.key for signal in BY_KEY.values() if signal.kind is Kind.FLAG)


@lru_cache(4096)
def _facts(*facts: Any) -> tuple[Any, ...]:
    """Return the same: equal facts share one object, because few differ and many vehicles are cached."""
    return facts


def vehicle(row: tuple[Any, ...]) -> Vehicle:
    """Return a vehicle from the columns of VEHICLE."""
    make, model, year, powertrain, mode = _facts(row[1], row[2], row[3], row[5], row[6])
    aliases = () if row[7] == _NO_ALIASES else tuple(json.loads(row[7]))
    return Vehicle(
        id=row[0], make=make, model=model, year=year, vin=row[4], powertrain=powertrain, mode=mode,
        aliases=aliases, created_at=row[8],
    )  # fmt: skip


def value(signal_key: int, stored: Any) -> Value | None:
    """Return a value in its original type; SQLite has no booleans."""
    if signal_key in FLAGS and stored is not None:
        return bool(stored)
    return stored  # type: ignore[no-any-return]


def change(row: tuple[Any, ...]) -> Change:
    """Return a change from position, vehicle id, signal key, observed_at, received_at, source name, value, absence, rule."""
    return Change(
        position=row[0],
        vehicle_id=row[1],
        signal=BY_KEY[row[2]],
        observed_at=row[3],
        received_at=row[4],
        source=row[5],
        value=value(row[2], row[6]),
        absence=None if row[7] is None else AbsenceReason(row[7]),
        rule=row[8],
    )


def permissions(text: str) -> frozenset[Permission]:
    """Return permissions from their column: names separated by spaces."""
    return frozenset(Permission(name) for name in text.split())


def permissions_text(granted: frozenset[Permission]) -> str:
    """Return the text of permissions for their column."""
    return " ".join(sorted(granted))


def application(row: tuple[Any, ...]) -> Application:
    """Return an application from the columns of APPLICATION."""
    return Application(
        client_id=row[0], name=row[1], permissions=permissions(row[2]), connected_only=bool(row[3]),
        management_token=row[4], created_at=row[5], revoked_at=row[6], previous_token=row[7], previous_until=row[8] or 0,
    )  # fmt: skip


def connection(row: tuple[Any, ...]) -> Connection:
    """Return a connection from the columns of CONNECTION."""
    return Connection(
        id=row[0], client_id=row[1], user_id=row[2], permissions=permissions(row[3]), created_at=row[4],
        vehicle=vehicle(row[5:]),
    )  # fmt: skip
