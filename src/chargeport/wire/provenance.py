"""Who said so, for `meta.source`, and what a derived value was worked out from, for `meta.derivedFrom`."""

from collections.abc import Iterable, Mapping
from typing import Final

from chargeport.signals.effective import DERIVED

OF: Final = " of "
"""Stands between a rule and the codes that a value rests on: `wattage/voltage-amperage@1 of charge-voltage charge-amperage`."""

_MAX_RULES: Final = 1024  # remembered as they are written: there are some dozens


def shown(source: str | None, rule: str | None) -> str | None:
    """What `meta.source` says: a name, of what was derived with the rule."""
    return source if rule is None else f"{DERIVED}:{rule.partition(OF)[0]}"


class Provenance:
    """Names the inputs of derived values. `inputs` are those of each rule, for values that do not name theirs."""

    __slots__ = ("_inputs", "_members")

    def __init__(self, inputs: Mapping[str, Iterable[str]]) -> None:
        self._inputs = {rule: tuple(dict.fromkeys(codes)) for rule, codes in inputs.items()}
        self._members: dict[str, str] = {}

    def derived_from(self, source: str | None, rule: str | None) -> str:
        """The member of meta that names the inputs; nothing for what was reported. A rule that is gone is told by no inputs."""
        if source != DERIVED:
            return ""
        text = rule or ""
        member = self._members.get(text)
        if member is None:
            if len(self._members) >= _MAX_RULES:
                self._members.clear()
            member = self._members[text] = self._member(text)
        return member

    def _member(self, rule: str) -> str:
        codes = rule.partition(OF)[2].split() or self._inputs.get(rule, ())
        return ',"derivedFrom":[' + ",".join(f'"{code}"' for code in codes) + "]"
