"""JSON as it is sent: compact, UTF-8."""

from typing import Final

import msgspec

encode: Final = msgspec.json.Encoder().encode
"""Builtins or structs as JSON."""
