"""TLS of the server: its certificate, loaded again when the files change, and the names in a client's certificate.

A new certificate is used for new connections; open connections continue to use the old one. If the new files are invalid, the
old certificate stays in use, and the error is logged.
"""

import logging
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography import x509

from chargeport.clock import SystemClock
from chargeport.errors import StartError

CHECK_EVERY_S: Final = 10.0
WARN_EVERY_S: Final = 86_400.0
WARN_BEFORE_MS: Final = 14 * 86_400_000
EXTENSION: Final = "tls"  # of an ASGI scope
NAMES: Final = "client_names"

_log = logging.getLogger("chargeport.tls")
_today = SystemClock().now


class TlsFiles(NamedTuple):
    """PEM files: a certificate with its chain, its key, and the authority of clients' certificates (None: not requested)."""

    certificate: str
    key: str
    client_ca: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of the files. Raises StartError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION  # allowed by default before OpenSSL 3, and expensive for the server
        try:
            context.load_cert_chain(self.certificate, self.key, _no_password)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_OPTIONAL  # a client without one that is needed gets an HTTP error later
        except OSError as error:  # ssl.SSLError is one
            files = " and ".join(file for file in self if file is not None)
            raise StartError(f"Can't answer over TLS with {files}: {error}.") from error
        return context

    def ends_at(self) -> int | None:
        """Return the expiry of the certificate in milliseconds since 1970; None if it can't be read."""
        try:
            certificate = x509.load_pem_x509_certificate(Path(self.certificate).read_bytes())
            return round(certificate.not_valid_after_utc.timestamp() * 1000)
        except (OSError, ValueError):
            return None


class Certificate:
    """The certificate in use. `refresh` is called often, and loads the files if they have changed."""

    def __init__(self, files: TlsFiles, now_s: Callable[[], float], today: Callable[[], int] = _today) -> None:
        """Load the files. Raises StartError if they are invalid."""
        self._files = files
        self._now_s = now_s
        self._today = today
        self._loaded_state = self._state()
        self._check_at_s = now_s() + CHECK_EVERY_S
        self._warned_at_s = -WARN_EVERY_S
        self.context = files.context()
        self._warn_of_expiry()

    def refresh(self) -> None:
        """Load changed files; log once a day that the certificate expires soon."""
        now_s = self._now_s()
        if now_s < self._check_at_s:
            return
        self._check_at_s = now_s + CHECK_EVERY_S
        if (state := self._state()) != self._loaded_state:
            self._loaded_state = state
            try:
                self.context = self._files.context()
            except StartError as error:  # the files may be partly written: the next check loads them
                _log.error("the old certificate stays in use: %s", error)
            else:
                _log.info("new connections use the changed certificate in %s", self._files.certificate)
                self._warned_at_s = -WARN_EVERY_S
        self._warn_of_expiry()

    def _warn_of_expiry(self) -> None:
        now_s = self._now_s()
        ends_at = self._files.ends_at() if now_s - self._warned_at_s >= WARN_EVERY_S else None
        if ends_at is None or ends_at - self._today() > WARN_BEFORE_MS:
            return
        self._warned_at_s = now_s
        if ends_at <= self._today():
            _log.error("the certificate in %s has expired: clients refuse it; put a new one there", self._files.certificate)
        else:
            days = (ends_at - self._today()) // 86_400_000
            _log.warning("the certificate in %s expires in %d days: put a new one there", self._files.certificate, days)

    def _state(self) -> list[tuple[int, int, int] | None]:
        """Return modification time, inode and size of each file, None for one that is missing."""
        return [_state_of(Path(file)) for file in self._files if file is not None]


def _no_password() -> str:
    """Refuse a key with a password. Without this, OpenSSL asks for it at the terminal, and blocks the server."""
    raise OSError("the key is encrypted: write it without a password, for its owner alone to read")


def _state_of(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def set_client_names(scope: Any, ssl_object: Any) -> None:
    """Set the names of the client's certificate, if it sent one, in the TLS extension of an ASGI scope."""
    certificate = None if ssl_object is None else ssl_object.getpeercert()
    if certificate:
        common_names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        other_names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
        scope["extensions"] = {**(scope.get("extensions") or {}), EXTENSION: {NAMES: (*common_names, *other_names)}}


def client_names(scope: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the common name of the client's certificate, then its other names; none if it sent no certificate."""
    names: tuple[str, ...] = ((scope.get("extensions") or {}).get(EXTENSION) or {}).get(NAMES, ())
    return names
