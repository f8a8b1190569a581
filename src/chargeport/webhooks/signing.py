"""Signatures: Smartcar's, and on request that of Standard Webhooks beside it. The key is the application's management token."""

import base64
import hashlib
import hmac

SIGNATURE = "SC-Signature"


def signature(management_token: str, message: bytes) -> str:
    """Return Smartcar's signature: the lower-case hex HMAC-SHA256 of the exact bytes."""
    return hmac.new(management_token.encode(), message, hashlib.sha256).hexdigest()


def is_answered(management_token: str, challenge: str, answer: object) -> bool:
    """Return whether a receiver's answer to a challenge shows that it knows the key."""
    return isinstance(answer, str) and hmac.compare_digest(
        signature(management_token, challenge.encode()).encode(), answer.strip().lower().encode()
    )


def standard_headers(management_token: str, event_id: str, sent_at: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks. Receivers use `whsec_` and the base64 of the management token as secret."""
    seconds = str(sent_at // 1000)
    digest = hmac.new(
        management_token.encode(), b".".join((event_id.encode(), seconds.encode(), body)), hashlib.sha256
    ).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
