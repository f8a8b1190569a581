"""What a derived value was worked out from, for `meta.derivedFrom`."""

from collections.abc import Iterable
from typing import Final

from chargeport.derive.live.rules import RULES
from chargeport.derive.sessions.session import SIGNALS
from chargeport.flow.deriving import PREFIX
from chargeport.flow.ledger import SOURCE
from chargeport.signals.definition import Signal


def _member(signals: Iterable[Signal]) -> str:
    codes = dict.fromkeys(signal.code for signal in signals)
    return ',"derivedFrom":[' + ",".join(f'"{code}"' for code in codes) + "]"


_MEMBERS: Final = {SOURCE: _member(SIGNALS)} | {
    PREFIX + rule.label: _member((*(each.signal for each in rule.inputs), *rule.series)) for rule in RULES
}


def derived_from(signal: Signal, source: str | None) -> str:
    """The member of meta that names the inputs; nothing for what was reported. A rule that is gone is told by no inputs."""
    if not signal.is_derived:
        return ""
    return _MEMBERS.get(source or "", ',"derivedFrom":[]')
