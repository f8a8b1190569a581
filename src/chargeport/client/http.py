"""The client: requests with a token that is renewed, answers as types, and a stream that resumes where it broke."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Self

import httpx
import msgspec

from chargeport.client.types import Bucket, Event, Point, Record, Signal, Vehicle, instant

RETRIES: Final = 5
LONGEST_WAIT_S: Final = 60.0
RENEW_BEFORE_S: Final = 60.0
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})


class ServerError(Exception):
    """The server refused: `status`, `code` and a sentence that names the way out."""

    def __init__(self, status: int, code: str | None, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code

    @classmethod
    def of(cls, response: httpx.Response) -> "ServerError":
        """Return the error that an answer tells."""
        try:
            first = response.json()["errors"][0]
        except (ValueError, KeyError, IndexError, TypeError):
            return cls(response.status_code, None, f"The server answered {response.status_code}.")
        return cls(
            response.status_code, first.get("code"), first.get("detail") or f"The server answered {response.status_code}."
        )


class Client:
    """A server at `url`, asked with a bearer token, or as an application with its id and secret.

    What fails for a moment (the network, 429, 502, 503, 504) is tried again, as long as `Retry-After` says, else longer each
    time. Use it in a `with` block, or call `close`.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        user_id: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if token is None and (client_id is None or client_secret is None):
            raise ValueError("Give a token, or client_id and client_secret: chargeport app create prints them.")
        headers = {} if user_id is None else {"sc-user-id": user_id}
        self._http = httpx.Client(base_url=url.rstrip("/"), transport=transport, timeout=30, headers=headers)
        self._credentials = (client_id, client_secret)
        self._token, self._good_until = token, None if token is not None else 0.0
        self._sleep, self._clock = sleep, clock

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Reads

    def vehicles(self) -> Iterator[Vehicle]:
        """Yield every vehicle that the application may see."""
        for one in self._pages("/v3/vehicles", {"page[size]": 100}):
            yield msgspec.convert({"id": one["id"], **one["attributes"]}, Vehicle)

    def signals(self, vehicle: str) -> dict[str, Signal]:
        """Return all signals of a vehicle that have a value or a known reason for none, by code."""
        found = self.get(f"/v3/vehicles/{vehicle}/signals")
        return {one.code: one for one in map(Signal.of, found["data"])}

    def fleet_signals(self, codes: Sequence[str] = ()) -> Iterator[tuple[str, Signal]]:
        """Yield the signals (or those with these codes) of all vehicles that the application may see, with the vehicle's id."""
        query: dict[str, Any] = {"page[size]": 500} | ({"filter[code]": ",".join(codes)} if codes else {})
        for one in self._pages("/v3/signals", query):
            yield one["relationships"]["vehicle"]["data"]["id"], Signal.of(one)

    def signal(self, vehicle: str, code: str) -> Signal:
        """Return one signal. Raises ServerError (404) where it was never reported."""
        return Signal.of(self.get(f"/v3/vehicles/{vehicle}/signals/{code}")["data"])

    def history(
        self, vehicle: str, code: str, *, start: datetime | None = None, end: datetime | None = None, source: str | None = None
    ) -> Iterator[Point]:
        """Yield every change of a signal, oldest first."""
        query = _query(start, end) | ({} if source is None else {"source": source})
        for one in self._pages(f"/v3/vehicles/{vehicle}/signals/{code}/values", query | {"page[size]": 1000}):
            meta = one["meta"]
            at = instant(meta.get("oemUpdatedAt") or meta.get("ingestedAt"))
            if at is not None:
                yield Point(at, one.get("body"), meta.get("source"))

    def buckets(
        self, vehicle: str, code: str, resolution: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[Bucket]:
        """Yield a signal in stretches of one length (`PT15M`, `PT1H`, `P1D`), oldest first."""
        query = _query(start, end) | {"resolution": resolution, "page[size]": 1000}
        for one in self._pages(f"/v3/vehicles/{vehicle}/signals/{code}/values", query):
            yield msgspec.convert(one | {"start": one["from"], "end": one["to"]}, Bucket)

    def records(
        self,
        vehicle: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        by_vehicle: bool = False,
    ) -> Iterator[Record]:
        """Yield charging sessions, newest first; or by vehicle and begin, which takes any number of vehicles."""
        query = {f"filter[{name}]": value for name, value in _query(start, end).items()}
        if vehicle is not None:
            query["filter[vehicleId]"] = vehicle
        if by_vehicle:
            query["order"] = "vehicle"
        for one in self._pages("/records", query | {"page[size]": 500}):
            yield msgspec.convert(one, Record)

    def stream(
        self, vehicles: Sequence[str] = (), signals: Sequence[str] = (), *, last_event_id: str | None = None
    ) -> Iterator[Event]:
        """Yield what changes from now on, or behind an event that was read before. Comes back by itself where it breaks."""
        query = {name: ",".join(values) for name, values in (("vehicle", vehicles), ("signal", signals)) if values}
        place, failures = last_event_id, 0
        while True:
            headers = self._authorization() | ({} if place is None else {"Last-Event-ID": place})
            try:
                with self._http.stream(
                    "GET", "/stream", params=query, headers=headers, timeout=httpx.Timeout(30, read=60)
                ) as answer:
                    if answer.status_code == 401 and self._good_until is not None:  # noqa: PLR2004
                        self._good_until = 0.0
                        raise httpx.ReadError("The token has ended.")
                    self._check(answer)
                    failures = 0
                    for kind, data, event_id in _blocks(_lines(answer.iter_bytes())):
                        place = event_id or place
                        if data is not None and kind in ("signal", "ended"):
                            yield Event(kind, data["vehicle"], Signal.of(data["signal"]), event_id)
            except httpx.TransportError:
                failures += 1
            except ServerError as error:
                if error.status not in _TRY_AGAIN:
                    raise
                failures += 1
            self._sleep(min(LONGEST_WAIT_S, 2.0**failures - 1))

    # Sending

    def send(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Send readings; the answer says what became of each. Those that are on disk are safe to send again."""
        body = b"\n".join(json.dumps(each, separators=(",", ":")).encode() for each in items)
        answer = self.request(
            "POST", "/ingest/readings", content=body, headers={"content-type": "application/x-ndjson"}, fine=(200, 422)
        )
        found: dict[str, Any] = answer.json()
        return found

    # The request itself

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON answer to a request that reads. Raises ServerError, httpx.TransportError."""
        return self.request("GET", path, params=query).json()

    def request(self, method: str, path: str, *, fine: Iterable[int] = (), **more: Any) -> httpx.Response:
        """Return the answer to a request, tried again where that may help. Raises ServerError, httpx.TransportError."""
        headers = dict(more.pop("headers", {}))
        for attempt in range(RETRIES + 1):
            try:
                answer = self._http.request(method, path, headers=headers | self._authorization(), **more)
            except httpx.TransportError:
                if attempt == RETRIES:
                    raise
                self._sleep(min(LONGEST_WAIT_S, 2.0**attempt))
                continue
            if answer.status_code == 401 and self._good_until is not None and attempt == 0:  # noqa: PLR2004
                self._good_until = 0.0
                continue
            if answer.status_code in _TRY_AGAIN and attempt < RETRIES:
                self._sleep(_wait_of(answer, attempt))
                continue
            if answer.status_code not in fine:
                self._check(answer)
            return answer
        raise AssertionError("the last attempt returns or raises")

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        following: str | None = path
        params: Mapping[str, Any] | None = query
        while following is not None:
            found = self.get(following, params)
            yield from found["data"]
            link = (found.get("links") or {}).get("next")
            # A link names the server as a proxy's visitors see it: its path and query are what counts.
            following, params = (None, None) if link is None else (httpx.URL(link).raw_path.decode(), None)

    def _authorization(self) -> dict[str, str]:
        if self._good_until is not None and self._clock() >= self._good_until:
            client_id, secret = self._credentials
            answer = self._http.post(
                "/oauth2/token", data={"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
            )
            self._check(answer)
            given = answer.json()
            self._token = given["access_token"]
            self._good_until = self._clock() + given["expires_in"] - RENEW_BEFORE_S
        return {"Authorization": f"Bearer {self._token}"}

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_error:
            answer.read()
            raise ServerError.of(answer)


def _query(start: datetime | None, end: datetime | None) -> dict[str, Any]:
    given = {"from": start, "to": end}
    return {name: at.isoformat() for name, at in given.items() if at is not None}


def _wait_of(answer: httpx.Response, attempt: int) -> float:
    told = answer.headers.get("retry-after", "")
    return min(LONGEST_WAIT_S, float(told) if told.isascii() and told.isdigit() else 2.0**attempt)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a stream. httpx would end one at U+2028 and the like, too, which may stand in a text."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode()


def _blocks(lines: Iterable[str]) -> Iterator[tuple[str | None, Any, str | None]]:
    """Yield the blocks of a stream: kind, data and id of each."""
    kind, data, event_id = None, None, None
    for line in lines:
        name, _, value = line.partition(": ")
        if line == "":
            yield kind, None if data is None else json.loads(data), event_id
            kind, data, event_id = None, None, None
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif name == "id":
            event_id = value
