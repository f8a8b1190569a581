"""The vehicles named by the entries of a commit group, and who may write to them: looked up once a group."""

from collections.abc import Collection
from typing import Final

import apsw

from chargeport.store.sqlite.engine import Connection, fetch
from chargeport.store.tables import rows

_KEYS: Final = "SELECT reference, vehicle_key FROM carray(?) CROSS JOIN vehicle_references ON reference = carray.value"
_KEY: Final = "SELECT reference, vehicle_key FROM vehicle_references WHERE reference = ?"
_NUL: Final = "\0"  # ends a text in an array, and nowhere else


class Names:
    """`store.tables.merge.Naming` on SQLite."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._writable: dict[tuple[str, int], bool] = {}

    def keys(self, references: Collection[str]) -> dict[str, int]:
        """Return the keys of the vehicles with these names; unknown names have none."""
        plain = tuple(sorted(name for name in references if _NUL not in name))
        found = fetch(self._connection, _KEYS, (apsw.carray(plain),)) if plain else []
        for name in references:
            if _NUL in name:
                found += fetch(self._connection, _KEY, (name,))
        return dict(found)

    def may_write(self, client_id: str, vehicle_key: int) -> bool:
        """Return whether an application has a connection to the vehicle that allows it to write."""
        known = self._writable.get((client_id, vehicle_key))
        if known is None:
            found = fetch(self._connection, f"{rows.WRITING} ?", (client_id, vehicle_key))
            known = self._writable[client_id, vehicle_key] = bool(found)
        return known
