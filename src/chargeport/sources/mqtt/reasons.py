"""Why an MQTT broker can't be used: descriptions of its codes and of network errors, and the kind of action required."""

import socket
import ssl
from typing import Final

from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from chargeport.sources.base import Cause, SourceError

UNSUPPORTED_VERSION: Final = 0x84
PROTOCOL_ERROR: Final = 0x82
KEEPALIVE_TIMEOUT: Final = 0x8D

_CONFIGURATION, _AUTHENTICATION, _QUOTA = Cause.CONFIGURATION, Cause.AUTHENTICATION, Cause.QUOTA
_LATER: Final = "it is asked again later"
_RIGHTS: Final = (_AUTHENTICATION, "give this user the right to read it in the broker's settings")
_REFUSALS: Final = {
    **dict.fromkeys((0x00, 0x88, 0x89, 0x8B, 0x8D, 0x98), (Cause.UNREACHABLE, _LATER)),
    **dict.fromkeys((0x97, 0x9F), (_QUOTA, _LATER)),
    **dict.fromkeys((0x9C, 0x9D), (_CONFIGURATION, "change url")),
    0x84: (Cause.PROTOCOL, "a broker that supports MQTT 5 or 3.1.1 is needed"),
    0x85: (_CONFIGURATION, "choose another client_id"),
    0x86: (_AUTHENTICATION, "check username and password"),
    0x87: (_AUTHENTICATION, "check username and password, or give this user the right in the broker's settings"),
    0x8A: (_AUTHENTICATION, "ask who runs it"),
    0x8C: (_AUTHENTICATION, "it requires another authentication method than user name and password"),
    0x8E: (_CONFIGURATION, "another program uses our client id: give each its own client_id"),
}  # MQTT 5, 3.2.2.2 and 3.14.2.1; paho gives the codes of 3.1.1 as these
_FILTERS: Final = {
    0x80: _RIGHTS,
    0x87: _RIGHTS,
    0x8F: (_CONFIGURATION, "correct it"),
    0x97: (_QUOTA, "raise the broker's quota of subscriptions"),
    0x9E: (_CONFIGURATION, "this broker has no shared subscriptions: remove $share/"),
    0xA2: (_CONFIGURATION, "this broker has no wildcards: name the topics"),
}  # MQTT 3.1.1, 3.9.3; MQTT 5, table 3-8
_UNKNOWN: Final = (Cause.PROTOCOL, "look into the broker's log")


def refused(place: str, did: str, code: ReasonCode, properties: Properties | None) -> SourceError:
    """Return the error for a broker that refused or ended the connection with a reason code."""
    cause, way_out = _REFUSALS.get(code.value, _UNKNOWN)
    said = getattr(properties, "ReasonString", None)
    words = f"{code}, {str(said)[:200]!r}" if said else str(code)
    return SourceError(cause, f"{place} {did} ({words}): {way_out}.")


def filter_refused(place: str, wanted: str, code: ReasonCode) -> SourceError:
    """Return the error for a broker that refuses a topic filter."""
    cause, way_out = _FILTERS.get(code.value, _UNKNOWN)
    return SourceError(cause, f"{place}: the topic filter {wanted!r} is refused ({code}): {way_out}.")


def unreachable(place: str, error: Exception, within_s: float) -> SourceError:
    """Return the error for a connection that could not be made, within `within_s`."""
    match error:
        case ssl.SSLCertVerificationError():
            words = f"{error.verify_message}: set ca_file to the authority that signed it, and url to a name that it is for"
            return SourceError(_CONFIGURATION, f"The certificate of {place} is not trusted: {words}.")
        case ssl.SSLError() if "ALERT" in (error.reason or ""):
            words = f"ended TLS ({error.reason}): it may want a certificate of ours (cert_file, key_file)"
            return SourceError(_AUTHENTICATION, f"{place} {words}.")
        case ssl.SSLError():
            words = f"({error.reason}): is this its TLS port? Without TLS the url begins with mqtt://"
            return SourceError(_CONFIGURATION, f"{place} does not support our TLS {words}.")
        case socket.gaierror() | UnicodeError():
            host = place.rpartition(":")[0]
            return SourceError(Cause.UNREACHABLE, f"The host {host} is not known: check url and this machine's DNS.")
        case ConnectionRefusedError():
            words = "refuses the connection: check the url's port and whether the broker runs"
        case TimeoutError():
            words = f"did not answer within {within_s:g} s: check url, firewall and whether the broker runs"
        case _:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            words = f"can't be reached ({said}): check url and network"
    return SourceError(Cause.UNREACHABLE, f"{place} {words}.")


def hung_up(place: str, taken_in: bool) -> SourceError:
    """Return the error for a connection that the broker closed without a reason, before or after it accepted the client."""
    words = "closed the connection: look whether it is running and whether another program uses our client_id."
    if not taken_in:
        words = "closed the connection before it answered: is this its port for MQTT, does the url's scheme fit, and does"
        words += " it want a certificate of ours (cert_file)?"  # TLS 1.3 refuses one only after the handshake
    return SourceError(Cause.UNREACHABLE, f"{place} {words}")


def silent(place: str, for_s: int) -> SourceError:
    """Return the error for a broker that has not answered for `for_s`."""
    return SourceError(
        Cause.UNREACHABLE, f"{place} has sent nothing for {for_s} s: check whether it is running and can be reached."
    )


def no_mqtt(place: str) -> SourceError:
    """Return the error for bytes that are no MQTT."""
    return SourceError(Cause.PROTOCOL, f"{place} sent what is no MQTT: check that it is an MQTT broker.")
