"""A receiver of webhooks on loopback: it answers challenges, checks signatures and stores the events."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

from chargeport.errors import ChargeportError

if TYPE_CHECKING:
    from types import TracebackType

SIGNATURE: Final = "SC-Signature"


class Receiver:
    """Receive the webhooks of an application, which its management token signs.

    `events` are the bodies of all but VERIFY, in order of arrival. `statuses` are those of the next answers, 200 after them.
    """

    def __init__(self, management_token: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self._key = management_token.encode()
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        """Start to receive."""
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="webhook receiver", daemon=True).start()
        return self

    def __exit__(self, kind: "type[BaseException] | None", error: BaseException | None, trace: "TracebackType | None") -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def of_type(self, event_type: str) -> list[dict[str, Any]]:
        """Return the events of this type: VEHICLE_STATE or VEHICLE_ERROR."""
        return [event for event in self.events if event["eventType"] == event_type]

    def values(self, code: str) -> list[Any]:
        """Return the value of a signal in each VEHICLE_STATE, in order; None if it has none."""
        signals = [{signal["code"]: signal for signal in event["data"]["signals"]} for event in self.of_type("VEHICLE_STATE")]
        return [by_code.get(code, {}).get("body", {}).get("value") for by_code in signals]

    def wait(self, count: int, timeout_s: float = 10) -> None:
        """Wait until there are `count` events: for a server whose clock runs. Raises TimeoutError."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.events) >= count, timeout_s):
                raise TimeoutError(f"{len(self.events)} events instead of {count} within {timeout_s:g} s")

    def receive(self, raw: bytes, signature: str) -> tuple[int, dict[str, Any]]:
        """Handle a request; return the status and the body of the answer. Raises ChargeportError for a wrong signature."""
        event = json.loads(raw)
        if event["eventType"] == "VERIFY":
            return 200, {"challenge": self._signed(event["data"]["challenge"].encode())}
        if not hmac.compare_digest(self._signed(raw), signature):
            raise ChargeportError("The signature of a webhook is wrong.")
        with self._arrived:
            self.events.append(event)
            self._arrived.notify_all()
        return self.statuses.pop(0) if self.statuses else 200, {}

    def _signed(self, message: bytes) -> str:
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: a second one waits 40 ms for the delayed acknowledgement

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, body = receiver.receive(raw, self.headers.get(SIGNATURE) or "")
            except ChargeportError:
                status, body = 401, {}
            answer = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
            """Print nothing."""

    return Handler
