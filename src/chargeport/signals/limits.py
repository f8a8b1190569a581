"""The body of charge-chargelimits: the state of charge at which charging stops, in general, by place and by charging type."""

from chargeport.signals.definition import Dimension
from chargeport.signals.documents import (
    Condition,
    ConditionType,
    Document,
    Number,
    check_condition,
    check_each,
    in_wire_unit,
    within,
)
from chargeport.signals.violation import Rule, Violation


class ChargeLimit(Document, frozen=True):
    """One limit: the state of charge at which charging stops, in percent."""

    type: ConditionType
    limit: Number
    condition: Condition | None = None

    def check(self, path: str) -> None:
        """Check that the limit is a percentage and the condition fits the type."""
        within(self.limit, 0, 100, f"{path}.limit")
        check_condition(self.type, self.condition, path)


class ChargeLimits(Document, frozen=True):
    """Body of charge-chargelimits: the limit in force, and every configured limit."""

    activeLimit: Number | None = None  # noqa: N815  (wire name)
    values: list[ChargeLimit] | None = None
    unit: str | None = None

    def check(self, path: str) -> None:
        """Check that there is a limit, and that limits are percentages."""
        if self.activeLimit is None and self.values is None:
            raise Violation(Rule.MISSING, "the body has neither activeLimit nor values", path)
        within(self.activeLimit, 0, 100, f"{path}.activeLimit")
        check_each(self.values, f"{path}.values")

    def in_wire_form(self, path: str) -> "ChargeLimits":
        """Return the same limits in percent; a fraction (v2's form) is multiplied by 100."""

        def in_percent(value: float) -> float:
            return in_wire_unit(value, Dimension.RATIO, self.unit, path)

        return ChargeLimits(
            activeLimit=None if self.activeLimit is None else in_percent(self.activeLimit),
            values=None
            if self.values is None
            else [ChargeLimit(limit.type, in_percent(limit.limit), limit.condition) for limit in self.values],
            unit="percent",
        )
