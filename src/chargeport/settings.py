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
    """Where the server listens, and what it calls itself."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for every one.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 for any that is free.")] = 8080
    base_url: Annotated[
        str | None,
        Meta(description="What links start with, such as https://cars.example.org; else what the request names."),
    ] = None
    trusted_proxies: Annotated[
        list[str],
        Meta(description="Addresses or networks of reverse proxies whose X-Forwarded-Proto and -Host are trusted."),
    ] = []
    tls_certificate: Annotated[str | None, Meta(description="PEM file: answer over TLS with this certificate.")] = None
    tls_key: Annotated[str | None, Meta(description="PEM file with the certificate's key.")] = None
    tls_client_ca: Annotated[
        str | None,
        Meta(description="PEM file: clients may show a certificate that this authority signed; others are answered without."),
    ] = None
    strict: Annotated[
        bool,
        Meta(description="Refuse reads of signals without `sc-user-id`, as Smartcar does."),
    ] = False
    log: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="What is logged, from this level on.")] = (
        "info"
    )

    @property
    def tls(self) -> TlsFiles | None:
        """The files of the certificate, its key and the clients' authority. Raises SettingError where one is missing."""
        if (self.tls_certificate is None) is not (self.tls_key is None):
            raise SettingError("server: tls_certificate and tls_key are needed both, or neither.")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise SettingError(
                "server: tls_client_ca needs tls_certificate and tls_key, for clients show certificates over TLS."
            )
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_client_ca)


class LimitSettings(Table, frozen=True):
    """How much clients may use of the server."""

    connections: Annotated[
        int, Meta(ge=8, le=1_000_000, description="Connections in all; fewer where the system's limit of open files is lower.")
    ] = 10_000
    connections_by_address: Annotated[
        int, Meta(ge=4, le=1_000_000, description="Connections of one address (of IPv6: of a /64), trusted proxies apart.")
    ] = 2500
    streams_by_application: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Streams that one application may hold open.")
    ] = 2500
    requests_per_minute: Annotated[
        int,
        Meta(
            ge=0, le=1_000_000_000,
            description="Requests of one application a minute, apart from ingest and streams; 0: any number. Beyond, the answer"
            " is 429. Each process counts for itself.",
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
            description="What all callers together that have shown no token may have in bodies that are being read;"
            " a quarter of it from one address.",
        ),
    ] = 67_108_864  # fmt: skip
    wrong_credentials_per_minute: Annotated[
        int,
        Meta(
            ge=1, le=1_000_000,
            description="Wrong secrets of one application from one address; of one address, or of one application, five times"
            " as many; of different wrong tokens of one address, five times as many. Beyond, the answer is 429.",
        ),
    ] = 10  # fmt: skip


class DatabaseSettings(Table, frozen=True):
    """Where things are kept."""

    url: Annotated[
        str,
        Meta(min_length=1, description="sqlite:///FILE, relative or absolute (four slashes), or postgresql://USER@HOST/NAME."),
    ] = "sqlite:///chargeport.db"
    key: Annotated[
        str | None,
        Meta(
            description="Encrypts the secrets that have to be used again (management tokens): `env:NAME` or `file:PATH`; keys"
            " of 32 characters or more, separated by white space. The first encrypts, all decrypt."
        ),
    ] = None


class BusSettings(Table, frozen=True):
    """How processes on one database wake each other when something was stored."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^((nats|tls)://.+)?$",
            description="nats://HOST:PORT, several with commas. Else PostgreSQL notifies; without, each looks every second.",
        ),
    ] = ""


class IngestSettings(Table, frozen=True):
    """What is taken in, and how much of it at once."""

    auto_register: Annotated[
        bool, Meta(description="Make unknown vehicles known when a UUID or a VIN is sent; else they are refused.")
    ] = False
    max_future_s: Annotated[
        float, Meta(ge=0, le=86_400, description="How far ahead of our clock an observation may be, in seconds.")
    ] = 300
    max_items: Annotated[int, Meta(ge=1, le=1_000_000, description="Items in one request to /ingest/readings.")] = 10_000
    max_bytes: Annotated[int, Meta(ge=1024, le=1 << 30, description="Size of one request's body, unpacked, in bytes.")] = (
        8_388_608
    )
    client_certificate: Annotated[
        bool, Meta(description="Take readings over HTTP only from clients with a certificate that server.tls_client_ca signed.")
    ] = False
    record: Annotated[
        str | None, Meta(description="Folder in which what is pushed in a dialect is also kept, redacted, as recordings.")
    ] = None


class SmartcarSettings(Table, frozen=True):
    """Smartcar's own webhooks, in at POST /ingest/smartcar."""

    management_token: Annotated[
        str | None, Meta(description="Application management token: webhooks are signed with it. Without it none is taken.")
    ] = None
    auto_register: Annotated[bool, Meta(description="Make unknown vehicles known under Smartcar's ids.")] = False


