"""OCPP's own schemas, from the package: the names of messages, and the violations of a payload.

A violation does not lead to a refusal: stations in the field send a measurand too many or a text too long, and a refused
meter value is lost. The members that we need are checked where they are read. The schemas are checked by `jsonschema-rs`, in
a hundredth of the time of the package's own check.
"""

from enum import EnumType
from functools import cache
from importlib.resources import files
from typing import Final

import jsonschema_rs
import msgspec
from ocpp.v16.enums import Action as Action16  # type: ignore[import-untyped]
from ocpp.v21.enums import Action as Action21  # type: ignore[import-untyped]
from ocpp.v201.enums import Action as Action201  # type: ignore[import-untyped]

_ACTIONS: Final[dict[str, EnumType]] = {"1.6": Action16, "2.0.1": Action201, "2.1": Action21}
_FILES: Final = {"1.6": ("v16", ("{}",)), "2.0.1": ("v201", ("{}Request",)), "2.1": ("v21", ("{}Request", "{}"))}
_MAX_SENTENCE: Final = 200


@cache
def _names(version: str) -> frozenset[str]:
    return frozenset(str(one.value) for one in _ACTIONS[version])  # type: ignore[var-annotated]


def is_action(version: str, action: str) -> bool:
    """Return whether this version of OCPP has such a message."""
    return action in _names(version)


@cache
def _validator(version: str, action: str) -> jsonschema_rs.Draft4Validator | None:
    """Load the schema of a call; None where the package has none."""
    folder, names = _FILES[version]
    for name in names:
        file = files("ocpp") / folder / "schemas" / f"{name.format(action)}.json"
        if file.is_file():
            schema = msgspec.json.decode(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
            return jsonschema_rs.Draft4Validator(schema)
    return None


def violation(version: str, action: str, payload: bytes) -> str | None:
    """Return the first violation of the schema by a call's payload, in one sentence; None where there is none."""
    validator = _validator(version, action) if is_action(version, action) else None
    if validator is None:
        return None
    try:
        found = next(validator.iter_errors(msgspec.json.decode(payload)), None)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return f"{action} can't be read: {error}"[:_MAX_SENTENCE]
    if found is None:
        return None
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found.instance_path)
    return f"{path.removeprefix('.') or action}: {found.message}"[:_MAX_SENTENCE]
