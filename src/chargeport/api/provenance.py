"""What a derived value was worked out from, for `meta.source` and `meta.derivedFrom`."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from chargeport.derivation.deriving import OF, PREFIX
from chargeport.derivation.sessions import SOURCE
from chargeport.derive.live.rules import RULES
from chargeport.derive.sessions.session import SIGNALS
from chargeport.signals.definition import Signal


def _member(codes: Iterable[str]) -> str:
    return ',"derivedFrom":[' + ",".join(f'"{code}"' for code in dict.fromkeys(codes)) + "]"


# Of records and totals, and of values that an older release stored without their inputs: what their rule may go by.
_MEMBERS: Final = {SOURCE: _member(each.code for each in SIGNALS)} | {
    PREFIX + rule.label: _member(each.code for each in (*(one.signal for one in rule.inputs), *rule.series)) for rule in RULES
}


def shown(source: str | None) -> str | None:
    """What `meta.source` says: a name, or of what was derived the rule alone."""
    return source.partition(OF)[0] if source is not None and source.startswith(PREFIX) else source


def derived_from(signal: Signal, source: str | None) -> str:
    """The member of meta that names the inputs; nothing for what was reported. A rule that is gone is told by no inputs."""
    return _inputs(source or "") if signal.is_derived else ""


@lru_cache(maxsize=1024)
def _inputs(source: str) -> str:
    codes = source.partition(OF)[2].split()
    return _member(codes) if codes else _MEMBERS.get(source, _member(()))
