"""Encoding of JSON for the wire: compact, UTF-8."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

encode: Final = msgspec.json.Encoder().encode
"""Encode builtins or structs as JSON."""


def without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that have a value."""
    return {name: member for name, member in members.items() if member is not None}
