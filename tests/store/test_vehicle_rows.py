"""Vehicles as they are read: many are remembered, so what is equal in them is there once."""

from chargeport.store.tables import rows


def row(number: int) -> tuple[object, ...]:
    """A row as the database gives it: every text in it is an object of its own."""
    make, model, powertrain, mode = ("".join(each) for each in (["AC", "ME"], ["Bolt", " One"], ["B", "EV"], ["li", "ve"]))
    return (f"car-{number}", make, model, int("2026"), None, powertrain, mode, "[]", number)


def test_vehicles_with_equal_facts_share_them() -> None:
    one, other = rows.vehicle(row(1)), rows.vehicle(row(2))
    assert (one.id, other.id) == ("car-1", "car-2")
    assert (one.make, one.model, one.year, one.powertrain, one.mode) == ("ACME", "Bolt One", 2026, "BEV", "live")
    assert all(getattr(one, fact) is getattr(other, fact) for fact in ("make", "model", "year", "powertrain", "mode"))
