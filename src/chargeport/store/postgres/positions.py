"""Positions in the feed: the number of the transaction that stored a change, and the number of the change in it.

A sequence does not suffice: a transaction that took its numbers early may commit late, after a reader has passed them.
PostgreSQL has a list of the transactions in progress. What is before the oldest of these is complete and does not change:
there the feed ends. A number that counts inside one transaction needs no lock and no key that all vehicles share.
"""

from typing import Any, Final

CHANGES_BITS: Final = 20  # of one transaction; three for each entry of a group at the most


def _from(transaction: str) -> str:
    """Return the SQL of the position at which a transaction begins.

    A query of its own, of a table that is not distributed: so on Citus the server that gives the numbers computes it.
    """
    return f"(SELECT ({transaction}::text::bigint + value) << {CHANGES_BITS} FROM sequences WHERE name = 'epoch')"


FIRST: Final = _from("pg_current_xact_id()")
"""A number below every position of this transaction, which has a number from now on."""
END: Final = _from("pg_snapshot_xmin(pg_current_snapshot())")
"""Everything that is stored later has a greater position; all changes with smaller ones are stored."""

# A server to which this database was moved by a dump counts its transactions from the beginning, and a migration brings
# positions of another database. Then `epoch` closes the gap.
NEWEST: Final = "SELECT coalesce(max(position), 0) FROM history"
_NEXT: Final = _from("pg_snapshot_xmax(pg_current_snapshot())")
_SHIFT: Final = (
    "UPDATE sequences SET value = greatest(value,"
    f" ($1::bigint >> {CHANGES_BITS}) + 1 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint) WHERE name = 'epoch'"
)


async def shift(raw: Any) -> None:
    """Make new positions greater than all stored ones.

    On the server that stored them they are. There `epoch` must not change: with another one the feed would end behind
    transactions that have their number and are still in progress.
    """
    newest = await raw.fetchval(NEWEST)
    if newest >= await raw.fetchval(f"SELECT {_NEXT}"):
        await raw.execute(_SHIFT, newest)
