"""Commands by MQTT: the topics that control a loadpoint of evcc."""

from collections.abc import Sequence
from typing import Final

from chargeport.sources.base import Command, CommandError

PLACE: Final = "loadpoints/"  # the topic of a loadpoint, followed by its number
_WORDS: Final = {"charge-start": ("mode", "now"), "charge-stop": ("mode", "off"), "charge-set-limit": ("limitSoc", "")}


def wish(command: Command, dialect: str, filters: Sequence[str]) -> tuple[str, str] | None:
    """Return topic and payload for evcc; None if the car is at no loadpoint. Raises CommandError: evcc does not support it."""
    places = sorted(name for name in command.names if name.startswith(PLACE))
    roots = [each.partition(PLACE)[0] for each in filters if PLACE in each]
    if dialect != "evcc" or not places or not roots:
        return None
    if command.kind not in _WORDS:
        # A plan (planSoc, repeatingPlans) sets by when a car is to be ready; outside of it the mode charges as before.
        sentence = "evcc has modes, and plans by when a car is to be ready, but no windows of time in which alone it charges."
        raise CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", sentence)
    field, word = _WORDS[command.kind]
    return f"{roots[0]}{places[0]}/{field}/set", word or str(command.parameters["percent"])
