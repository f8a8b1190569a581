"""Receivers of webhooks: allowed addresses, signatures of requests, and the outcome of a request.

A name is checked when it is resolved (`sender`), and the connection is made to the checked address, so that a name that
resolves differently later is not used. Signatures are Smartcar's, and on request those of Standard Webhooks; the key is the
application's management token. After a rotation two keys are valid for a time: the header of Standard Webhooks has a signature
of each, Smartcar's of one.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import unicodedata
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from chargeport.store.webhooks import MAX_URI, Attempt

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_UNICAST: Final = ipaddress.ip_network("2000::/3")  # all allocated addresses; `is_global` is also true for fec0::/10

_SUCCESS: Final = range(200, 300)
REFUSED: Final = frozenset({401, 403})
"""The statuses of receivers that reject a signature."""

SIGNATURE = "SC-Signature"


class RefusedTargetError(OSError):
    """The target of a webhook may not be connected to. The text is for the person who created the webhook."""


def refusal(address: str) -> str | None:
    """Return why an IP address may not be connected to; None if it is public."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            is_refused = refusal(str(inner)) is not None
            return f"{address} represents {inner}, which is not a public address" if is_refused else None
    is_allocated = ip.version == 4 or ip in _UNICAST  # noqa: PLR2004
    if not is_allocated or not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return f"{address} is not a public address; [webhooks] allow_private_targets = true allows it"
    return None


def check_uri(uri: str, *, allow_private: bool) -> str | None:
    """Return the error of the URI of a receiver; None if it may be used. Names are not resolved here."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is not a URI"
    is_plain = uri.isprintable() and " " not in uri and "@" not in parts.netloc and "#" not in uri
    if parts.scheme not in ("https", "http") or not host or len(uri) > MAX_URI or not is_plain:
        return f"an absolute https URI of at most {MAX_URI} printable characters, without user and fragment, is wanted"
    if allow_private:
        return None
    if parts.scheme != "https":
        return "https is wanted; [webhooks] allow_private_targets = true allows http"
    try:
        return refusal(unicodedata.normalize("NFKC", host))  # as in clients: digits of other scripts become ASCII
    except ValueError:  # a name, which is checked when it is resolved
        return None


class Answer(msgspec.Struct, frozen=True):
    """A receiver's answer, or why there is none."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    response: str = ""
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver accepted the event: any 2xx."""
        return self.status in _SUCCESS

    @property
    def challenge(self) -> object:
        """The answer to a challenge; None if the response has none."""
        try:
            found = json.loads(self.response)
        except (ValueError, RecursionError):
            return None
        return found.get("challenge") if isinstance(found, dict) else None

    def attempt(self, delivery_id: str, event_id: str, webhook_id: str, started_at: int) -> Attempt:
        """Return the entry of the delivery log."""
        return Attempt(
            id=delivery_id, event_id=event_id, webhook_id=webhook_id, started_at=started_at, duration_ms=self.duration_ms,
            status=self.status, error=self.error, response=self.response or None,
        )  # fmt: skip


def signature(management_token: str, message: bytes) -> str:
    """Return Smartcar's signature: the lower-case hex HMAC-SHA256 of the exact bytes."""
    return hmac.new(management_token.encode(), message, hashlib.sha256).hexdigest()


def is_answered(management_token: str, challenge: str, answer: object) -> bool:
    """Return whether a receiver's answer to a challenge proves that it has the key."""
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
