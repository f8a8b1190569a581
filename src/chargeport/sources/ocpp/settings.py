"""The settings of the central system: the stations that may connect, and the cars of connectors and cards."""

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from chargeport.sources.base import Cause, SourceError

DEFAULT_MEASURANDS: Final = (
    "Energy.Active.Import.Register",  # first: a station that accepts only a few accepts the first ones
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "Current.Offered",
    "Power.Offered",
    "SoC",
)

Connector = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,4}$")]
Vehicle = Annotated[str, Meta(min_length=1)]
SecurityProfile = Literal[0, 1, 2, 3]


class StationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one station."""

    password: Annotated[str | None, Meta(description="The station's password; or env:NAME or file:PATH.")] = None
    security_profile: Annotated[SecurityProfile | None, Meta(description="Its own security profile.")] = None
    connectors: Annotated[
        dict[Connector, Vehicle],
        Meta(description="The car that always uses a connector (OCPP 2: an EVSE), by the connector's number."),
    ] = {}
    id_tags: Annotated[dict[str, Vehicle], Meta(description="Cards that this station accepts, and the car of each.")] = {}
    zone: Annotated[str | None, Meta(description="Its own time zone.")] = None


class OcppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The central system."""

    stations: Annotated[dict[str, StationSettings], Meta(description="The stations, by their identity.")] = {}
    id_tags: Annotated[dict[str, Vehicle], Meta(description="Cards that every station accepts, and the car of each.")] = {}
    password: Annotated[
        str | None,
        Meta(description="The password of stations that have none of their own; or env:NAME or file:PATH."),
    ] = None
    security_profile: Annotated[
        SecurityProfile,
        Meta(description="0: nothing, for a trusted network; 1: a password; 2: a password, over TLS only; 3: a certificate."),
    ] = 1
    zone: Annotated[
        str | None, Meta(description="Time zone of charge schedules, such as Europe/Berlin; without one there are none.")
    ] = None
    accept_unknown_stations: Annotated[bool, Meta(description="Accept stations that are not listed, too.")] = False
    accept_unknown_tags: Annotated[bool, Meta(description="Let every card charge; else those listed only.")] = False
    heartbeat_s: Annotated[int, Meta(ge=10, le=86_400, description="How often a silent station reports, in seconds.")] = 300
    sample_interval_s: Annotated[
        int, Meta(ge=1, le=3_600, description="How often a station measures while it charges, in seconds.")
    ] = 30
    measurands: Annotated[tuple[str, ...], Meta(min_length=1, description="The measurands, the most important first.")] = (
        DEFAULT_MEASURANDS
    )
    max_message_bytes: Annotated[
        int, Meta(ge=4_096, le=1 << 24, description="Size of one message; a station that sends more is cut off.")
    ] = 4_194_304  # an end with the samples of ten hours has two megabytes
    max_messages_per_s: Annotated[
        float, Meta(gt=0, le=10_000, description="Messages a second that are taken from one station; more have to wait.")
    ] = 20.0

    def zone_of(self, station: str) -> ZoneInfo | None:
        """Return the time zone of a station. Raises SourceError where there is none of this name."""
        name = self.stations.get(station, StationSettings()).zone or self.zone
        try:
            return None if name is None else ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise SourceError(Cause.CONFIGURATION, f"zone: {name!r} is no time zone, such as Europe/Berlin.") from None
