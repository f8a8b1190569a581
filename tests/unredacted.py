"""What a recording still tells of somebody: found by redacting it again."""

import json
from typing import Any

from chargeport.sources.redaction import Redaction


def unredacted(text: str) -> list[str]:
    """What in a recording (or any JSON) could identify somebody; empty, if nothing could."""
    redaction = Redaction()
    try:
        values = [json.loads(text)]
    except ValueError:
        values = [_parsed(line) for line in text.split("\n")]  # `splitlines` would cut texts, too
    for value in values:
        if isinstance(value, dict) and {"payload", "payload_base64"} & value.keys():
            redaction.line(value)
        else:
            redaction.value(value)
    return redaction.found


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line
