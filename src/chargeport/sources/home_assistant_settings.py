"""The settings of a Home Assistant source."""

from typing import Annotated

import msgspec
from msgspec import Meta

_Control = Annotated[str, Meta(pattern=r"^(switch|input_boolean|button|input_button|script)\.[a-z0-9_]+$")]


class Controls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The entities through which a car is commanded. Commands without a named entity are not supported."""

    start: Annotated[
        _Control | None, Meta(description="Starts: a switch or input_boolean (on), a button, input_button or script.")
    ] = None
    stop: Annotated[_Control | None, Meta(description="Stops: a switch or input_boolean (off), a button or script.")] = None
    limit: Annotated[
        Annotated[str, Meta(pattern=r"^(number|input_number|script)\.[a-z0-9_]+$")] | None,
        Meta(description="The limit in percent: a number or input_number, or a script with the variable percent."),
    ] = None
    schedule: Annotated[
        Annotated[str, Meta(pattern=r"^script\.[a-z0-9_]+$")] | None,
        Meta(description="Schedules: a script with the variables schedule_id and windows, [] where one is removed."),
    ] = None


class HomeAssistantSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Home Assistant, and which of its entities belong to which car."""

    url: Annotated[
        str, Meta(pattern=r"^(https?|wss?)://\S+$", description="Its address, such as http://homeassistant.local:8123.")
    ]
    token: Annotated[str, Meta(min_length=1, description="A long-lived access token, env:NAME or file:PATH.")]
    entities: Annotated[
        dict[str, list[Annotated[str, Meta(pattern=r"^[a-z_]+\.[a-z0-9_]+\*?$")]]],
        Meta(
            min_length=1,
            description='By vehicle: entity ids, or prefixes that end in "*". No other entity is passed on.',
        ),
    ]
    ca_file: Annotated[str | None, Meta(description="Certificates that its own is checked against, as PEM.")] = None
    commands: Annotated[
        dict[str, Controls],
        Meta(description="By vehicle: the entities `start`, `stop`, `limit` and `schedule` that commands go to."),
    ] = {}
