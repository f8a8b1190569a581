"""The source of a value, for `meta.source`, and the inputs of a derived value, for `meta.derivedFrom`."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from chargeport.signals.effective import DERIVED
from chargeport.wire.encoding import encode

OF: Final = " of "
"""The separator of a rule and the codes of its inputs: `wattage/voltage-amperage@1 of charge-voltage charge-amperage`."""

_MAX_NAMES: Final = 4096  # entries of the cache of rendered members


def shown(source: str | None, rule: str | None) -> str | None:
    """Return `meta.source`: the source's name, or `derived:` and the rule."""
    return source if rule is None else f"{DERIVED}:{rule.partition(OF)[0]}"


class Provenance:
    """Render the members of meta for a source. `inputs` has the codes of each rule, for values that do not name theirs."""

    __slots__ = ("_inputs", "members")

    def __init__(self, inputs: Mapping[str, Iterable[str]]) -> None:
        self._inputs = {rule: tuple(dict.fromkeys(codes)) for rule, codes in inputs.items()}
        self.members = lru_cache(_MAX_NAMES)(self._members)
        """Return `source` and, for a derived value, `derivedFrom`, which is empty for an unknown rule."""

    def _members(self, source: str | None, rule: str | None) -> str:
        member = f'"source":{encode(shown(source, rule)).decode()}'
        if source != DERIVED:
            return member
        codes = (rule or "").partition(OF)[2].split() or self._inputs.get(rule or "", ())
        return member + ',"derivedFrom":[' + ",".join(f'"{code}"' for code in codes) + "]"
