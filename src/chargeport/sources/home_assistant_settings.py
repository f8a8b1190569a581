"""The settings of a Home Assistant source."""

from typing import Annotated

import msgspec
from msgspec import Meta


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
            description='By vehicle: entity ids, or how they begin with a "*" at the end. No other entity is handed on.',
        ),
    ]
    ca_file: Annotated[str | None, Meta(description="Certificates that its own is checked against, as PEM.")] = None
