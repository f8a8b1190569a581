"""The desired settings of a station: read them, and write once those that differ.

Stations store settings in flash, and some restart after a change. So a correct setting is not written, and a written one is
remembered: it is not written again each time the station connects, even if the station does not report it, or reports an old
value. A station that does not know one measurand of a list refuses the whole list; then the measurands are tried one by one.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from chargeport.sources.ocpp.station_connection import StationConnection
from chargeport.sources.ocpp.transactions import StationMemory, Written

AGAIN_AFTER_MS: Final = 86_400_000
"""A station that reports another value than it accepted has lost it: after this time it is written again."""


class Outcome(Enum):
    """The outcome of writing a setting."""

    TAKEN = "taken"
    REFUSED = "refused"  # this value
    UNKNOWN = "unknown"  # the station does not have the setting


class DesiredSetting(NamedTuple):
    """A setting of a station and its desired values: a number, or measurands; the station may have others, too."""

    name: str
    wanted: Sequence[str]


class Configurable(Protocol):
    """Access to a station's settings in its version of OCPP."""

    async def values(self, connection: StationConnection, names: Sequence[str]) -> Mapping[str, str] | None:
        """Return the settings, as far as the station reports them; None where it does not reply."""
        ...

    async def change(self, connection: StationConnection, name: str, value: str) -> Outcome | None:
        """Write a setting and return the outcome; None where the station does not reply."""
        ...


async def apply_settings(
    connection: StationConnection, settings: Configurable, desired: Sequence[DesiredSetting], memory: StationMemory, now: int
) -> None:
    """Write the desired settings, as far as the station accepts them; not while it restarts again and again."""
    if memory.is_looping():
        return
    present = await settings.values(connection, [setting.name for setting in desired]) or {}
    for setting in desired:
        shown = present.get(setting.name)
        if not _is_right(setting, shown, memory.written.get(setting.name), now):
            taken = await _write(connection, settings, setting, is_known=shown is not None)
            if taken is None:
                return  # it does not reply
            await memory.store_setting(setting.name, Written(",".join(setting.wanted), taken, now))


def _is_right(setting: DesiredSetting, shown: str | None, written: Written | None, now: int) -> bool:
    """Return whether a setting has its desired values, or those of them that the station accepted."""
    if shown is not None and set(setting.wanted) <= _listed(shown):
        return True
    if written is None or written.wanted != ",".join(setting.wanted):
        return False
    is_lost = shown is not None and _listed(shown) != _listed(written.taken)
    return not is_lost or now - written.at < AGAIN_AFTER_MS


async def _write(
    connection: StationConnection, settings: Configurable, setting: DesiredSetting, *, is_known: bool
) -> str | None:  # fmt: skip
    """Write a setting and return what the station accepted; None without a reply. A refused list is tried value by value.

    `is_known`: the station has shown the setting, so that it refuses the value, whatever it replies.
    """
    value = ",".join(setting.wanted)
    outcome = await settings.change(connection, setting.name, value)
    if outcome is None or outcome is Outcome.TAKEN:
        return value if outcome else None
    taken: list[str] = []
    is_refused = is_known or outcome is Outcome.REFUSED
    for each in setting.wanted if is_refused and len(setting.wanted) > 1 else ():
        # After a refusal the last accepted list stays valid.
        outcome = await settings.change(connection, setting.name, ",".join([*taken, each]))
        if outcome is None:
            return None
        if outcome is Outcome.TAKEN:
            taken.append(each)
    return ",".join(taken)


def _listed(value: str) -> set[str]:
    return {part.strip() for part in value.split(",")}
