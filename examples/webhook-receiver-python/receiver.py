"""A receiver of webhooks in Python's standard library: it answers the challenge, and takes nothing that is not signed."""

import hashlib
import hmac
import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = os.environ["MANAGEMENT_TOKEN"].encode()


def signed(message: bytes) -> str:
    """Sign as Smartcar does: HMAC-SHA256 with the application's management token, in hex."""
    return hmac.new(KEY, message, hashlib.sha256).hexdigest()


class Receiver(BaseHTTPRequestHandler):
    """Takes events by POST."""

    def do_POST(self) -> None:
        """Answer a challenge, or print what an event says."""
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        event = json.loads(raw)
        if event["eventType"] == "VERIFY":
            self.answer(200, {"challenge": signed(event["data"]["challenge"].encode())})
        elif not hmac.compare_digest(signed(raw), self.headers.get("SC-Signature", "")):
            self.answer(401, {"error": "the signature is wrong"})
        else:
            for signal in event["data"].get("signals", []):
                print(event["data"]["vehicle"]["id"], signal["code"], signal.get("body"), flush=True)
            for error in event["data"].get("errors", []):
                print(event["data"]["vehicle"]["id"], error["type"], error["code"], error["state"], flush=True)
            self.answer(200, {})

    def answer(self, status: int, body: dict[str, str]) -> None:
        """Send JSON."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Print events only."""


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
