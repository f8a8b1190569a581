"""Possible inputs of derived values by rule, for values that do not name their inputs, such as records and totals."""

from typing import Final

from chargeport.derivation.publication import RULE as SESSIONS
from chargeport.derive.live.rules import RULES
from chargeport.derive.sessions.detection import SIGNALS
from chargeport.wire.provenance import Provenance

PROVENANCE: Final = Provenance(
    {SESSIONS: [signal.code for signal in SIGNALS]}
    | {rule.label: [signal.code for signal in (*(part.signal for part in rule.inputs), *rule.series)] for rule in RULES}
)
