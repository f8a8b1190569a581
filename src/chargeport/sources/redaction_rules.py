"""What in a recording may identify a person: by the member's name, and by format."""

import re
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What has to be replaced, and how its stand-ins begin."""

    VIN = "vin"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    PLACE = "place"
    ACCOUNT = "account"
    SECRET = "secret"  # noqa: S105
    PLATE = "plate"
    SERIAL = "serial"
    PHONE = "phone"
    NAME = "name"
    EMAIL = "email"
    MAC = "mac"
    NETWORK = "network"


# By the last part of a name, in lower case, letters and digits only.
_NAMED: Final = {
    Kind.VIN: ("vin", "vehiclevin", "carvin", "vehicleidentificationnumber", "fin"),
    Kind.LATITUDE: ("lat", "estlat", "nativelat"),
    Kind.LONGITUDE: ("lon", "lng", "long", "estlng", "estlon", "nativelng"),
    Kind.PLACE: (
        "location", "coordinates", "geofence", "geofences", "address", "addresses", "street", "streetname", "housenumber",
        "road", "city", "town", "village", "suburb", "neighbourhood", "county", "postcode", "postalcode", "zip", "zipcode",
        "place",
        "placename", "destination", "destinationname", "activeroutedestination", "formattedaddress", "displayaddress",
        "stationname", "chargingstationname", "sitename", "sitetitle",
    ),
    Kind.ACCOUNT: (
        "user", "username", "userid", "useruuid", "usersub", "sub", "account", "accountid", "accountnumber", "accountname",
        "login", "owner", "ownerid", "firstname", "lastname", "fullname", "surname", "driver", "customer", "customerid",
        "contractid",
        "idtag", "parentidtag", "idtoken", "groupidtoken", "rfid", "identifier", "vehicleid", "ids", "gcid", "emaid", "iccid",
        "imsi", "msisdn",
    ),
    Kind.SECRET: (
        "password", "passwd", "pass", "passphrase", "secret", "clientsecret", "apikey", "xapikey", "authorization",
        "proxyauthorization", "cookie", "setcookie", "credentials", "privatekey", "signature", "signedmeterdata", "signingkey",
        "publickey", "pin", "authkey", "bearer", "sessionid", "jwt",
    ),
    Kind.PLATE: ("plate", "licenseplate", "licenceplate", "numberplate", "registration", "registrationnumber", "kennzeichen"),
    Kind.SERIAL: ("serial", "serialnumber", "serialno", "imei", "meid", "deviceid", "hardwareid", "gatewayid", "din"),
    Kind.PHONE: ("phone", "phonenumber", "mobile", "mobilenumber", "telephone", "fax"),
    Kind.NAME: (
        "displayname", "friendlyname", "vehiclename", "carname", "nickname", "vehicletitle", "devicename", "carnickname",
        "ssid",
    ),
    Kind.EMAIL: ("email", "mail", "emailaddress", "useremail"),
    Kind.MAC: ("mac", "macaddress", "bssid", "wifimac"),
    Kind.NETWORK: ("ip", "ipaddress", "ipv4", "ipv6", "remoteaddr", "xforwardedfor", "xrealip", "hostname"),
}  # fmt: skip
_BY_NAME: Final = {name: kind for kind, names in _NAMED.items() for name in names}
_ENDINGS: Final = (
    ("latitude", Kind.LATITUDE),
    ("longitude", Kind.LONGITUDE),
    ("macaddress", Kind.MAC),
    ("ipaddress", Kind.NETWORK),
    ("emailaddress", Kind.EMAIL),
    ("serialnumber", Kind.SERIAL),
    ("password", Kind.SECRET),
    ("token", Kind.SECRET),
    ("apikey", Kind.SECRET),
    ("licenseplate", Kind.PLATE),
    ("geofence", Kind.PLACE),
    ("address", Kind.PLACE),
    ("location", Kind.PLACE),
    ("vin", Kind.VIN),
)

NEUTRAL: Final = frozenset(
    {
        "timestamp",
        "time",
        "unit",
        "unitofmeasurement",
        "type",
        "at",
        "date",
        "source",
        "quality",
        "createdat",
        "updatedat",
        "code",
    }
)
"""Members that do not describe the member next to them: a location's timestamp is not a place."""

