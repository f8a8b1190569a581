"""Who may connect: known stations, with a password, over TLS, or with a certificate (OCPP security profiles 0 to 3).

Failed attempts are counted by address and identity, and by identity alone: a password can't be guessed by trying, also
not from many addresses.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from cachetools import LRUCache

from chargeport.attempts import MAX_KEYS, FailedAttempts, Limit, network, used_up_s
from chargeport.sources.base import Cause, SourceError
from chargeport.sources.extras import secret
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings

BY_STATION: Final = 5
"""The limit of failed attempts a minute under one identity from one address; a station retries every ten seconds or later."""
BY_ADDRESS: Final = 60
"""The limit of failed attempts from one address under all identities: stations behind a router or proxy share one."""
ANYWHERE: Final = 25
"""The limit under one identity from all addresses from which that station has not connected before."""

_MAX_IDENTITY: Final = 64  # characters of a counted identity; OCPP has 48
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="ocpp"'}
_HEX_KEY: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")
CERTIFICATE: Final = 3  # the security profile
PASSWORD: Final = (1, 2)
_OPEN_NETWORK: Final = "or security_profile = 0 in a network that you trust"


class Refusal(NamedTuple):
    """Why a station may not connect: an HTTP status and a sentence for the station; the way out for its owner."""

    status: int
    sentence: str
    way_out: str = ""
    headers: Mapping[str, str] = {}


_TOO_OFTEN: Final = Refusal(
    429,
    "Too many attempts have failed; try again in a minute.",
    "too many attempts have failed, so it has to wait a minute",
    {"Retry-After": "60"},
)


class Admission:
    """Checks stations when they connect. Raises SourceError where a station could never connect, or anybody could."""

    def __init__(self, settings: OcppSettings, attempts: FailedAttempts, source: str) -> None:
        """Store the settings of a source; `attempts` counts failed attempts."""
        self._settings = settings
        self._common = _password("password", settings.password)
        self._own = {name: _password(f"stations.{name}.password", one.password) for name, one in settings.stations.items()}
        self._attempts = attempts
        self._counted = f"{source}/station"
        self._known: LRUCache[tuple[str, str], None] = LRUCache(MAX_KEYS)
        self._check()

    def identity(self, path: str) -> str:
        """Return the station's identity in the address that it connects to, without slashes, in the settings' letter case.

        A station that appends its identity to an address that has it already names it twice.
        """
        parts = [part.strip() for part in path.split("/") if part.strip()]
        name = parts[0] if len({part.casefold() for part in parts}) == 1 else "/".join(parts)
        alike = [known for known in self._settings.stations if known.casefold() == name.casefold()]
        return alike[0] if name not in self._settings.stations and len(alike) == 1 else name

    async def refusal(
        self, station: str, authorization: str, address: str, *, over_tls: bool, certified: Sequence[str] = ()
    ) -> Refusal | None:
        """Return why a station may not connect in this way; None when it may. `certified`: the names in its certificate."""
        place, name = network(address), station[:_MAX_IDENTITY]
        key = self._counted
        limits = [Limit(f"{key}/{place}/{name}", BY_STATION), Limit(f"{key}/{place}", BY_ADDRESS)]
        if (name, place) not in self._known:
            limits.append(Limit(f"{key}/*/{name}", ANYWHERE))
        if used_up_s(limits, await self._attempts.count(limits)) is not None:
            return _TOO_OFTEN
        found = self._refusal(station, authorization, over_tls=over_tls, certified=certified)
        # Checked again: of simultaneous attempts no more are answered than of sequential ones.
        if used_up_s(limits, await self._attempts.count(limits, 0 if found is None else 1)) is not None:
            return _TOO_OFTEN
        if found is None:
            self._known[name, place] = None
        return found

    def _refusal(
        self, station: str, authorization: str, *, over_tls: bool, certified: Sequence[str]
    ) -> Refusal | None:  # fmt: skip
        own = self._settings.stations.get(station)
        if own is None and (found := self._unknown(station)) is not None:
            return found
        profile = self._profile(own)
        if profile == 2 and not over_tls:  # noqa: PLR2004  (the profile's name)
            way_out = "it connects without TLS: set its address to wss://…, or name the proxy that ends TLS in trusted_proxies"
            return Refusal(403, "This station has to connect with TLS (wss://).", way_out)
        if profile == CERTIFICATE:
            return _uncertified(station, certified)
        if profile and (wrong := self._unproven(station, authorization)):
            return Refusal(401, "Name and password of this station are required.", wrong, _CHALLENGE)
        return None

    def _unknown(self, station: str) -> Refusal | None:
        """Return why a station that the settings do not name may not connect; None when it may."""
        if not station:
            return Refusal(404, "The address has to end in the station's identity.", "its address ends without its identity")
        if len(station) > _MAX_IDENTITY or not station.isprintable():
            way_out = f"its identity has more than {_MAX_IDENTITY} characters, or such as can't be printed"
            return Refusal(404, "This is no identity of a station.", way_out)
        if not self._settings.accept_unknown_stations:
            way_out = f'its identity is not known: add [sources.stations."{station}"], or set accept_unknown_stations = true'
            return Refusal(404, "This station is not known here.", way_out)
        return None

    def _profile(self, own: StationSettings | None) -> int:
        common = self._settings.security_profile
        return common if own is None or own.security_profile is None else own.security_profile

    def _unproven(self, station: str, authorization: str) -> str | None:
        """Return the error in the header with the station's own name and password; None without one."""
        where = "its AuthorizationKey (1.6) or BasicAuthPassword (2.x)"
        if not authorization:
            return f"it sends no password: set {where} and security profile 1 or 2 on the station, {_OPEN_NETWORK} here"
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, _, given = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            name, given = b"", b""
        password = self._own.get(station) or self._common
        if scheme.lower() != "basic" or not name or password is None:
            return "it does not prove itself by HTTP Basic authentication, as OCPP requires"
        is_named = hmac.compare_digest(name.lower(), station.encode().lower())
        is_proven = any(hmac.compare_digest(given, each) for each in _spellings(password))
        if is_named and is_proven:
            return None
        return f"its password is wrong: set {where} to the password in the settings" + (
            "" if is_named else "; its user name has to be its identity"
        )

    def _check(self) -> None:
        for name, own in self._settings.stations.items():
            if self._profile(own) in PASSWORD and not (self._own[name] or self._common):
                raise SourceError(
                    Cause.CONFIGURATION, f"stations.{name}: a password is missing: set password, {_OPEN_NETWORK}."
                )
        if self._settings.accept_unknown_stations and self._settings.security_profile in PASSWORD and not self._common:
            raise SourceError(
                Cause.CONFIGURATION,
                f"accept_unknown_stations: a password for them is missing: set the common password, {_OPEN_NETWORK}.",
            )

    def warnings(self) -> list[str]:
        """Return warnings about settings that are valid but perhaps not intended, in sentences."""
        settings = self._settings
        found = []
        if not settings.stations and not settings.accept_unknown_stations:
            found.append("No station can connect: name them in [sources.stations], or set accept_unknown_stations = true.")
        if settings.accept_unknown_stations and not settings.security_profile:
            found.append("Any client can connect as any station: set a password and security_profile = 1 or 2.")
        open_ones = [name for name, own in settings.stations.items() if not self._profile(own)]
        if open_ones and not (settings.accept_unknown_stations and not settings.security_profile):
            found.append(f"Any client can connect as {', '.join(open_ones)}: security_profile = 0 requires no password.")
        return found


def _uncertified(station: str, certified: Sequence[str]) -> Refusal | None:
    """Return the error in the certificate that the station presented; None without one."""
    if not certified:
        way_out = "it shows no certificate: it needs one of server.tls_client_ca, and no proxy may end its TLS"
        return Refusal(403, "This station has to show a certificate (security profile 3).", way_out)
    if station.casefold() not in (name.casefold() for name in certified):
        way_out = f"its certificate is of {', '.join(certified)[:_MAX_IDENTITY]}: its common name has to be its identity"
        return Refusal(403, "The certificate is another station's.", way_out)
    return None


def _spellings(password: str) -> list[bytes]:
    """Return the password as sent: as it is, or a key in hex as the bytes it represents (OCPP 1.6 AuthorizationKey)."""
    return [password.encode(), *([bytes.fromhex(password)] if _HEX_KEY.fullmatch(password) else [])]


def _password(setting: str, value: str | None) -> str | None:
    found = None if value is None else secret(setting, value)
    if found == "":
        raise SourceError(Cause.CONFIGURATION, f"{setting}: it is empty.")
    return found