class PrecedenceSettings(Table, frozen=True):
    """Which source counts where several report one car."""

    order: Annotated[
        dict[str, list[str]],
        Meta(description="By signal code, the names of sources, best first; else the table in docs/sources/README.md holds."),
    ] = {}


class VehicleSettings(Table, frozen=True):
    """A car that the file makes known; found again by its id, VIN or first alias."""

    id: Annotated[str | None, Meta(description="UUID; else one is made from the VIN or the first alias.")] = None
    vin: Annotated[str | None, Meta(description="Vehicle identification number: many sources call the car so.")] = None
    aliases: Annotated[list[str], Meta(description="Other names: `teslamate:1`, `garage:loadpoints/1`, an RFID tag.")] = []
    make: Annotated[str | None, Meta(description="Who made it.")] = None
    model: Annotated[str | None, Meta(description="What it is called.")] = None
    year: Annotated[Annotated[int, Meta(ge=1900, le=2100)] | None, Meta(description="Its model year.")] = None
    powertrain: Annotated[Literal["BEV", "PHEV", "HEV", "FCEV", "ICE"] | None, Meta(description="What drives it.")] = None
    capacity_kwh: Annotated[
        Annotated[float, Meta(gt=0, le=2000)] | None, Meta(description="What its battery holds, in kWh.")
    ] = None
    connector: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None, Meta(description="Its inlet, such as `Type 2`.")
    ] = None


_MAX_DAYS: Final = 36_500
_Days = Annotated[int, Meta(ge=0, le=_MAX_DAYS)]


class RetentionSettings(Table, frozen=True):
    """For how long history is kept: as it was, then by the hour, then not at all. Days count from now; 0 is for good."""

    raw_days: Annotated[
        _Days, Meta(description="Every change and sighting is kept for so many days, then hours; 0: for good.")
    ] = 0
    hourly_days: Annotated[_Days, Meta(description="Hours are kept until they are so many days old; 0: for good.")] = 0
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
        int, Meta(ge=1, le=_MAX_DAYS, description="The audit log is kept for so many days, at most a million entries of it.")
    ] = 365

    def of(self, group: str) -> tuple[int | None, int | None]:
        """Return for how many days a signal group's runs and hours are retained; None: permanently. Raises SettingError."""
        of_group = [getattr(self, f"{group.lower()}_{key}", None) for key in ("raw_days", "hourly_days")]
        raw_days = self.raw_days if of_group[0] is None else of_group[0]
        hourly_days = self.hourly_days if of_group[1] is None else of_group[1]
        if hourly_days and (not raw_days or hourly_days < raw_days):
            raise SettingError(
                f"retention: hourly_days ({hourly_days}) of {group} counts from now, like raw_days"
                f" ({raw_days or 'for good'}): make it as much at least, or set raw_days."
            )
        return raw_days or None, hourly_days or None


_Seconds = Annotated[int, Meta(ge=1, le=604_800)]


class StalenessSettings(Table, frozen=True):
    """For how long a live value stands without a new report."""

    learn: Annotated[bool, Meta(description="Learn it from the cadence of each source and signal.")] = True
    default_s: Annotated[_Seconds, Meta(description="Where nothing was learnt, in seconds.")] = 1800
    min_s: Annotated[_Seconds, Meta(description="The least that is learnt, in seconds.")] = 300
    max_s: Annotated[_Seconds, Meta(description="The most that is learnt, in seconds.")] = 7200
    signals: Annotated[
        dict[str, _Seconds], Meta(description="By signal code, in seconds: fixed for every source, nothing is learnt.")
    ] = {}


class DeriveSettings(Table, frozen=True):
    """What is worked out from what was reported."""

    enabled: Annotated[bool, Meta(description="Derive signals that no source reports, and charging sessions.")] = True
    models: Annotated[
        str | None, Meta(description="File with open-ev-data's JSON: capacities and charging curves of car models.")
    ] = None


