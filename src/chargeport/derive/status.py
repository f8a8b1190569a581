"""The meaning of a detailed charging status for charging and the cable; a text outside the list has none.

The evidence is in docs/evidence/charging.md, Flags.
"""

from typing import Final

ALWAYS_CHARGING: Final = frozenset({"CHARGING"})
NEVER_CHARGING: Final = frozenset(
    {
        "DISCONNECTED",
        "CONNECTED",
        "STARTING",
        "SCHEDULED",
        "SUSPENDED_BY_CAR",
        "SUSPENDED_BY_STATION",
        "NO_POWER",
        "STOPPED",
        "NOT_CHARGING",
        "FULLY_CHARGED",
        "DISCHARGING",
    }
)
CHARGING_WITH_POWER: Final = frozenset({"CONSERVING"})
"""The car is at its limit and recharges from time to time: the power decides."""

UNPLUGGED: Final = frozenset({"DISCONNECTED"})
WITHOUT_CABLE_STATE: Final = frozenset({"NOT_CHARGING"})
"""Sources that distinguish only charging and not charging report it with and without a cable."""


def is_charging(status: str, power_w: float | None) -> bool | None:
    """Return whether the battery receives energy; None where the status does not decide it."""
    status = status.upper()
    if status in CHARGING_WITH_POWER:
        return None if power_w is None else power_w > 0
    if status in ALWAYS_CHARGING:
        return True
    return False if status in NEVER_CHARGING else None


def is_cable_connected(status: str) -> bool | None:
    """Return whether a cable is connected; None where the status does not decide it."""
    status = status.upper()
    if status in UNPLUGGED:
        return False
    known = (ALWAYS_CHARGING | NEVER_CHARGING | CHARGING_WITH_POWER) - WITHOUT_CABLE_STATE
    return True if status in known else None
