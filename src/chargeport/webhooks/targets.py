"""Which addresses a webhook may be sent to: public ones, unless the settings allow others.

A name is checked when it is resolved (`sender`), and the connection is made to the checked address, so that a name that
resolves differently later is not used.
"""

import ipaddress
import unicodedata
from typing import Final
from urllib.parse import urlsplit

from chargeport.store.webhooks import MAX_URI

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_UNICAST: Final = ipaddress.ip_network("2000::/3")  # all allocated addresses; `is_global` takes fec0::/10 for public, too


class RefusedTargetError(OSError):
    """The target of a webhook may not be connected to. The text is for the person who made the webhook."""


def refusal(address: str) -> str | None:
    """Return why an IP address may not be connected to; None if it is public."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            is_refused = refusal(str(inner)) is not None
            return f"{address} stands for {inner}, which is not a public address" if is_refused else None
    is_allocated = ip.version == 4 or ip in _UNICAST  # noqa: PLR2004
    if not is_allocated or not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return f"{address} is not a public address; [webhooks] allow_private_targets = true allows it"
    return None


def check_uri(uri: str, *, allow_private: bool) -> str | None:
    """Return what is wrong with the URI of a receiver; None if it may be used. Names are not resolved here."""
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
        return refusal(unicodedata.normalize("NFKC", host))  # as clients do: digits of other scripts become ASCII
    except ValueError:  # a name: checked when it is resolved
        return None
