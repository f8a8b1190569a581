"""Polling as a transport: an HTTP address for each car, requested at intervals, shorter ones while the car charges.

Requests for a car never exceed its budget, across restarts. Each answer is a full state, so that an outage leaves no gap
behind it.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from chargeport.sources.base import Cause, Delivery, Emit, SourceContext, SourceError, SourceType
from chargeport.sources.budget import Budget
from chargeport.sources.extras import missing, secret

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

ANY_CAR: Final = "*"
SILENCE_S: Final = 900.0  # after "too many requests" without a time
LONGEST_WAIT_S: Final = 86_400.0  # whatever the other side requires, it is requested again after this
CHUNK: Final = 65_536
# The answer of a relay for a car that sleeps or can't be reached now: no state, but nothing to correct either (Tesla: 408).
NO_ANSWER_NOW: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.NO_CONTENT})
REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})

Seconds = Annotated[float, Meta(ge=1, le=86_400)]


class PollingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is requested, how often, and how often at most."""

    urls: Annotated[
        dict[str, Annotated[str, Meta(pattern=r"^https?://\S+$")]],
        Meta(
            min_length=1,
            description='By vehicle, the address of its state; "*" where the answer itself names the cars.',
        ),
    ]
    headers: Annotated[dict[str, str], Meta(description="Sent with each request; a value may be env:NAME or file:PATH.")] = {}
    every_s: Annotated[Seconds, Meta(description="From one request to the next, in seconds.")] = 300
    every_charging_s: Annotated[Seconds, Meta(description="The same while the car charges.")] = 30
    per_hour: Annotated[
        Annotated[int, Meta(ge=1, le=3600)] | None, Meta(description="Requests for a car within an hour, at most.")
    ] = None
    per_day: Annotated[
        Annotated[int, Meta(ge=1, le=86_400)] | None, Meta(description="Requests for a car within 24 hours, at most.")
    ] = None
    timeout_s: Annotated[float, Meta(gt=0, le=300, description="How long an answer may take, in seconds.")] = 20
    max_bytes: Annotated[int, Meta(ge=1024, le=1 << 30, description="How long an answer may be, in bytes.")] = 8_388_608
    json: Annotated[bool, Meta(description="Answers are JSON; anything else is an error of the other side.")] = True


