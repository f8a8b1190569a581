"""Redaction: replace in a recording what could identify a person, a place or a key, by stand-ins.

The same text has the same stand-in throughout a recording, so that it stays useful. Stand-ins are numbered, not
computed from the original: of the few possible plates or serial numbers, all could be tried. What is redacted already is
not changed.
"""

import base64
import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Final

from chargeport.sources.base import Cause, SourceError
from chargeport.sources.redaction_rules import (
    INSTANT,
    LABELLED,
    LABELS,
    NEUTRAL,
    PAIR,
    PATTERNS,
    SAYS_NOTHING,
    UUID,
    VIN,
    VIN_STAND_IN,
    Kind,
    kind_of,
    kind_of_topic,
)

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

MIN_NAME: Final = 3  # letters that a name must have to be searched for in all texts
MAX_SMALL: Final = 9999  # numbers of a person or a device are larger
# The sea around 48.9° S 123.4° W, further from any house than every other place; a coordinate with one decimal is a region.
SEA: Final = {Kind.LATITUDE: -48.8, Kind.LONGITUDE: -123.3}
SEA_STEPS: Final = 1000
DEGREES: Final = 180
LARGE_ID: Final = 1_000_000_000  # an "id" of this size identifies one car or person (Tesla)
VIN_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
_PLAIN: Final = re.compile(
    # Our own stand-ins, and those in recordings that are written by hand.
    rf"(?i)(?:{'|'.join(Kind)})\d+|(?:car|user|tag|test)[-_ ]?\d*"
    r"|.{1,64}@(?:.{1,255}\.)?example(?:\.(?:org|com|net))?|02[:-]00[:-]00.*|192\.0\.2\.\d+|127\.0\.0\.1|localhost"
)
_OVMS: Final = re.compile(r"^(ovms/)([^/]+)/([^/]+)/")


