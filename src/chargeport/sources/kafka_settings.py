"""The settings of a Kafka source."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Kafka cluster, and what is read there."""

    bootstrap_servers: Annotated[str, Meta(min_length=1, description="HOST:PORT of one broker or more, with commas.")]
    subscribe: Annotated[
        list[Annotated[str, Meta(min_length=1)]],
        Meta(min_length=1, description='Kafka topics; one that begins with "^" is a regular expression.'),
    ]
    group: Annotated[str, Meta(min_length=1, description="Consumer group; processes that share it share the work.")] = (
        "chargeport"
    )
    start: Annotated[Literal["earliest", "latest"], Meta(description="Where a group that has read nothing yet begins.")] = (
        "earliest"
    )
    vehicle_from_key: Annotated[bool, Meta(description="A message's key is the vehicle (Tesla: the VIN).")] = True
    observed_from_timestamp: Annotated[
        bool,
        Meta(description="A message's timestamp is when the car observed it; else only times in the message itself count."),
    ] = False
    batch: Annotated[int, Meta(ge=1, le=100_000, description="Messages that are stored and committed at once, at most.")] = 500
    properties: Annotated[
        dict[str, str | bool | int | float],
        Meta(description="librdkafka's own settings, such as security.protocol; a text may be env:NAME or file:PATH."),
    ] = {}