class PollingSource:
    """Requests the state of cars over HTTP."""

    def __init__(self, settings: PollingSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context
        self._budgets = {
            vehicle: Budget(
                context.memory,
                context.clock,
                f"budget/{vehicle}",
                per_hour=settings.per_hour,
                per_day=settings.per_day,
            )
            for vehicle in settings.urls
        }
        self._asked: dict[str, int] = {}  # when each car's address answered last, across runs

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._context.name

    async def left(self) -> dict[str, int | None]:
        """Return the requests that are left now for each car; None: any number."""
        return {vehicle: await budget.left() for vehicle, budget in self._budgets.items()}

    async def run(self, emit: Emit) -> None:
        """Send each request when it is due and emit the answers, until cancelled. Raises SourceError."""
        async with self._session() as session:
            while True:
                await self._round(session, emit)
                await self._context.clock.sleep(await self._pause_s())

    async def check(self, timeout_s: float) -> None:
        """Send one request for the first car, which counts. Raises SourceError."""
        vehicle = next(iter(self._settings.urls))
        async with self._session() as session:
            if not await self._budgets[vehicle].spend():
                wait_s = (await self._budgets[vehicle].next_at() - self._context.clock.now()) / 1000
                raise SourceError(
                    Cause.QUOTA, f"The budget for {vehicle} is spent; the next request is in {wait_s:.0f} s.", wait_s
                )
            await self._answer(session, vehicle, timeout_s)

    async def _round(self, session: "ClientSession", emit: Emit) -> None:
        """Request every car that is due. A failure of one does not affect the others."""
        failure: SourceError | None = None
        for vehicle in self._settings.urls:
            if await self._due_at(vehicle) > self._context.clock.now() or not await self._budgets[vehicle].spend():
                continue
            try:
                delivery = await self._answer(session, vehicle, self._settings.timeout_s)
            except SourceError as error:
                if error.cause is Cause.QUOTA:  # no requests now
                    raise
                failure = failure or error
                continue
            self._asked[vehicle] = self._context.clock.now()
            if failure is None:
                self._context.status.connected()
            if delivery is not None:
                await emit([delivery])
        if failure is not None:
            raise failure

    async def _due_at(self, vehicle: str) -> int:
        """Return when to request a car again, as far as is known now; whether it charges may change that."""
        if vehicle not in self._asked:
            return 0
        charging = vehicle != ANY_CAR and await self._context.charging(vehicle)
        every_s = min(self._settings.every_s, self._settings.every_charging_s)
        interval_s = every_s if charging else self._budgets[vehicle].idle_interval_s(self._settings.every_s)
        return self._asked[vehicle] + round(interval_s * 1000)

    async def _pause_s(self) -> float:
        """Return the seconds until the next car is due or may be requested, at most the time to notice a charge."""
        now = self._context.clock.now()
        due = [max(await self._due_at(vehicle), await budget.next_at()) for vehicle, budget in self._budgets.items()]
        return min(max((min(due) - now) / 1000, 1.0), self._settings.every_charging_s)

    async def _answer(self, session: "ClientSession", vehicle: str, timeout_s: float) -> Delivery | None:
        """Return the other side's answer for a car; None if there is no state now. Raises SourceError."""
        from aiohttp import ClientError, ClientTimeout

        url = self._settings.urls[vehicle]
        place = url.partition("?")[0].rpartition("@")[2]  # without what may be secret
        try:
            timeout = ClientTimeout(total=timeout_s)
            # Redirects are not followed: the headers are meant for this address alone.
            async with session.get(url, headers=self._headers(), allow_redirects=False, timeout=timeout) as response:
                if response.status in NO_ANSWER_NOW:
                    return None
                await self._refuse(response, place)
                return self._delivery(await self._body(response, place), vehicle, response.headers)
        except (ClientError, OSError, ValueError) as error:
            reason = str(error) or f"no answer within {timeout_s:g} s"
            raise SourceError(Cause.UNREACHABLE, f"{place} can't be reached: {reason}.") from error

    async def _refuse(self, response: "ClientResponse", place: str) -> None:
        status = response.status
        wait_s = _wait_s(response.headers.get("Retry-After"), self._context.clock.now())
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            wait_s = SILENCE_S if wait_s is None else wait_s
            for budget in self._budgets.values():  # the limit most probably applies to the account
                await budget.silence(wait_s)
            raise SourceError(Cause.QUOTA, f"{place} accepts no more requests for {wait_s:.0f} s.", wait_s)
        if status in REFUSED:
            raise SourceError(Cause.AUTHENTICATION, f"{place} denies access: {status}; see the headers in the settings.")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SourceError(Cause.UNREACHABLE, f"{place} reports a server error: {status}.", wait_s)
        if status >= HTTPStatus.BAD_REQUEST:
            raise SourceError(Cause.CONFIGURATION, f"{place} answers {status}: there is no state at this address.")
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise SourceError(
                Cause.CONFIGURATION, f"{place} has moved to {response.headers.get('Location', 'elsewhere')}: name that."
            )

    async def _body(self, response: "ClientResponse", place: str) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK):
            body += chunk
            if len(body) > self._settings.max_bytes:
                raise SourceError(Cause.PROTOCOL, f"{place} answers with more than {self._settings.max_bytes} bytes.")
        if self._settings.json:
            try:
                msgspec.json.decode(body, type=msgspec.Raw)
            except msgspec.DecodeError as error:
                raise SourceError(Cause.PROTOCOL, f"{place} does not answer with JSON: {error}.") from error
        return bytes(body)

    def _delivery(self, body: bytes, vehicle: str, headers: Mapping[str, str]) -> Delivery:
        kind = headers.get("Content-Type")
        return Delivery(
            source=self._context.name,
            dialect=self._context.dialect,
            payload=body,
            received_at=self._context.clock.now(),
            vehicle=self._context.vehicle if vehicle == ANY_CAR else vehicle,
            headers={"content-type": kind} if kind else {},
        )

    def _headers(self) -> dict[str, str]:
        return {name: secret(f"headers.{name}", value) for name, value in self._settings.headers.items()}

    def _session(self) -> "ClientSession":
        try:
            from aiohttp import ClientSession
        except ImportError as error:
            raise missing("polling") from error
        return ClientSession()


def _wait_s(retry_after: str | None, now: int) -> float | None:
    """Return how long to wait in seconds, from seconds or a date, a day at most; None if it is neither."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.removeprefix("-").isdigit():
        return min(max(0.0, float(retry_after)), LONGEST_WAIT_S)
    try:
        wait_s = parsedate_to_datetime(retry_after).timestamp() - now / 1000
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, wait_s), LONGEST_WAIT_S)


POLLING: Final = SourceType(
    name="polling",
    summary="The state of cars from HTTP addresses, within a budget",
    settings=PollingSettings,
    build=PollingSource,
)
