"""Violations: the rule that a value breaks, the member, and a sentence."""

from enum import StrEnum


class Rule(StrEnum):
    """The rules of readings; each is the `code` of a rejection."""

    NOT_JSON = "NOT_JSON"
    WRONG_TYPE = "WRONG_TYPE"
    MISSING = "MISSING"
    UNKNOWN_MEMBER = "UNKNOWN_MEMBER"
    NOT_ALLOWED = "NOT_ALLOWED"
    NOT_FINITE = "NOT_FINITE"
    OUT_OF_BOUNDS = "OUT_OF_BOUNDS"
    PLACEHOLDER = "PLACEHOLDER"
    BAD_FORMAT = "BAD_FORMAT"
    BAD_ORDER = "BAD_ORDER"
    UNKNOWN_UNIT = "UNKNOWN_UNIT"
    UNKNOWN_SIGNAL = "UNKNOWN_SIGNAL"
    UNKNOWN_VEHICLE = "UNKNOWN_VEHICLE"
    NOT_PERMITTED = "NOT_PERMITTED"
    IN_THE_FUTURE = "IN_THE_FUTURE"
    TOO_OLD = "TOO_OLD"


class Violation(ValueError):  # noqa: N818  (a finding about the input, not a failure of the server)
    """A value breaks a rule: `rule` is the rule, `path` the member (`body.value`), `detail` a sentence with the remedy.

    `given` is the value with which `detail` begins. `kind` is the same for all values that break the rule in this way.
    """

    def __init__(self, rule: Rule, detail: str, path: str, *, given: str = "") -> None:
        self.rule = rule
        self.kind = detail
        self.detail = f"{given} {detail}" if given else detail
        self.path = path
        super().__init__(self.detail)
