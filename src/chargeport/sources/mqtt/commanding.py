"""Commands by MQTT: the topics by which evcc is told what a loadpoint is to do."""

from collections.abc import Sequence
from typing import Final

from chargeport.sources.base import Command

PLACE: Final = "loadpoints/"  # how a loadpoint is called, with its number
_WORDS: Final = {"charge-start": ("mode", "now"), "charge-stop": ("mode", "off"), "charge-set-limit": ("limitSoc", "")}


def wish(command: Command, dialect: str, filters: Sequence[str]) -> tuple[str, str] | None:
    """Return topic and payload for evcc; None where this is no car at a loadpoint, or nothing that evcc can do."""
    places = sorted(name for name in command.names if name.startswith(PLACE))
    roots = [each.partition(PLACE)[0] for each in filters if PLACE in each]
    if dialect != "evcc" or not places or not roots or command.kind not in _WORDS:
        return None
    field, word = _WORDS[command.kind]
    return f"{roots[0]}{places[0]}/{field}/set", word or str(command.parameters["percent"])
