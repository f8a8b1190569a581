"""A vehicle in texts and in JSON of the commands: what it is called, its facts, and what is erased with it."""

from typing import Any, Final

from chargeport.store.records import Vehicle

ERASED: Final = {
    "latest": "latest values", "history": "runs of history", "sessions": "charging sessions", "edits": "edits of sessions",
    "connections": "connections", "names": "names", "issues": "issues",
    "hours": "hours of older history", "events": "events for webhooks", "audited": "mentions in the audit log",
    "notes": "notes of sources", "commands": "commands",
}  # fmt: skip
UNWIPED: Final = "Bytes of it may stay in the file's free space until something is erased without --no-rewrite."
TRACES: Final = (
    "Somebody reads an older state of the database: bytes of it stay in the log until that ends and the server stops."
)


def described(vehicle: Vehicle) -> str:
    """Return make, model and year of a vehicle, as far as they are known."""
    return " ".join(str(part) for part in (vehicle.make, vehicle.model, vehicle.year) if part) or "a vehicle"


def called(vehicle: Vehicle) -> str:
    """Return its name in as few words as there are: make and model, else VIN, else id."""
    return " ".join(part for part in (vehicle.make, vehicle.model) if part) or vehicle.vin or vehicle.id


def recognised(vehicle: Vehicle) -> str:
    """Return what a person recognises it by: what it is, and its VIN, else its first alias, else its id."""
    return f"{described(vehicle)} ({vehicle.vin or next(iter(vehicle.aliases), vehicle.id)})"


def fields(vehicle: Vehicle) -> dict[str, Any]:
    """Return what is known of the vehicle itself."""
    from chargeport.wire.envelope import iso

    return {
        "id": vehicle.id, "vin": vehicle.vin, "aliases": list(vehicle.aliases), "make": vehicle.make, "model": vehicle.model,
        "year": vehicle.year, "powertrain": vehicle.powertrain, "mode": vehicle.mode, "created_at": iso(vehicle.created_at),
    }  # fmt: skip