class Redaction:
    """Replaces texts, and remembers their stand-ins; `found` lists what was replaced. `names` are replaced everywhere."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.found: list[str] = []
        self._known: dict[tuple[Kind, str], str] = {}
        self._counts: dict[Kind, int] = {}
        self._names: dict[str, re.Pattern[str]] = {}
        for name in names:
            if len(name) < MIN_NAME:
                raise SourceError(
                    Cause.CONFIGURATION, f"A name to redact must have {MIN_NAME} letters: {name!r} is everywhere."
                )
            self.learn(name)

    def learn(self, name: str) -> None:
        """Replace this name too from now on, unless it is too short or a number, or recognized by its format."""
        plain = len(name) < MIN_NAME or name.isdigit() or UUID.fullmatch(name) or VIN.fullmatch(name) or _PLAIN.fullmatch(name)
        if not plain and name not in self._names:
            self._names[name] = re.compile(rf"(?i)(?<![^\W_]){re.escape(name)}(?![^\W_])")

    def line(self, line: dict[str, Json]) -> dict[str, Json]:
        """Redact a line of a recording. A binary payload is not changed, except for VINs in it."""
        topic = str(line.get("topic") or "")
        redacted = {key: value if key == "payload" else self.value(value) for key, value in line.items()}
        if topic:
            redacted["topic"] = self.topic(topic)
        if isinstance(payload := line.get("payload"), str):
            redacted["payload"] = self.payload(payload, kind_of_topic(topic))
        elif "payload" in line:
            redacted["payload"] = self.value(payload, kind_of_topic(topic))
        if isinstance(encoded := line.get("payload_base64"), str):
            text = base64.b64decode(encoded).decode("latin-1")
            changed = VIN.sub(self._replacing(Kind.VIN), text)
            redacted["payload_base64"] = base64.b64encode(changed.encode("latin-1")).decode()
        return redacted

    def topic(self, topic: str) -> str:
        """Redact a topic: accounts and cars at their known places, and whatever else is recognized by its format."""
        topic = _OVMS.sub(
            lambda found: f"{found[1]}{self._stand_in(Kind.ACCOUNT, found[2])}/{self._stand_in(Kind.NAME, found[3])}/", topic
        )
        return "/".join(self._account(part) if UUID.fullmatch(part) else self.text(part) for part in topic.split("/"))

    def payload(self, text: str, kind: Kind | None = None) -> str:
        """Redact a text that may be JSON, or lines of it; unchanged byte for byte where nothing is replaced."""
        try:
            value = json.loads(text)
        except ValueError:
            if "\n" in text.strip():
                return "\n".join(self.payload(part, kind) for part in text.split("\n"))
            return str(self._scalar(text, kind))
        before = len(self.found)
        redacted = self.value(value, kind)
        return json.dumps(redacted, ensure_ascii=False) if len(self.found) > before else text

    def value(self, value: Json, kind: Kind | None = None) -> Json:
        """Redact a JSON value under a name of some kind."""
        if isinstance(value, dict):
            return self._members(value, kind)
        if isinstance(value, list):
            return [self.value(one, kind) for one in value]
        if isinstance(value, str) and kind is None and value[:1] in {"{", "["}:
            return self.payload(value)
        return self._scalar(value, kind)

    def text(self, text: str) -> str:
        """Redact a text, by format, and the names."""
        for kind, pattern in PATTERNS:
            text = pattern.sub(self._replacing(kind), text)
        text = PAIR.sub(
            lambda found: self._coordinate(Kind.LATITUDE, found[1]) + found[2] + self._coordinate(Kind.LONGITUDE, found[3]),
            text,
        )
        for name, pattern in self._names.items():
            text = pattern.sub(self._replacing(Kind.NAME, name), text)
        return text

    def _replacing(self, kind: Kind, name: str | None = None) -> Callable[[re.Match[str]], str]:
        return lambda found: self._stand_in(kind, name or found[0])

    def _members(self, members: dict[str, Json], kind: Kind | None) -> dict[str, Json]:
        labels = [label for key in LABELS if isinstance(label := members.get(key), str)]
        labelled = next((found for label in labels if (found := kind_of(label))), None)
        redacted: dict[str, Json] = {}
        for key, value in members.items():
            plain = key.lower().replace("_", "")
            inherited = None if plain in NEUTRAL else kind
            if key in LABELS and isinstance(value, str) and kind_of(value):
                redacted[key] = self._key(value)  # it names the member next to it, and is not a personal name
            else:
                beside = labelled if key in LABELLED else None
                own = Kind.ACCOUNT if key == "id" and isinstance(value, int) and value > LARGE_ID else kind_of(key)
                redacted[self._key(key)] = self.value(value, own or beside or inherited)
        return redacted

    def _key(self, key: str) -> str:
        return self.topic(key) if "/" in key else self.text(key)

    def _scalar(self, value: Json, kind: Kind | None) -> Json:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and (value.strip().lower() in SAYS_NOTHING or INSTANT.fullmatch(value)):
            return value
        if kind in SEA or (kind is Kind.PLACE and isinstance(value, float)):
            axis = kind if kind in SEA and kind is not None else Kind.LATITUDE
            return self._number(axis, value)
        if isinstance(value, int):
            return self._small(kind, value) if kind is not None and (abs(value) > MAX_SMALL or kind is Kind.SECRET) else value
        if not isinstance(value, str):
            return value
        return self.text(value) if kind is None else self._whole(kind, value)

    def _number(self, axis: Kind, value: Json) -> Json:
        if isinstance(value, int):  # a degree, or millionths of one
            return value if abs(value) <= DEGREES else self._small(axis, value)
        if isinstance(value, float):
            return float(self._coordinate(axis, repr(value))) if math.isfinite(value) else value
        text = str(value)
        if re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", text):
            return self._coordinate(axis, text)
        return self._stand_in(axis, text) if any(one.isdigit() for one in text) else self.text(text)

    def _small(self, kind: Kind, value: int) -> int:
        if kind is Kind.SECRET:
            if value:
                self.found.append(f"{kind}: {value}")
            return 0
        return int(re.sub(r"\D", "", self._stand_in(kind, str(value), counted=True)))

    def _whole(self, kind: Kind, text: str) -> str:
        """Redact all of a text under a name of this kind."""
        if kind is Kind.VIN and not (len(text) > MIN_NAME and any(one.isdigit() for one in text)):
            return self.text(text)
        if kind is Kind.SECRET and (scheme := re.match(r"(?i)(bearer|basic) ", text)):
            return scheme[0] + self._stand_in(kind, text[scheme.end() :])
        return self._stand_in(kind, text)

    def _account(self, uuid: str) -> str:
        if uuid.startswith("00000000-"):
            return uuid
        return f"00000000-0000-4000-8000-{self._small(Kind.ACCOUNT, int(uuid.replace('-', ''), 16)):012}"

    def _coordinate(self, axis: Kind, text: str) -> str:
        value = float(text)
        if round(value, 1) == value or (round(value, 3) == value and 0 <= SEA[axis] - value <= 1):
            return text
        number = int(self._stand_in(axis, f"{value:.7f}", counted=True).removeprefix(axis))
        return f"{SEA[axis] - (number % SEA_STEPS) / SEA_STEPS:.3f}"

    def _stand_in(self, kind: Kind, text: str, *, counted: bool = False) -> str:
        if not counted and (_PLAIN.fullmatch(text) or (kind is Kind.VIN and VIN_STAND_IN.fullmatch(text))):
            return text
        self.found.append(f"{kind}: {text}")
        if (kind, text.upper()) not in self._known:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[kind, text.upper()] = (
                f"{kind}{self._counts[kind]}" if counted else _made(kind, text, self._counts[kind])
            )
        return self._known[kind, text.upper()]


def _made(kind: Kind, text: str, number: int) -> str:
    if kind is Kind.VIN and VIN.fullmatch(text):
        # Maker and model remain, which thousands share; check digit, year, plant and serial number are removed.
        high, low = divmod(number, len(VIN_ALPHABET))
        made = f"{text[:8]}0{VIN_ALPHABET[high % len(VIN_ALPHABET)]}{VIN_ALPHABET[low]}000000"
        return made.lower() if text.islower() else made.upper()
    if kind is Kind.EMAIL:
        return f"person{number}@example.org"
    if kind is Kind.MAC:
        separator = text[2] if len(text) > MIN_NAME and text[2] in ":-" else ":"
        return separator.join(["02", "00", "00", *(f"{number >> shift & 255:02X}" for shift in (16, 8, 0))])
    if kind is Kind.NETWORK:
        return f"192.0.2.{number % 256}"
    return f"{kind}{number}"