class PlaceSettings(Table, frozen=True):
    """A place that is shown for sessions: a circle, or where sources stand."""

    name: Annotated[str, Meta(min_length=1, max_length=128, description="What records call it.")]
    latitude: Annotated[float, Meta(ge=-90, le=90, description="Of its middle, in degrees.")]
    longitude: Annotated[float, Meta(ge=-180, le=180, description="Of its middle, in degrees.")]
    radius_m: Annotated[float, Meta(gt=0, le=100_000, description="How far it reaches, in metres.")] = 150
    is_public: Annotated[bool | None, Meta(description="Whether its chargers are public; unknown if not said.")] = None
    tariff: Annotated[str | None, Meta(description="Name of the tariff there.")] = None
    sources: Annotated[list[str], Meta(description="Sources that stand here: their sessions happened here.")] = []


class PriceSettings(Table, frozen=True):
    """A price at some times of the week."""

    start: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Local time HH:MM.")]
    end: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Local time HH:MM; past midnight if earlier.")]
    price: Annotated[float, Meta(ge=-100, le=10_000, description="Of a kWh.")]
    days: Annotated[list[Weekday], Meta(description="MONDAY to SUNDAY; all if none.")] = []


class TariffSettings(Table, frozen=True):
    """What a kWh costs."""

    name: Annotated[str, Meta(min_length=1, max_length=64, description="What places call it.")]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217, such as EUR.")]
    price: Annotated[
        Annotated[float, Meta(ge=-100, le=10_000)] | None, Meta(description="Flat, of a kWh, where no window holds.")
    ] = None
    windows: Annotated[list[PriceSettings], Meta(description="Prices by the time of the week; the first that holds.")] = []
    zone: Annotated[str, Meta(description="Time zone of the windows, such as Europe/Berlin.")] = "UTC"
    series: Annotated[str | None, Meta(description="CSV file `from,price`, instants in ISO 8601; counts first.")] = None
    series_kind: Annotated[
        Literal["slots", "changes"] | None,
        Meta(description="`slots` end with the last one, as day-ahead hours do; `changes` hold on. Default: by how far apart."),
    ] = None
    session_fee: Annotated[
        Annotated[float, Meta(ge=0, le=10_000)] | None, Meta(description="For each session, beside its energy.")
    ] = None


class WebhookSettings(Table, frozen=True):
    """How events are sent to the webhooks of applications."""

    allow_private_targets: Annotated[
        bool, Meta(description="Whether receivers may have private addresses, and http instead of https.")
    ] = False
    timeout_s: Annotated[float, Meta(gt=0, le=120, description="Of each request.")] = 15
    retry_delays_s: Annotated[
        list[Annotated[float, Meta(ge=0, le=604_800)]],
        Meta(max_length=50, description="How long to wait after each failed attempt before the next one."),
    ] = msgspec.field(default_factory=lambda: [25, 50, 100])
    retry_jitter: Annotated[float, Meta(ge=0, le=1, description="Share by which each wait is longer at random, at most.")] = 0.1
    coalesce_s: Annotated[
        float, Meta(ge=0, le=3600, description="Changes of a vehicle within this time are one event, which names each trigger.")
    ] = 0.2
    disable_after_s: Annotated[
        float, Meta(gt=0, description="A webhook is disabled after no delivery has succeeded for so long.")
    ] = 432_000
    keep_s: Annotated[float, Meta(gt=0, description="How long events that are over are kept for the delivery log.")] = 604_800
    standard_signature: Annotated[bool, Meta(description="Send the signature of Standard Webhooks beside SC-Signature.")] = (
        False
    )


class MqttOutSettings(Table, frozen=True):
    """Signals out to an MQTT broker, with Home Assistant's discovery. Off unless `url` is set."""

    url: Annotated[str | None, Meta(description="mqtt://HOST[:1883] or, with TLS, mqtts://HOST[:8883].")] = None
    username: Annotated[str | None, Meta(description="Who we are to the broker.")] = None
    password: Annotated[str | None, Meta(description="Its password, or env:NAME or file:PATH where it is kept.")] = None
    ca_file: Annotated[str | None, Meta(description="Who signed the broker's certificate (PEM), if not a public one.")] = None
    prefix: Annotated[
        str, Meta(pattern=r"^[^+#\x00]{1,100}$", description="What topics begin with; another one for each server at a broker.")
    ] = "chargeport"
    discovery_prefix: Annotated[
        str, Meta(pattern=r"^[^+#\x00]{0,100}$", description="Home Assistant's; empty for no discovery.")
    ] = "homeassistant"


class MetricsSettings(Table, frozen=True):
    """What `/metrics` says, to whoever asks."""

    vehicle_values: Annotated[
        bool, Meta(description="Show each vehicle's numbers and flags, too. Nobody needs a token to read them there.")
    ] = False


class Settings(Table, frozen=True):
    """All settings. `sources` and `dialects` are checked by what they name: see `runtime.builder`."""

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
