"""A client of a server's HTTP API for commands and tests: the standard library's, without asynchrony."""

import json
import urllib.error
import urllib.request
from typing import Any, Final

from chargeport.errors import ChargeportError

TIMEOUT_S: Final = 300.0  # setting the clock forward by a month takes a while


class AnswerError(ChargeportError):
    """The server answered with an error: its status, type and code, and the body."""

    def __init__(self, status: int, body: Any) -> None:
        known = body if isinstance(body, dict) else {}
        self.status = status
        self.type: str | None = known.get("type")
        self.code: str | None = known.get("code")
        self.body = body
        super().__init__(str(known.get("description") or f"The server answered with status {status}."))


class Client:
    """Asks one server as one application; a token that has expired is replaced where the credentials are known."""

    def __init__(self, url: str, token: str, credentials: tuple[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._credentials = credentials
        # A proxy of the environment does not lead to a server of one's own.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Any:
        """Return the JSON of an answer. Raises AnswerError."""
        return self.send("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        """Post JSON; return that of the answer. Raises AnswerError."""
        return self.send("POST", path, {} if body is None else body)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request, once more with a new token where the old one has expired. Raises AnswerError."""
        try:
            return self._sent(method, path, body, {"Authorization": f"Bearer {self.token}"})
        except AnswerError as error:
            if error.status != 401 or self._credentials is None:  # noqa: PLR2004  (unauthorized)
                raise
        client_id, client_secret = self._credentials
        wanted = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        self.token = self._sent("POST", "/oauth2/token", wanted, {})["access_token"]
        return self._sent(method, path, body, {"Authorization": f"Bearer {self.token}"})

    def _sent(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  (a server of one's own)
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                return _json(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise AnswerError(error.code, _json(error.read())) from None
        except OSError as error:
            raise ChargeportError(f"Nobody answers at {self.url}: {error}.") from None


def _json(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text.decode("utf-8", "replace")
