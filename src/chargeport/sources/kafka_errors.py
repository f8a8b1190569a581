"""The meaning of Kafka's error codes for the operator of a source."""

from typing import TYPE_CHECKING, Final

from chargeport.sources.base import Cause, SourceError

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

# By number, since the package may be absent: librdkafka's own codes are negative, the rest are Kafka's protocol.
_CAUSES: Final = {
    -187: Cause.UNREACHABLE,  # all brokers down; a single one is handled by the client
    -193: Cause.UNREACHABLE,  # a name can't be resolved
    -169: Cause.AUTHENTICATION,
    -181: Cause.AUTHENTICATION,  # TLS
    -186: Cause.CONFIGURATION,  # a property has an invalid value
    -188: Cause.CONFIGURATION,  # unknown topic, as the client sees it
    -190: Cause.CONFIGURATION,  # unknown partition
    -150: Cause.PROTOCOL,  # fatal
    -165: Cause.PROTOCOL,  # a feature that the broker lacks
    3: Cause.CONFIGURATION,  # unknown topic
    17: Cause.CONFIGURATION,  # an invalid topic name
    29: Cause.AUTHENTICATION,  # not authorized for this topic
    30: Cause.AUTHENTICATION,  # not authorized for this group
    31: Cause.AUTHENTICATION,  # not authorized for the cluster
    33: Cause.AUTHENTICATION,  # a SASL mechanism that the broker does not have
    35: Cause.PROTOCOL,
    58: Cause.AUTHENTICATION,
}
REBALANCED: Final = frozenset({-168, -144, -142, 22, 25, 27})
"""Another member owns the partition by now: no offset, assignment lost, fenced, old generation, unknown member, rebalance."""


def cause_of(error: "KafkaError") -> Cause | None:
    """Return the cause of an error; None: the client retries by itself."""
    return _CAUSES.get(error.code(), Cause.PROTOCOL if error.fatal() else None)


def source_error(error: Exception) -> SourceError:
    """Return the error that a call to the client raised as a SourceError with its cause."""
    kafka = error.args[0] if error.args else None
    code = getattr(kafka, "code", None)
    if code is None:  # the client refuses a property: TypeError, ValueError
        return SourceError(Cause.CONFIGURATION, f"Kafka refuses a setting: {error}.")
    return SourceError(_CAUSES.get(code(), Cause.UNREACHABLE), f"Kafka: {kafka.str() if kafka else error}.")
