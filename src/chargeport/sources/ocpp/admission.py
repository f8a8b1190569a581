"""Who may connect: known stations, with their password, over TLS where that is wanted (OCPP security profiles 0, 1, 2)."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from chargeport.sources.base import Cause, SourceError
from chargeport.sources.extras import secret
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings

_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="ocpp"'}
_HEX_KEY: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")


class Refusal(NamedTuple):
    """Why a station may not connect: an HTTP status and a sentence for whoever installs it."""

    status: int
    sentence: str
    headers: Mapping[str, str] = {}


class Admission:
    """Checks stations at the door. Raises SourceError where a station could never get in, or anybody could."""

    def __init__(self, settings: OcppSettings) -> None:
        self._settings = settings
        self._common = _password("password", settings.password)
        self._own = {name: _password(f"stations.{name}.password", one.password) for name, one in settings.stations.items()}
        self._check()

    def refusal(self, station: str, authorization: str, *, over_tls: bool) -> Refusal | None:
        """Why this station may not connect in this way; None when it may."""
        own = self._settings.stations.get(station)
        if own is None and not self._settings.accept_unknown_stations:
            return Refusal(404, "This station is not known here.")
        profile = self._profile(own)
        if profile == 2 and not over_tls:  # noqa: PLR2004  (the profile's name)
            return Refusal(403, "This station has to connect with TLS (wss://).")
        if profile and not self._is_proven(station, authorization):
            return Refusal(401, "Name and password of this station are wanted.", _CHALLENGE)
        return None

    def _profile(self, own: StationSettings | None) -> int:
        common = self._settings.security_profile
        return common if own is None or own.security_profile is None else own.security_profile

    def _is_proven(self, station: str, authorization: str) -> bool:
        """Whether the header holds the station's own name and its password."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, _, given = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        password = self._own.get(station) or self._common
        if scheme.lower() != "basic" or password is None:
            return False
        is_named = hmac.compare_digest(name, station.encode())
        return is_named and any(hmac.compare_digest(given, each) for each in _spellings(password))

    def _check(self) -> None:
        open_network = "or security_profile = 0 in a network that you trust"
        for name, own in self._settings.stations.items():
            if self._profile(own) and not (self._own[name] or self._common):
                raise SourceError(Cause.CONFIGURATION, f"stations.{name}: a password is missing: set password, {open_network}.")
        if self._settings.accept_unknown_stations and self._settings.security_profile and not self._common:
            raise SourceError(
                Cause.CONFIGURATION,
                f"accept_unknown_stations: a password for them is missing: set the common password, {open_network}.",
            )


def _spellings(password: str) -> list[bytes]:
    """The password as sent: as it is, or a key written in hex as the bytes it stands for (OCPP 1.6 AuthorizationKey)."""
    return [password.encode(), *([bytes.fromhex(password)] if _HEX_KEY.fullmatch(password) else [])]


def _password(setting: str, value: str | None) -> str | None:
    found = None if value is None else secret(setting, value)
    if found == "":
        raise SourceError(Cause.CONFIGURATION, f"{setting}: it is empty.")
    return found
