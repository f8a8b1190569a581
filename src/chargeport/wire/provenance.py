"""Who said so, for `meta.source`, and what a derived value was worked out from, for `meta.derivedFrom`."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from chargeport.signals.effective import DERIVED
from chargeport.wire.encoding import encode

OF: Final = " of "
"""Stands between a rule and the codes that a value rests on: `wattage/voltage-amperage@1 of charge-voltage charge-amperage`."""

_MAX_NAMES: Final = 4096  # of sources and rules, remembered as they are written


def shown(source: str | None, rule: str | None) -> str | None:
    """Return what `meta.source` says: a name, of what was derived with the rule."""
    return source if rule is None else f"{DERIVED}:{rule.partition(OF)[0]}"


class Provenance:
    """Names the inputs of derived values. `inputs` are those of each rule, for values that do not name theirs."""

    __slots__ = ("_inputs", "named")

    def __init__(self, inputs: Mapping[str, Iterable[str]]) -> None:
        self._inputs = {rule: tuple(dict.fromkeys(codes)) for rule, codes in inputs.items()}
        self.named = lru_cache(_MAX_NAMES)(self._named)
        """Returns the members of meta that name the source and, of what was derived, its inputs; none for an unknown rule."""

    def _named(self, source: str | None, rule: str | None) -> str:
        return f'"source":{encode(shown(source, rule)).decode()}{self._derived(source, rule)}'

    def _derived(self, source: str | None, rule: str | None) -> str:
        if source != DERIVED:
            return ""
        codes = (rule or "").partition(OF)[2].split() or self._inputs.get(rule or "", ())
        return ',"derivedFrom":[' + ",".join(f'"{code}"' for code in codes) + "]"
