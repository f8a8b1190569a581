"""Signatures: Smartcar's, and on request that of Standard Webhooks beside it. The key is the application's management token.

After a rotation two keys are valid for a time. The header of Standard Webhooks has a signature of each, Smartcar's of one.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

SIGNATURE = "SC-Signature"


def signature(management_token: str, message: bytes) -> str:
    """Return Smartcar's signature: the lower-case hex HMAC-SHA256 of the exact bytes."""
    return hmac.new(management_token.encode(), message, hashlib.sha256).hexdigest()


def is_answered(management_token: str, challenge: str, answer: object) -> bool:
    """Return whether a receiver's answer to a challenge proves that it knows the key."""
    return isinstance(answer, str) and hmac.compare_digest(
        signature(management_token, challenge.encode()).encode(), answer.strip().lower().encode()
    )


def standard_headers(management_tokens: Sequence[str], event_id: str, sent_at: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks. Receivers use `whsec_` and the base64 of the management token as secret."""
    seconds = str(sent_at // 1000)
    message = b".".join((event_id.encode(), seconds.encode(), body))
    digests = (hmac.new(token.encode(), message, hashlib.sha256).digest() for token in management_tokens)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }
