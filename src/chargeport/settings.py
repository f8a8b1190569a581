"""All settings. Each struct is a table of `chargeport.toml`, each field a key with its type, bounds, default and meaning.

The reference in the docs is generated from them; `config` reads them from flags, the environment and the file.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from chargeport.errors import SettingError
from chargeport.signals.documents import Weekday
from chargeport.tls import TlsFiles


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the settings file."""


class ServerSettings(Table, frozen=True):
    """The address and the URL of the server."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 for any that is free.")] = 8080
    base_url: Annotated[
        str | None,
        Meta(description="Base URL of links, such as https://cars.example.org; else the host of the request."),
    ] = None
    trusted_proxies: Annotated[
        list[str],
        Meta(description="Addresses or networks of reverse proxies whose X-Forwarded-Proto and -Host are trusted."),
    ] = []
    tls_certificate: Annotated[str | None, Meta(description="PEM file: serve over TLS with this certificate.")] = None
    tls_key: Annotated[str | None, Meta(description="PEM file with the certificate's key.")] = None
    tls_client_ca: Annotated[
        str | None,
        Meta(description="PEM file: clients may send a certificate that this authority signed; others are served without one."),
    ] = None
    strict: Annotated[
        bool,
        Meta(description="Refuse reads of signals without `sc-user-id`, as Smartcar does."),
    ] = False
    log: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The lowest level that is logged.")] = "info"

    @property
    def tls(self) -> TlsFiles | None:
        """The files of the certificate, its key and the clients' authority. Raises SettingError where one is missing."""
        if (self.tls_certificate is None) is not (self.tls_key is None):
            raise SettingError("server: tls_certificate and tls_key are needed both, or neither.")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise SettingError(
                "server: tls_client_ca needs tls_certificate and tls_key, because clients send certificates over TLS."
            )
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_client_ca)


class LimitSettings(Table, frozen=True):
    """Limits of clients."""

    connections: Annotated[
        int, Meta(ge=8, le=1_000_000, description="Connections in total; fewer if the system's limit of open files is lower.")
    ] = 10_000
    connections_by_address: Annotated[
        int, Meta(ge=4, le=1_000_000, description="Connections of one address (of IPv6: of a /64), except trusted proxies.")
    ] = 2500
    streams_by_application: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Streams that one application may hold open.")
    ] = 2500
    requests_per_minute: Annotated[
        int,
        Meta(
            ge=0, le=1_000_000_000,
            description="Requests of one application a minute, except ingest and streams; 0: any number. Above this, the answer"
            " is 429. Each process counts separately.",
        ),
    ] = 0  # fmt: skip
    ingest_per_minute: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Requests of one application to /ingest a minute; 0: any number.")
    ] = 0
    streams_per_minute: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Streams that one application may open a minute; 0: any number.")
    ] = 0
    tokens_by_application: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Tokens of one application at once; the oldest ends for a new one."),
    ] = 1000
    unauthenticated_body_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576, le=1 << 34,
            description="Limit of the bytes of bodies that are being read from callers without a token, in total;"
            " a quarter of it for one address.",
        ),
    ] = 67_108_864  # fmt: skip
    wrong_credentials_per_minute: Annotated[
        int,
        Meta(
            ge=1, le=1_000_000,
            description="Wrong secrets of one application from one address; of one address, or of one application, five times"
            " as many; of different wrong tokens of one address, five times as many. Above this, the answer is 429.",
        ),
    ] = 10  # fmt: skip


class DatabaseSettings(Table, frozen=True):
    """The database."""

    url: Annotated[
        str,
        Meta(min_length=1, description="sqlite:///FILE, relative or absolute (four slashes), or postgresql://USER@HOST/NAME."),
    ] = "sqlite:///chargeport.db"
    key: Annotated[
        str | None,
        Meta(
            description="Encrypts the secrets that the server has to read (management tokens): `env:NAME` or `file:PATH`; keys"
            " of 32 characters or more, separated by white space. The first encrypts, all decrypt."
        ),
    ] = None


class BusSettings(Table, frozen=True):
    """How processes on one database wake each other when something was stored."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^((nats|tls)://.+)?$",
            description="nats://HOST:PORT, several with commas. Else PostgreSQL notifies; else each polls every second.",
        ),
    ] = ""


class IngestSettings(Table, frozen=True):
    """The acceptance of readings, and its limits."""

    auto_register: Annotated[
        bool, Meta(description="Add unknown vehicles when a UUID or a VIN is sent; else they are refused.")
    ] = False
    max_future_s: Annotated[
        float, Meta(ge=0, le=86_400, description="How far ahead of our clock an observation may be, in seconds.")
    ] = 300
    max_items: Annotated[int, Meta(ge=1, le=1_000_000, description="Items in one request to /ingest/readings.")] = 10_000
    max_bytes: Annotated[int, Meta(ge=1024, le=1 << 30, description="Size of one request's body, decompressed, in bytes.")] = (
        8_388_608
    )
    client_certificate: Annotated[
        bool, Meta(description="Accept readings over HTTP only from clients with a certificate of server.tls_client_ca.")
    ] = False
    record: Annotated[
        str | None, Meta(description="Folder in which messages pushed in a dialect are also stored, redacted, as recordings.")
    ] = None


class SmartcarSettings(Table, frozen=True):
    """Smartcar's own webhooks, received at POST /ingest/smartcar."""

    management_token: Annotated[
        str | None, Meta(description="Application management token: webhooks are signed with it. Without it none is accepted.")
    ] = None
    auto_register: Annotated[bool, Meta(description="Add unknown vehicles under Smartcar's ids.")] = False


class PrecedenceSettings(Table, frozen=True):
    """The order of sources if several report one car."""

    order: Annotated[
        dict[str, list[str]],
        Meta(description="By signal code, the names of sources, best first; else the table in docs/sources/README.md applies."),
    ] = {}


class VehicleSettings(Table, frozen=True):
    """A car that is added from the file; it is identified by its id, VIN or first alias."""

    id: Annotated[str | None, Meta(description="UUID; else one is computed from the VIN or the first alias.")] = None
    vin: Annotated[str | None, Meta(description="Vehicle identification number, the car's name at many sources.")] = None
    aliases: Annotated[list[str], Meta(description="Other names: `teslamate:1`, `garage:loadpoints/1`, an RFID tag.")] = []
    make: Annotated[str | None, Meta(description="Its make.")] = None
    model: Annotated[str | None, Meta(description="Its model.")] = None
    year: Annotated[Annotated[int, Meta(ge=1900, le=2100)] | None, Meta(description="Its model year.")] = None
    powertrain: Annotated[Literal["BEV", "PHEV", "HEV", "FCEV", "ICE"] | None, Meta(description="Its powertrain.")] = None
    capacity_kwh: Annotated[
        Annotated[float, Meta(gt=0, le=2000)] | None, Meta(description="Usable capacity of its battery, in kWh.")
    ] = None
    connector: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None, Meta(description="Its inlet, such as `Type 2`.")
    ] = None


_MAX_DAYS: Final = 36_500
_Days = Annotated[int, Meta(ge=0, le=_MAX_DAYS)]


class RetentionSettings(Table, frozen=True):
    """How long history is retained: in full, then by the hour, then not at all. Days count from now; 0: permanently."""

    raw_days: Annotated[
        _Days, Meta(description="Every change and sighting is retained for this many days, then hours; 0: permanently.")
    ] = 0
    hourly_days: Annotated[_Days, Meta(description="Hours are retained until they are this many days old; 0: permanently.")] = 0
    charge_raw_days: Annotated[_Days | None, Meta(description="raw_days of the group Charge, if it is another.")] = None
    charge_hourly_days: Annotated[_Days | None, Meta(description="hourly_days of the group Charge, if it is another.")] = None
    chargeport_raw_days: Annotated[_Days | None, Meta(description="raw_days of the group Chargeport, if it is another.")] = None
    chargeport_hourly_days: Annotated[
        _Days | None, Meta(description="hourly_days of the group Chargeport, if it is another.")
    ] = None
    location_raw_days: Annotated[_Days | None, Meta(description="raw_days of the group Location, if it is another.")] = None
    location_hourly_days: Annotated[_Days | None, Meta(description="hourly_days of the group Location, if it is another.")] = (
        None
    )
    tractionbattery_raw_days: Annotated[
        _Days | None, Meta(description="raw_days of the group TractionBattery, if it is another.")
    ] = None
    tractionbattery_hourly_days: Annotated[
        _Days | None, Meta(description="hourly_days of the group TractionBattery, if it is another.")
    ] = None

    audit_days: Annotated[
        int,
        Meta(ge=1, le=_MAX_DAYS, description="The audit log is retained for this many days, with at most a million entries."),
    ] = 365

    def of(self, group: str) -> tuple[int | None, int | None]:
        """Return for how many days a signal group's runs and hours are retained; None: permanently. Raises SettingError."""
        of_group = [getattr(self, f"{group.lower()}_{key}", None) for key in ("raw_days", "hourly_days")]
        raw_days = self.raw_days if of_group[0] is None else of_group[0]
        hourly_days = self.hourly_days if of_group[1] is None else of_group[1]
        if hourly_days and (not raw_days or hourly_days < raw_days):
            raise SettingError(
                f"retention: hourly_days ({hourly_days}) of {group} counts from now, like raw_days"
                f" ({raw_days or 'permanently'}): make it as much at least, or set raw_days."
            )
        return raw_days or None, hourly_days or None


_Seconds = Annotated[int, Meta(ge=1, le=604_800)]


class StalenessSettings(Table, frozen=True):
    """How long a live value is valid without a new report."""

    learn: Annotated[bool, Meta(description="Learn it from the cadence of each source and signal.")] = True
    default_s: Annotated[_Seconds, Meta(description="If nothing was learnt, in seconds.")] = 1800
    min_s: Annotated[_Seconds, Meta(description="The minimum that is learnt, in seconds.")] = 300
    max_s: Annotated[_Seconds, Meta(description="The maximum that is learnt, in seconds.")] = 7200
    signals: Annotated[
        dict[str, _Seconds], Meta(description="By signal code, in seconds: fixed for every source, nothing is learnt.")
    ] = {}


class DeriveSettings(Table, frozen=True):
    """Values and sessions that are derived from reports."""

    enabled: Annotated[bool, Meta(description="Derive signals that no source reports, and charging sessions.")] = True
    models: Annotated[
        str | None, Meta(description="File with open-ev-data's JSON: capacities and charging curves of car models.")
    ] = None


class PlaceSettings(Table, frozen=True):
    """A place that is shown for sessions: a circle, or the place of sources."""

    name: Annotated[str, Meta(min_length=1, max_length=128, description="Its name in records.")]
    latitude: Annotated[float, Meta(ge=-90, le=90, description="Of its middle, in degrees.")]
    longitude: Annotated[float, Meta(ge=-180, le=180, description="Of its middle, in degrees.")]
    radius_m: Annotated[float, Meta(gt=0, le=100_000, description="Its radius, in metres.")] = 150
    is_public: Annotated[bool | None, Meta(description="Whether its chargers are public; unknown if not set.")] = None
    tariff: Annotated[str | None, Meta(description="Name of the tariff there.")] = None
    sources: Annotated[list[str], Meta(description="Sources at this place: their sessions were here.")] = []


class PriceSettings(Table, frozen=True):
    """A price at some times of the week."""

    start: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Local time HH:MM.")]
    end: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Local time HH:MM; past midnight if earlier.")]
    price: Annotated[float, Meta(ge=-100, le=10_000, description="Of a kWh.")]
    days: Annotated[list[Weekday], Meta(description="MONDAY to SUNDAY; all if none.")] = []


class TariffSettings(Table, frozen=True):
    """The price of a kWh."""

    name: Annotated[str, Meta(min_length=1, max_length=64, description="Its name in places.")]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217, such as EUR.")]
    price: Annotated[
        Annotated[float, Meta(ge=-100, le=10_000)] | None, Meta(description="Flat, of a kWh, if no window applies.")
    ] = None
    windows: Annotated[list[PriceSettings], Meta(description="Prices by the time of the week; the first that applies.")] = []
    zone: Annotated[str, Meta(description="Time zone of the windows, such as Europe/Berlin.")] = "UTC"
    series: Annotated[str | None, Meta(description="CSV file `from,price`, instants in ISO 8601; takes precedence.")] = None
    series_kind: Annotated[
        Literal["slots", "changes"] | None,
        Meta(
            description="`slots` end with the last one, like day-ahead hours; `changes` continue. Default: by their intervals."
        ),
    ] = None
    session_fee: Annotated[
        Annotated[float, Meta(ge=0, le=10_000)] | None, Meta(description="For each session, in addition to its energy.")
    ] = None


class WebhookSettings(Table, frozen=True):
    """How events are sent to the webhooks of applications."""

    allow_private_targets: Annotated[
        bool, Meta(description="Whether receivers may have private addresses, and http instead of https.")
    ] = False
    timeout_s: Annotated[float, Meta(gt=0, le=120, description="Timeout of each request.")] = 15
    retry_delays_s: Annotated[
        list[Annotated[float, Meta(ge=0, le=604_800)]],
        Meta(max_length=50, description="How long to wait after each failed attempt before the next one."),
    ] = msgspec.field(default_factory=lambda: [25, 50, 100])
    retry_jitter: Annotated[float, Meta(ge=0, le=1, description="Maximum share by which each wait is randomly longer.")] = 0.1
    coalesce_s: Annotated[
        float, Meta(ge=0, le=3600, description="Changes of a vehicle within this time are one event with all triggers.")
    ] = 0.2
    disable_after_s: Annotated[
        float, Meta(gt=0, description="A webhook is disabled after no delivery has succeeded for this time.")
    ] = 432_000
    keep_s: Annotated[float, Meta(gt=0, description="How long the delivery log retains delivered and dead events.")] = 604_800
    standard_signature: Annotated[bool, Meta(description="Also send the signature of Standard Webhooks.")] = False


class MqttOutSettings(Table, frozen=True):
    """Publication of signals to an MQTT broker, with Home Assistant's discovery. Off unless `url` is set."""

    url: Annotated[str | None, Meta(description="mqtt://HOST[:1883] or, with TLS, mqtts://HOST[:8883].")] = None
    username: Annotated[str | None, Meta(description="User name at the broker.")] = None
    password: Annotated[str | None, Meta(description="Its password, or the place of it: env:NAME or file:PATH.")] = None
    ca_file: Annotated[str | None, Meta(description="Authority of the broker's certificate (PEM), if not a public one.")] = None
    prefix: Annotated[
        str, Meta(pattern=r"^[^+#\x00]{1,100}$", description="Prefix of topics, which must differ for each server at a broker.")
    ] = "chargeport"
    discovery_prefix: Annotated[
        str, Meta(pattern=r"^[^+#\x00]{0,100}$", description="Prefix of Home Assistant's discovery; empty for none.")
    ] = "homeassistant"


class MetricsSettings(Table, frozen=True):
    """The content of `/metrics`, which needs no token."""

    vehicle_values: Annotated[
        bool, Meta(description="Also show each vehicle's numbers and flags, which can then be read without a token.")
    ] = False


class Settings(Table, frozen=True):
    """All settings. `sources` and `dialects` are checked according to their type: see `runtime.builder`."""

    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    database: DatabaseSettings = DatabaseSettings()
    bus: BusSettings = BusSettings()
    ingest: IngestSettings = IngestSettings()
    retention: RetentionSettings = RetentionSettings()
    staleness: StalenessSettings = StalenessSettings()
    smartcar: SmartcarSettings = SmartcarSettings()
    precedence: PrecedenceSettings = PrecedenceSettings()
    webhooks: WebhookSettings = WebhookSettings()
    mqtt_out: MqttOutSettings = MqttOutSettings()
    metrics: MetricsSettings = MetricsSettings()
    derive: DeriveSettings = DeriveSettings()
    vehicles: list[VehicleSettings] = []
    places: list[PlaceSettings] = []
    tariffs: list[TariffSettings] = []
    sources: list[dict[str, Any]] = []
    dialects: list[dict[str, Any] | str] = []
    folder: str = "."  # of the settings file: other files are relative to it
