"""The settings of a NATS source."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class NatsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A NATS server, and the stream to read from."""

    servers: Annotated[
        str, Meta(min_length=1, description="nats://HOST:PORT or tls://HOST:PORT of one or more, with commas.")
    ] = "nats://127.0.0.1:4222"
    stream: Annotated[str, Meta(min_length=1, pattern=r"^[^\s.*>/\\]+$", description="The JetStream stream.")]
    subjects: Annotated[list[str], Meta(description="Only these subjects of it, * and > allowed; all, if none is named.")] = []
    durable: Annotated[
        str,
        Meta(
            min_length=1, pattern=r"^[^\s.*>/\\]+$", description="The consumer's name; processes that share it share the work."
        ),
    ] = "chargeport"
    start: Annotated[Literal["all", "new"], Meta(description="Where a durable that does not exist yet begins.")] = "all"
    batch: Annotated[int, Meta(ge=2, le=10_000, description="Messages that are stored and acknowledged at once, at most.")] = (
        500
    )
    max_ack_pending: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Unacknowledged messages of all its processes, at most.")
    ] = 5000
    ack_wait_s: Annotated[
        float, Meta(ge=1, le=3600, description="When an unacknowledged message is delivered again, in seconds.")
    ] = 30
    user: Annotated[str | None, Meta(description="User name.")] = None
    password: Annotated[str | None, Meta(description="Its password, env:NAME or file:PATH.")] = None
    token: Annotated[str | None, Meta(description="A token instead, env:NAME or file:PATH.")] = None
    credentials_file: Annotated[str | None, Meta(description="A .creds file instead.")] = None
    ca_file: Annotated[str | None, Meta(description="Certificates that the server's is checked against, as PEM.")] = None
