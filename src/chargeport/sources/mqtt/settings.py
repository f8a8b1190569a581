"""The settings of an MQTT source: the broker's address, our credentials, and limits."""

import ssl
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from chargeport.sources.base import Cause, SourceError
from chargeport.sources.extras import secret

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}

LONGEST_TEXT_BYTES: Final = 65_535


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a broker. Raises ValueError with the setting, its valid values and its present value.

    The broker stores messages while we are away, in a session named `client_id`, for `session_expiry_s`.
    """

    url: Annotated[str, Meta(description="mqtt://HOST[:1883] or, with TLS, mqtts://HOST[:8883].")]
    username: Annotated[str | None, Meta(description="Who we are to the broker.")] = None
    password: Annotated[str | None, Meta(description="Its password, or env:NAME or file:PATH where it is stored.")] = None
    client_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=200)] | None,
        Meta(description="Name of our session, unique to it; chargeport-NAME if not given."),
    ] = None
    ca_file: Annotated[str | None, Meta(description="Who signed the broker's certificate (PEM), if not a public one.")] = None
    cert_file: Annotated[str | None, Meta(description="A certificate of ours (PEM), where the broker requires one.")] = None
    key_file: Annotated[str | None, Meta(description="Its key (PEM), where it is not in the same file.")] = None
    verify: Annotated[bool, Meta(description="false: accept any certificate, without proof of the broker's identity.")] = True
    keepalive_s: Annotated[
        int, Meta(ge=1, le=65_535, description="A broker that is silent for twice as long counts as lost.")
    ] = 30
    session_expiry_s: Annotated[
        int,
        Meta(
            ge=0,
            le=0xFFFF_FFFF,
            description="How long the broker stores messages that we miss; 0: not at all. MQTT 3.1.1 has no limit.",
        ),
    ] = 7 * 86_400
    max_inflight: Annotated[int, Meta(ge=1, le=65_535, description="Messages that may wait here to be stored.")] = 1_000
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1_000,
            le=0x0FFF_FFFF,
            description="A longer payload becomes an issue; with MQTT 5 one that is 70,000 longer is not sent.",
        ),
    ] = 1_048_576

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query or port == 0:
            raise ValueError("url must be mqtt://host[:port] or, with TLS, mqtts://host[:port]")
        if parts.username is not None or parts.password is not None:
            raise ValueError("url must hold no user and password: they are settings of their own")
        if self.username is None and self.password is not None:
            raise ValueError("username is missing: a password needs one")
        if not self.tls and (self.ca_file or self.cert_file or self.key_file or not self.verify):
            raise ValueError("ca_file, cert_file, key_file and verify need a url that begins with mqtts://")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("cert_file is missing: key_file is its key")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or PORTS[parts.scheme]

    def login(self) -> tuple[str | None, str | None]:
        """Return user name and password, the latter read again from its file or variable. Raises SourceError."""
        return self.username, None if self.password is None else secret("password", self.password)

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS context, from files read again; None without TLS. Raises SourceError naming an invalid file."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError) as error:
            raise SourceError(Cause.CONFIGURATION, f"ca_file {self.ca_file} holds no certificate: {_said(error)}.") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=lambda: "")
            except (OSError, ValueError) as error:
                pair = f"cert_file {self.cert_file} and its key {self.key_file or 'in the same file'}"
                raise SourceError(Cause.CONFIGURATION, f"{pair} can't be used: {_said(error)}.") from error
        return context


def checked_filter(text: str) -> str:
    """Return a topic filter of MQTT: levels between slashes, where + is any one level and # at the end all remaining levels.

    Raises ValueError where it is invalid.
    """
    levels = text.split("/")
    wild = [level for level in levels if "+" in level or "#" in level]
    if not 0 < len(text.encode()) <= LONGEST_TEXT_BYTES or "\0" in text:
        raise ValueError(f"a topic filter has 1 to {LONGEST_TEXT_BYTES:,} bytes and no zero byte, unlike {text[:100]!r}")
    if any(level not in ("+", "#") for level in wild) or "#" in levels[:-1]:
        raise ValueError(f"the topic filter {text!r}: + matches one whole level, # all levels at the end")
    return text


def _said(error: Exception) -> str:
    """Return the description of an error, without its numbers."""
    if isinstance(error, ssl.SSLError):
        return error.reason or "it is not in PEM form"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
