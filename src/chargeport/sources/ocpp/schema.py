"""OCPP's own schemas, as the package brings them: what a message may be called, and what is not as it should be in it.

A violation refuses nothing: stations in the field send a measurand too many or a text too long, and a refused meter value is a
lost one. What we need ourselves is checked where it is read.
"""

from enum import EnumType
from typing import Final

import msgspec
from ocpp.messages import MessageType, get_validator  # type: ignore[import-untyped]
from ocpp.v16.enums import Action as Action16  # type: ignore[import-untyped]
from ocpp.v201.enums import Action as Action201  # type: ignore[import-untyped]

_ACTIONS: Final[dict[str, EnumType]] = {"1.6": Action16, "2.0.1": Action201}
_MAX_SENTENCE: Final = 200


def is_action(version: str, action: str) -> bool:
    """Whether this version of OCPP has such a message at all."""
    return action in {str(one.value) for one in _ACTIONS[version]}  # type: ignore[var-annotated]


def violation(version: str, action: str, payload: bytes) -> str | None:
    """The first thing that the schema has against a call's payload, in one sentence; None when there is nothing."""
    try:
        said = msgspec.json.decode(payload)
        found = next(get_validator(MessageType.Call, action, version).iter_errors(said), None)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return f"{action} can't be read: {error}"[:_MAX_SENTENCE]
    return None if found is None else f"{found.json_path.removeprefix('$.')}: {found.message}"[:_MAX_SENTENCE]
