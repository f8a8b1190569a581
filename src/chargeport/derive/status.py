"""What a detailed charging status says about charging and the cable; texts outside the list say nothing.

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
"""At the limit, topping off now and then."""

UNPLUGGED: Final = frozenset({"DISCONNECTED"})
SILENT_ABOUT_CABLE: Final = frozenset({"NOT_CHARGING"})
"""Said with and without a cable by sources that tell apart no more than charging and not."""


def is_charging(status: str, power_w: float | None) -> bool | None:
    """Whether the battery receives energy; None where the status does not say."""
    status = status.upper()
    if status in CHARGING_WITH_POWER:
        return None if power_w is None else power_w > 0
    if status in ALWAYS_CHARGING:
        return True
    return False if status in NEVER_CHARGING else None


def is_cable_connected(status: str) -> bool | None:
    """Whether a cable is in the port; None where the status does not say."""
    status = status.upper()
    if status in UNPLUGGED:
        return False
    known = (ALWAYS_CHARGING | NEVER_CHARGING | CHARGING_WITH_POWER) - SILENT_ABOUT_CABLE
    return True if status in known else None
