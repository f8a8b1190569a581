"""History on the wire: a change as body or error with its times, a bucket as what its values were."""

from chargeport.api.aggregation import Bucket
from chargeport.derivation.provenance import PROVENANCE
from chargeport.signals import wire
from chargeport.signals.definition import Kind, Permission, Signal, Value
from chargeport.signals.sweep import Step
from chargeport.wire.envelope import body, iso, place_free
from chargeport.wire.status import ERROR_STATUSES_JSON


def change(signal: Signal, step: Step, permissions: frozenset[Permission]) -> str:
    """Return a change: from when on the value was so, or there was none."""
    state = step.state
    if step.absence is not None:
        content, received_at = f'"status":{ERROR_STATUSES_JSON[step.absence]}', state.absence_received_at or 0
    else:
        assert step.value is not None  # noqa: S101  (a step has the one or the other)
        content, received_at = f'"body":{body(signal, step.value, permissions)}', state.received_at or 0
    times = f'"oemUpdatedAt":"{iso(step.at)}","retrievedAt":"{iso(received_at)}"'
    return f'{{{content},"meta":{{{times},{PROVENANCE.members(state.source, state.rule)}}}}}'


def bucket(signal: Signal, filled: Bucket, step_ms: int, permissions: frozenset[Permission]) -> str:
    """Return a bucket: its bounds, how many changes began in it, for how long a value stood, and what that was."""
    bounds = f'"from":"{iso(filled.start)}","to":"{iso(filled.start + step_ms)}"'
    counted = f'"count":{filled.changes},"heldSeconds":{wire.number(filled.total_ms / 1000)}'
    last = place_free(signal, wire.text(signal, filled.last), permissions)
    members = [bounds, counted, *_aggregates(signal, filled), f'"last":{last}']
    return "{" + ",".join(members) + "}"


def _aggregates(signal: Signal, filled: Bucket) -> list[str]:
    """Return the aggregates: of numbers the extremes and the mean, of flags and texts the fraction of time of each."""
    match signal.kind:
        case Kind.DOCUMENT:
            return []
        case Kind.FLAG | Kind.TEXT:
            total_ms = filled.total_ms
            fractions = [
                f"{_name(signal, value)}:{wire.number(stood_ms / total_ms)}" for value, stood_ms in filled.stood_ms.items()
            ]
            return [f'"fractions":{{{",".join(fractions)}}}']
        case _:
            least, most = (wire.text(signal, bound) for bound in filled.bounds)
            return [f'"min":{least},"max":{most},"mean":{wire.number(filled.mean)}']


def _name(signal: Signal, value: Value) -> str:
    """Return a flag or a text as the name of a member."""
    text = wire.text(signal, value)
    return f'"{text}"' if signal.kind is Kind.FLAG else text
