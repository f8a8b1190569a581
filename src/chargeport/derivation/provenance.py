"""What derived values may rest on, by rule: for those that do not name their inputs themselves, such as records and totals."""

from typing import Final

from chargeport.derivation.publication import RULE as SESSIONS
from chargeport.derive.live.rules import RULES
from chargeport.derive.sessions.detection import SIGNALS
from chargeport.wire.provenance import Provenance

PROVENANCE: Final = Provenance(
    {SESSIONS: [each.code for each in SIGNALS]}
    | {rule.label: [each.code for each in (*(one.signal for one in rule.inputs), *rule.series)] for rule in RULES}
)
