"""The outcome of a request to a receiver."""

import json
from typing import Final

import msgspec

from chargeport.store.webhooks import Attempt

_SUCCESS: Final = range(200, 300)
REFUSED: Final = frozenset({401, 403})
"""The statuses of receivers that reject a signature."""


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
