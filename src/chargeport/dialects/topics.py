"""Patterns of topics: in `teslamate/cars/{vehicle}/{field}` one level is the car and one the field."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

TOPICS: Final = 32_768  # whose addresses are cached
MAX_CACHED: Final = 256  # characters of such a topic

_PART: Final = re.compile(r"\{(\w*)(\.\.\.)?\}")


class Address(NamedTuple):
    """The car and the field of a topic; the field is "" where the payload names the fields."""

    vehicle: str | None
    field: str


class TopicPattern(msgspec.Struct, frozen=True):
    """A pattern of topics. `{vehicle}` and `{field}` match one level, `{field...}` all remaining levels, `{}` any one level.

    >>> TopicPattern.parse("ovms/{}/{vehicle}/metric/{field...}").match("ovms/ann/leaf/metric/v/c/charging")
    Address(vehicle='leaf', field='v/c/charging')
    """

    text: str
    filter: str
    regex: str

    @classmethod
    def parse(cls, text: str) -> "TopicPattern":
        """Return the pattern of a text. Raises ValueError for an invalid one."""
        names: list[str] = []
        levels: list[str] = []
        filters: list[str] = []
        for index, level in enumerate(text.split("/")):
            match = _PART.fullmatch(level)
            if match is None:
                if set(level) & set("{}+#"):
                    raise ValueError(f"{text!r}: {level!r}: write {{vehicle}}, {{field}}, {{field...}}, {{}} or plain text")
                levels.append(re.escape(level))
                filters.append(level)
                continue
            name, rest = match[1], match[2]
            if name not in ("", "vehicle", "field") or (name and name in names):
                raise ValueError(f"{text!r}: {level!r}: each of {{vehicle}} and {{field}} may occur once, and nothing else")
            if rest and index != text.count("/"):
                raise ValueError(f"{text!r}: {level!r} matches all remaining levels, so it must be the last level")
            names.append(name)
            levels.append(f"(?P<{name}>{'.+' if rest else '[^/]+'})" if name else "[^/]+")
            filters.append("#" if rest else "+")
        return cls(text, "/".join(filters), "/".join(levels))

    def match(self, topic: str) -> Address | None:
        """Return the car and the field of a topic; None when the pattern does not match."""
        return _cached_match(self.regex, topic) if len(topic) <= MAX_CACHED else _match(self.regex, topic)


def _match(regex: str, topic: str) -> Address | None:
    match = re.fullmatch(regex, topic)  # re caches the compiled pattern
    if match is None:
        return None
    groups = match.groupdict()
    return Address(groups.get("vehicle"), groups.get("field", ""))


_cached_match: Final = lru_cache(TOPICS)(_match)  # a source reports on the same topics again and again
