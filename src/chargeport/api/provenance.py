"""What a derived value was worked out from, for `meta.source` and `meta.derivedFrom`."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from chargeport.derivation.deriving import OF
from chargeport.derivation.sessions import RULE as SESSIONS
from chargeport.derive.live.rules import RULES
from chargeport.derive.sessions.session import SIGNALS
from chargeport.signals.effective import DERIVED


def _member(codes: Iterable[str]) -> str:
    return ',"derivedFrom":[' + ",".join(f'"{code}"' for code in dict.fromkeys(codes)) + "]"


# Of records and totals, and of values that an older release stored without their inputs: what their rule may go by.
_MEMBERS: Final = {SESSIONS: _member(each.code for each in SIGNALS)} | {
    rule.label: _member(each.code for each in (*(one.signal for one in rule.inputs), *rule.series)) for rule in RULES
}


def shown(source: str | None, rule: str | None) -> str | None:
    """What `meta.source` says: a name, of what was derived with the rule."""
    return source if rule is None else f"{DERIVED}:{rule.partition(OF)[0]}"


def derived_from(source: str | None, rule: str | None) -> str:
    """The member of meta that names the inputs; nothing for what was reported. A rule that is gone is told by no inputs."""
    return _inputs(rule or "") if source == DERIVED else ""


@lru_cache(maxsize=1024)
def _inputs(rule: str) -> str:
    codes = rule.partition(OF)[2].split()
    return _member(codes) if codes else _MEMBERS.get(rule, _member(()))
