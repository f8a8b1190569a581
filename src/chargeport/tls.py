"""TLS of the server: its certificate, read again when the files change, and what a client's certificate says it is.

A new certificate is used for new connections; those that are open go on. Where new files are no good the old ones stay in
use, and the log says so.
"""

import logging
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography import x509

from chargeport.clock import SystemClock
from chargeport.errors import StartError

LOOK_EVERY_S: Final = 10.0
TOLD_EVERY_S: Final = 86_400.0
NEAR_ITS_END_MS: Final = 14 * 86_400_000
EXTENSION: Final = "tls"  # of an ASGI scope
NAMES: Final = "client_names"

_log = logging.getLogger("chargeport.tls")
_today = SystemClock().now


class TlsFiles(NamedTuple):
    """PEM files: a certificate with its chain, its key, and who signs the certificates of clients (None: they need none)."""

    certificate: str
    key: str
    client_ca: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of the files. Raises StartError."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.options |= ssl.OP_NO_RENEGOTIATION  # which OpenSSL before 3 grants to any client, at our cost
        try:
            made.load_cert_chain(self.certificate, self.key, _no_password)
            if self.client_ca is not None:
                made.load_verify_locations(self.client_ca)
                made.verify_mode = ssl.CERT_OPTIONAL  # who needs one, and has none, is refused later, in words
        except OSError as error:  # ssl.SSLError is one
            files = " and ".join(each for each in self if each is not None)
            raise StartError(f"Can't answer over TLS with {files}: {error}.") from error
        return made

    def ends_at(self) -> int | None:
        """Return until when the certificate is valid, in milliseconds since 1970; None where that can't be read."""
        try:
            found = x509.load_pem_x509_certificate(Path(self.certificate).read_bytes())
            return round(found.not_valid_after_utc.timestamp() * 1000)
        except (OSError, ValueError):
            return None


class Certificate:
    """The certificate in use. `look` is called often, and reads the files when they are others than before."""

    def __init__(self, files: TlsFiles, now_s: Callable[[], float], today: Callable[[], int] = _today) -> None:
        """Read the files. Raises StartError where they are no good."""
        self._files = files
        self._now_s = now_s
        self._today = today
        self._seen = self._state()
        self._look_at_s = now_s() + LOOK_EVERY_S
        self._told_at_s = -TOLD_EVERY_S
        self.context = files.context()
        self._tell_of_the_end()

    def look(self) -> None:
        """Use new files; log once a day that the certificate ends."""
        now_s = self._now_s()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_EVERY_S
        if (state := self._state()) != self._seen:
            self._seen = state
            try:
                self.context = self._files.context()
            except StartError as error:  # half written, maybe: the next look finds the other half
                _log.error("the certificate before stays in use: %s", error)
            else:
                _log.info("new connections get the certificate in %s as it is now", self._files.certificate)
                self._told_at_s = -TOLD_EVERY_S
        self._tell_of_the_end()

    def _tell_of_the_end(self) -> None:
        now_s = self._now_s()
        ends_at = self._files.ends_at() if now_s - self._told_at_s >= TOLD_EVERY_S else None
        if ends_at is None or ends_at - self._today() > NEAR_ITS_END_MS:
            return
        self._told_at_s = now_s
        if ends_at <= self._today():
            _log.error("the certificate in %s has expired: clients refuse it; put a new one there", self._files.certificate)
        else:
            days = (ends_at - self._today()) // 86_400_000
            _log.warning("the certificate in %s expires in %d days: put a new one there", self._files.certificate, days)

    def _state(self) -> list[tuple[int, int, int] | None]:
        """Return what shows whether the files are those that were read."""
        return [_state_of(Path(each)) for each in self._files if each is not None]


def _no_password() -> str:
    """Refuse a key that wants a password; without this OpenSSL asks for it at the terminal, while everybody waits."""
    raise OSError("the key is encrypted: write it without a password, for its owner alone to read")


def _state_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def tell_client(scope: Any, ssl_object: Any) -> None:
    """Put the names in the client's certificate into a scope, under ASGI's extension; nothing where it showed none."""
    shown = None if ssl_object is None else ssl_object.getpeercert()
    if shown:
        common = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
        others = [value for kind, value in shown.get("subjectAltName", ()) if kind == "DNS"]
        scope["extensions"] = {**(scope.get("extensions") or {}), EXTENSION: {NAMES: (*common, *others)}}


def client_names(scope: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the common name of the client's certificate, then its other names; none where it showed no certificate."""
    names: tuple[str, ...] = ((scope.get("extensions") or {}).get(EXTENSION) or {}).get(NAMES, ())
    return names
