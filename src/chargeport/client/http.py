"""The client: requests with a token that is renewed, answers as types, and a stream that resumes after an interruption."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Self

import httpx
import msgspec

from chargeport.client.types import Bucket, Event, Point, Record, Signal, Vehicle, instant

RETRIES: Final = 5
MAX_WAIT_S: Final = 60.0
RENEW_BEFORE_S: Final = 60.0
_RETRIED_STATUSES: Final = frozenset({429, 502, 503, 504})


class ServerError(Exception):
    """The server answered with an error: its `status`, `code` and detail."""

    def __init__(self, status: int, code: str | None, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code

    @classmethod
    def of(cls, response: httpx.Response) -> "ServerError":
        """Return the error of an answer."""
        try:
            first = response.json()["errors"][0]
        except (ValueError, KeyError, IndexError, TypeError):
            return cls(response.status_code, None, f"The server answered {response.status_code}.")
        return cls(
            response.status_code, first.get("code"), first.get("detail") or f"The server answered {response.status_code}."
        )


class Client:
    """Send requests to a server, with a bearer token, or as an application with its id and secret.

    Temporary failures (the network, 429, 502, 503, 504) are retried after `Retry-After`, else with increasing delays. Use it in
    a `with` block, or call `close`.
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
        self._token, self._valid_until = token, None if token is not None else 0.0
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
        for vehicle in self._pages("/v3/vehicles", {"page[size]": 100}):
            yield msgspec.convert({"id": vehicle["id"], **vehicle["attributes"]}, Vehicle)

    def signals(self, vehicle: str) -> dict[str, Signal]:
        """Return all signals of a vehicle that have a value or a known reason of absence, by code."""
        resources = self.get(f"/v3/vehicles/{vehicle}/signals")["data"]
        return {signal.code: signal for signal in map(Signal.of, resources)}

    def fleet_signals(self, codes: Sequence[str] = ()) -> Iterator[tuple[str, Signal]]:
        """Yield the signals (or those with these codes) of all vehicles that the application may see, with the vehicle's id."""
        query: dict[str, Any] = {"page[size]": 500} | ({"filter[code]": ",".join(codes)} if codes else {})
        for element in self._pages("/v3/signals", query):
            yield element["relationships"]["vehicle"]["data"]["id"], Signal.of(element)

    def signal(self, vehicle: str, code: str) -> Signal:
        """Return one signal. Raises ServerError (404) if it was never reported."""
        return Signal.of(self.get(f"/v3/vehicles/{vehicle}/signals/{code}")["data"])

    def history(
        self, vehicle: str, code: str, *, start: datetime | None = None, end: datetime | None = None, source: str | None = None
    ) -> Iterator[Point]:
        """Yield every change of a signal, oldest first."""
        query = _query(start, end) | ({} if source is None else {"source": source})
        for change in self._pages(f"/v3/vehicles/{vehicle}/signals/{code}/values", query | {"page[size]": 1000}):
            meta = change["meta"]
            at = instant(meta.get("oemUpdatedAt") or meta.get("ingestedAt"))
            if at is not None:
                yield Point(at, change.get("body"), meta.get("source"))

    def buckets(
        self, vehicle: str, code: str, resolution: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[Bucket]:
        """Yield a signal aggregated over spans of a duration (`PT15M`, `PT1H`, `P1D`), oldest first."""
        query = _query(start, end) | {"resolution": resolution, "page[size]": 1000}
        for bucket in self._pages(f"/v3/vehicles/{vehicle}/signals/{code}/values", query):
            yield msgspec.convert(bucket | {"start": bucket["from"], "end": bucket["to"]}, Bucket)

    def records(
        self,
        vehicle: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        by_vehicle: bool = False,
    ) -> Iterator[Record]:
        """Yield charging sessions, newest first; `by_vehicle`: by vehicle and start, for any number of vehicles."""
        query = {f"filter[{name}]": value for name, value in _query(start, end).items()}
        if vehicle is not None:
            query["filter[vehicleId]"] = vehicle
        if by_vehicle:
            query["order"] = "vehicle"
        for record in self._pages("/records", query | {"page[size]": 500}):
            yield msgspec.convert(record, Record)

    def stream(
        self, vehicles: Sequence[str] = (), signals: Sequence[str] = (), *, last_event_id: str | None = None
    ) -> Iterator[Event]:
        """Yield the changes from now on, or those after an event that was read before. Reconnects after an interruption."""
        query = {name: ",".join(values) for name, values in (("vehicle", vehicles), ("signal", signals)) if values}
        position, failures = last_event_id, 0
        while True:
            headers = self._authorization() | ({} if position is None else {"Last-Event-ID": position})
            try:
                with self._http.stream(
                    "GET", "/stream", params=query, headers=headers, timeout=httpx.Timeout(30, read=60)
                ) as answer:
                    if answer.status_code == 401 and self._valid_until is not None:  # noqa: PLR2004
                        self._valid_until = 0.0
                        raise httpx.ReadError("The token has ended.")
                    self._check(answer)
                    failures = 0
                    for kind, data, event_id in _blocks(_lines(answer.iter_bytes())):
                        position = event_id or position
                        if data is not None and kind in ("signal", "ended"):
                            yield Event(kind, data["vehicle"], Signal.of(data["signal"]), event_id)
            except httpx.TransportError:
                failures += 1
            except ServerError as error:
                if error.status not in _RETRIED_STATUSES:
                    raise
                failures += 1
            self._sleep(min(MAX_WAIT_S, 2.0**failures - 1))

    # Sending

    def send(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Send readings; return the answer with their outcomes. Sending the same readings again is harmless."""
        body = b"\n".join(json.dumps(item, separators=(",", ":")).encode() for item in items)
        answer = self.request(
            "POST", "/ingest/readings", content=body, headers={"content-type": "application/x-ndjson"}, accept=(200, 422)
        )
        document: dict[str, Any] = answer.json()
        return document

    # Requests

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of a GET request's answer. Raises ServerError, httpx.TransportError."""
        return self.request("GET", path, params=query).json()

    def request(self, method: str, path: str, *, accept: Iterable[int] = (), **more: Any) -> httpx.Response:
        """Return the answer to a request, retried after temporary failures. Raises ServerError, httpx.TransportError.

        An answer with a status in `accept` is no error.
        """
        headers = dict(more.pop("headers", {}))
        for attempt in range(RETRIES + 1):
            try:
                answer = self._http.request(method, path, headers=headers | self._authorization(), **more)
            except httpx.TransportError:
                if attempt == RETRIES:
                    raise
                self._sleep(min(MAX_WAIT_S, 2.0**attempt))
                continue
            if answer.status_code == 401 and self._valid_until is not None and attempt == 0:  # noqa: PLR2004
                self._valid_until = 0.0
                continue
            if answer.status_code in _RETRIED_STATUSES and attempt < RETRIES:
                self._sleep(_wait_of(answer, attempt))
                continue
            if answer.status_code not in accept:
                self._check(answer)
            return answer
        raise AssertionError("the last attempt returns or raises")

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        following: str | None = path
        params: Mapping[str, Any] | None = query
        while following is not None:
            page = self.get(following, params)
            yield from page["data"]
            link = (page.get("links") or {}).get("next")
            # A link may have the address of a proxy: only its path and query are used.
            following, params = (None, None) if link is None else (httpx.URL(link).raw_path.decode(), None)

    def _authorization(self) -> dict[str, str]:
        if self._valid_until is not None and self._clock() >= self._valid_until:
            client_id, secret = self._credentials
            answer = self._http.post(
                "/oauth2/token", data={"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
            )
            self._check(answer)
            grant = answer.json()
            self._token = grant["access_token"]
            self._valid_until = self._clock() + grant["expires_in"] - RENEW_BEFORE_S
        return {"Authorization": f"Bearer {self._token}"}

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_error:
            answer.read()
            raise ServerError.of(answer)


def _query(start: datetime | None, end: datetime | None) -> dict[str, Any]:
    limits = {"from": start, "to": end}
    return {name: at.isoformat() for name, at in limits.items() if at is not None}


def _wait_of(answer: httpx.Response, attempt: int) -> float:
    text = answer.headers.get("retry-after", "")
    return min(MAX_WAIT_S, float(text) if text.isascii() and text.isdigit() else 2.0**attempt)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a stream, split at line feeds only: httpx also splits at U+2028, which a text may contain."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
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
