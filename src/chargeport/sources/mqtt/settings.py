"""The settings of an MQTT source: where the broker is, who we are to it, and how much we take at once."""

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
    """How to reach a broker. Raises ValueError, naming the setting, what it may be and what it is.

    The broker keeps what is sent while we are away in a session named `client_id`, for `session_expiry_s`.
    """

    url: Annotated[str, Meta(description="mqtt://HOST[:1883] or, with TLS, mqtts://HOST[:8883].")]
    username: Annotated[str | None, Meta(description="Who we are to the broker.")] = None
    password: Annotated[str | None, Meta(description="Its password, or env:NAME or file:PATH where it is kept.")] = None
    client_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=200)] | None,
        Meta(description="Our session's name, no other program's; chargeport-NAME if not given."),
    ] = None
    ca_file: Annotated[str | None, Meta(description="Who signed the broker's certificate (PEM), if not a public one.")] = None
    cert_file: Annotated[str | None, Meta(description="A certificate of ours (PEM), where the broker wants one.")] = None
    key_file: Annotated[str | None, Meta(description="Its key (PEM), where it is not in the same file.")] = None
    verify: Annotated[bool, Meta(description="false: take any certificate, so that anybody may be the broker.")] = True
    keepalive_s: Annotated[
        int, Meta(ge=1, le=65_535, description="A broker that is silent for twice as long is taken for gone.")
    ] = 30
    session_expiry_s: Annotated[
        int,
        Meta(
            ge=0,
            le=0xFFFF_FFFF,
            description="So long the broker keeps what we miss; 0: it keeps nothing. MQTT 3.1.1 has no limit.",
        ),
    ] = 7 * 86_400
    max_inflight: Annotated[int, Meta(ge=1, le=65_535, description="Messages that may wait here to be stored.")] = 1_000
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1_000,
            le=0x0FFF_FFFF,
            description="A longer payload becomes an issue; one 70,000 longer MQTT 5 does not even send.",
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
        """Return user name and password, the latter read anew where it is kept. Raises SourceError."""
        return self.username, None if self.password is None else secret("password", self.password)

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS context, from files read anew; None without TLS. Raises SourceError naming a file that is no good."""
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
    """Return a topic filter of MQTT: levels between slashes, where + is any one level and # at the end all that is left.

    Raises ValueError where it is none.
    """
    levels = text.split("/")
    wild = [level for level in levels if "+" in level or "#" in level]
    if not 0 < len(text.encode()) <= LONGEST_TEXT_BYTES or "\0" in text:
        raise ValueError(f"a topic filter has 1 to {LONGEST_TEXT_BYTES:,} bytes and no zero byte, unlike {text[:100]!r}")
    if any(level not in ("+", "#") for level in wild) or "#" in levels[:-1]:
        raise ValueError(f"the topic filter {text!r}: + stands for one whole level, # for all levels at the end")
    return text


def _said(error: Exception) -> str:
    """Return an error in words, without the machinery's numbers."""
    if isinstance(error, ssl.SSLError):
        return error.reason or "it is not in PEM form"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