PLACES: Final = frozenset({"address", "geofence", "location"})
"""Topics below which everything is about a position."""

SAYS_NOTHING: Final = frozenset(
    {
        "", "unknown", "unavailable", "none", "null", "nan", "n/a", "-", "invalid",  # in place of a value
        "outlet", "inlet", "ev", "cable", "body", "upstream",  # OCPP's "location" of a measurement
        "home", "not_home", "away", "work",  # zones that many people have
    }
)  # fmt: skip
"""Values that are not replaced, under any name."""

INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
"""A time, under any name."""

LABELS: Final = ("key", "field", "name", "code", "topic", "entity_id")
"""Members whose text names the member next to them, and in which members that applies."""
LABELLED: Final = frozenset({"value", "payload", "state", "body"})

# ISO 3779: 17 characters without I, O and Q, of which the last four are digits.
VIN: Final = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z0-9]*[A-Za-z])[A-HJ-NPR-Za-hj-npr-z0-9]{13}\d{4}(?![A-Za-z0-9])")
VIN_STAND_IN: Final = re.compile(r"(?i).*0{6}|ZZZSYNTH.*")  # a zero serial, or one of the simulator's

PATTERNS: Final = (
    (Kind.SECRET, re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),  # a JSON Web Token
    (Kind.SECRET, re.compile(r"(?i)(?<=\bbearer )[\w.~+/=-]{8,}")),
    (Kind.SECRET, re.compile(r"(?i)(?<=\bbasic )[\w+/=]{8,}")),
    (
        Kind.SECRET,
        re.compile(r"(?<![A-Za-z0-9])cp[a-z]_[\w-]{8,}", re.ASCII),
    ),  # our own: tokens, secrets, codes, links
    (
        Kind.SECRET,
        re.compile(
            r"(?i)(?:(?<=token=)|(?<=tokens=)|(?<=password=)|(?<=passwords=)|(?<=secret=)|(?<=secrets=)|(?<=api_key=))[^&\s\"]+"
        ),
    ),
    (Kind.EMAIL, re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    (Kind.MAC, re.compile(r"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Fa-f:-])")),
    (Kind.VIN, VIN),
    (Kind.PHONE, re.compile(r"(?<![\w.:+-])\+[1-9]\d{0,2}[ /-]?\(?\d{2,4}\)?[ /-]?\d[\d /-]{3,}\d(?!\w)")),
)
PAIR: Final = re.compile(r"(?<![\d.])(-?\d{1,2}\.\d{3,})(\s*[,;]\s*|\s+)(-?\d{1,3}\.\d{3,})(?![\d.])")
"""Latitude and longitude next to each other, in text."""

UUID: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def kind_of(name: str) -> Kind | None:
    """Return the kind of the value under a name (a member, a header, a topic), by its last part; None: not personal."""
    last = re.sub(r"[^a-z0-9]", "", re.split(r"[./:]", name)[-1].lower())
    return next((kind for each in (last, *_singulars(last)) if (kind := _kind_of(each)) is not None), None)


def _kind_of(name: str) -> Kind | None:
    return _BY_NAME.get(name) or next((kind for ending, kind in _ENDINGS if name.endswith(ending)), None)


def _singulars(name: str) -> list[str]:
    """Return the possible singulars of a plural: `tokens`, `addresses`, `cities`."""
    ends = (("ies", "y"), ("es", ""), ("s", ""))
    return [name.removesuffix(plural) + singular for plural, singular in ends if name.endswith(plural)]


def kind_of_topic(topic: str) -> Kind | None:
    """Return the same for a topic: by its last part, or a place by one of the two before (`location/name`)."""
    *before, last = topic.split("/")
    if kind := kind_of(last):
        return kind
    return Kind.PLACE if any(part in PLACES for part in before[-2:]) else None
