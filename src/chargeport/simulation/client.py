"""A synchronous client of a server's HTTP API for commands and tests, on the standard library."""

import json
import urllib.error
import urllib.request
from typing import Any, Final

from chargeport.errors import ChargeportError

TIMEOUT_S: Final = 300.0  # because setting the clock forward by a month takes minutes


class AnswerError(ChargeportError):
    """The server answered with an error: its status, type and code, and the body."""

    def __init__(self, status: int, body: Any) -> None:
        members = body if isinstance(body, dict) else {}
        self.status = status
        self.type: str | None = members.get("type")
        self.code: str | None = members.get("code")
        self.body = body
        super().__init__(str(members.get("description") or f"The server answered with status {status}."))


class Client:
    """Send requests to a server as an application; an expired token is replaced if there are credentials."""

    def __init__(self, url: str, token: str, credentials: tuple[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._credentials = credentials
        # Without the proxies of the environment: the server is local.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Any:
        """Return the JSON of a GET request's answer. Raises AnswerError."""
        return self.send("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        """Post JSON; return that of the answer. Raises AnswerError."""
        return self.send("POST", path, {} if body is None else body)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request, and again with a new token if the old one has expired. Raises AnswerError."""
        try:
            return self._send_once(method, path, body, {"Authorization": f"Bearer {self.token}"})
        except AnswerError as error:
            if error.status != 401 or self._credentials is None:  # noqa: PLR2004  (unauthorized)
                raise
        client_id, client_secret = self._credentials
        grant = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        self.token = self._send_once("POST", "/oauth2/token", grant, {})["access_token"]
        return self._send_once(method, path, body, {"Authorization": f"Bearer {self.token}"})

    def _send_once(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  (a URL of the caller)
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                return _json(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise AnswerError(error.code, _json(error.read())) from None
        except OSError as error:
            raise ChargeportError(f"No server answers at {self.url}: {error}.") from None


def _json(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text.decode("utf-8", "replace")
