"""The OCPP central system as a source: the web server mounts its websocket at /ocpp/{station}.

Stations connect to the server, so the source only accepts connections while it runs. The packages for OCPP are imported when a
source is built; without the extra, the rest of Chargeport works.
"""

import asyncio
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from limits import RateLimitItemPerHour
from limits.strategies import FixedWindowRateLimiter
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from chargeport.attempts import BoundedStorage, loop_time, network
from chargeport.sources.base import Command, Done, Emit, SourceContext, SourceType, StationStatus
from chargeport.sources.extras import missing
from chargeport.sources.ocpp.admission import Admission, Refusal
from chargeport.sources.ocpp.settings import OcppSettings

if TYPE_CHECKING:
    from chargeport.sources.ocpp.central import Central

PATH: Final = "/ocpp/{station:path}"
VERSIONS: Final = {"ocpp2.1": "2.1", "ocpp2.0.1": "2.0.1", "ocpp1.6": "1.6"}
"""The supported websocket sub-protocols, and the version of OCPP of each."""

_PROTOCOL_ERROR: Final = 1002
_NOT_RUNNING: Final = Refusal(503, "The central system is not running; try again later.", "", {"Retry-After": "30"})
_FOLDER: Final = "ocpp"
_MISPLACED: Final = Refusal(
    404,
    f"Stations connect to /{_FOLDER}/IDENTITY.",
    f"its address has another path: set its URL to ws://HOST:PORT/{_FOLDER}/IDENTITY, or wss:// with TLS",
)
_MAX_IDENTITY: Final = 64  # characters of a shown identity; OCPP has 48
_MAX_REFUSED: Final = 1_000  # identities whose refusals are counted
_PER_STATION: Final = RateLimitItemPerHour(1)  # of the same refusal: in the log
_PER_ADDRESS: Final = RateLimitItemPerHour(20)  # from one address under whatever identities: in the log
_LOGGED: Final = RateLimitItemPerHour(300)  # in the log, from wherever
_ISSUES_PER_STATION: Final = RateLimitItemPerHour(60)  # of the same refusal
_ISSUES: Final = RateLimitItemPerHour(300)  # of all refusals: anybody may try to connect under any name

_HOUR_S: Final = 3600.0
_UNPROVEN: Final = (401, 429)  # a missing or wrong password, or too many of them

_log = logging.getLogger("chargeport.sources.ocpp")


class OcppSource:
    """Serves charging stations. Raises SourceError where a setting is wrong or the extra is not installed."""

    def __init__(self, settings: OcppSettings, context: SourceContext) -> None:
        if any(find_spec(package) is None for package in ("ocpp", "websockets", "jsonschema_rs")):
            raise missing("ocpp")
        for station in ("", *settings.stations):
            settings.zone_of(station)
        self._settings = settings
        self._context = context
        self._admission = Admission(settings, context.attempts, context.name)
        self._limiter = FixedWindowRateLimiter(BoundedStorage(loop_time, _HOUR_S))
        self._refusals: dict[str, int] = {}
        self._central: Central | None = None

    path = PATH  # where the web server mounts `connect`

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._context.name

    async def run(self, emit: Emit) -> None:
        """Accept stations until cancelled; then end their connections."""
        from chargeport.sources.ocpp.central import Central

        for sentence in self._admission.warnings():
            _log.warning("source %s: %s", self.name, sentence)
        central = self._central = Central(self._settings, self._context, emit)
        try:
            await asyncio.Event().wait()
        finally:
            self._central = None
            await central.close()

    async def command(self, command: Command) -> Done | None:
        """Command the station that a car is at. Raises CommandError."""
        return None if self._central is None else await self._central.command(command)

    async def connect(
        self, websocket: WebSocket, *, over_tls: bool | None = None, certified: Sequence[str] = ()
    ) -> None:  # fmt: skip
        """Serve a station's connection until it ends.

        `over_tls`: whether it came over TLS to a trusted proxy; if None, whether it came over TLS to this server counts.
        `certified`: the names in the certificate that the station presented to this server.
        """
        await self._connect(websocket, websocket.path_params["station"], over_tls=over_tls, certified=certified)

    async def connect_elsewhere(
        self, websocket: WebSocket, *, over_tls: bool | None = None, certified: Sequence[str] = ()
    ) -> None:  # fmt: skip
        """Serve a station whose address has our path in another spelling; report one with another path."""
        first, *rest = [part for part in websocket.url.path.split("/") if part] or [""]
        if first.casefold() == _FOLDER:
            await self._connect(websocket, "/".join(rest), over_tls=over_tls, certified=certified)
            return
        central, protocols = self._central, [each.casefold() for each in websocket.scope["subprotocols"]]
        if central is None or not any(each.startswith(_FOLDER) for each in protocols):
            await websocket.close()
            return
        station = self._admission.identity((rest or [first])[-1])
        address = "unknown" if websocket.client is None else websocket.client.host
        await self._report_refusal(central, station, address, _MISPLACED)
        await _refuse(websocket, _MISPLACED)

    async def _connect(
        self, websocket: WebSocket, path: str, *, over_tls: bool | None, certified: Sequence[str]
    ) -> None:  # fmt: skip
        """Serve a station whose address has this after our path."""
        central = self._central
        if central is None:
            await _refuse(websocket, _NOT_RUNNING)
            return
        station = self._admission.identity(path)
        address = "unknown" if websocket.client is None else websocket.client.host
        secure = websocket.scope["scheme"] in ("wss", "https") if over_tls is None else over_tls
        authorization = websocket.headers.get("authorization", "")
        refusal = await self._admission.refusal(station, authorization, address, over_tls=secure, certified=certified)
        if refusal is not None:
            if refusal.status in _UNPROVEN:
                whose = f"of station {station}" if station in self._settings.stations else "of an unknown station"
                self._context.refused(f"password {whose}", address)
            await self._report_refusal(central, station, address, refusal)
            await _refuse(websocket, refusal)
            return
        offered = websocket.scope["subprotocols"]
        protocol = next((each for each in offered if _version(each)), None)
        await websocket.accept(protocol)
        if protocol is None:  # OCPP-J requires to complete the handshake and to close the connection at once
            await self._report_refusal(central, station, address, _unsupported(offered))
            await websocket.close(_PROTOCOL_ERROR, f"supported here: {', '.join(VERSIONS)}")
            return
        await central.serve(websocket, station, _version(protocol) or "")

    async def _report_refusal(self, central: "Central", station: str, address: str, refusal: Refusal) -> None:
        """Show a refused station in `source list` and `source issues`, and log it once an hour."""
        shown = "".join(each if each.isprintable() else "?" for each in station or "(none)")[:_MAX_IDENTITY]
        sentence = f"station {shown!r} was refused: {refusal.way_out}"
        key = f"{shown} {refusal.way_out}"
        if self._is_logged(key, network(address)):
            _log.warning("source %s: %s (from %s)", self.name, sentence, address)
        count = self._refusals.pop(shown, 0) + 1
        self._refusals[shown] = count
        if len(self._refusals) > _MAX_REFUSED:
            del self._refusals[next(iter(self._refusals))]
        status = StationStatus(
            name=shown, refusals=count, refused_at=self._context.clock.now(), refused_because=refusal.way_out
        )
        self._context.status.station(status)
        if self._limiter.hit(_ISSUES_PER_STATION, key) and self._limiter.hit(_ISSUES, "all"):
            await central.keep(f"station {shown}", sentence)

    def _is_logged(self, key: str, place: str) -> bool:
        """Return whether to log a refusal: each once an hour, and a limited number by address (the last line states it)."""
        if not self._limiter.hit(_PER_STATION, "log", key, place):
            return False
        if self._limiter.hit(_PER_ADDRESS, "log", place) and self._limiter.hit(_LOGGED, "log"):
            return True
        if self._limiter.hit(_PER_STATION, "end", place if self._limiter.test(_LOGGED, "log") else ""):
            _log.warning("source %s: more refusals from %s are not logged within this hour", self.name, place)
        return False


def _version(protocol: str) -> str | None:
    """Return the version of OCPP that a sub-protocol names, in any case and also as 1.6J; None for an unsupported one."""
    return VERSIONS.get(protocol.casefold().removesuffix("j"))


def _unsupported(offered: list[str]) -> Refusal:
    """Return why a station that offers none of our versions can't be served."""
    speaks = f"it supports {', '.join(each[:32] for each in offered[:4])} only" if offered else "it names no version of OCPP"
    return Refusal(0, "", f"{speaks} (Sec-WebSocket-Protocol): set its protocol to OCPP 1.6J, 2.0.1 or 2.1 (JSON, not SOAP)")


async def _refuse(websocket: WebSocket, refusal: Refusal) -> None:
    """Answer the request to upgrade with an ordinary HTTP error."""
    await websocket.send_denial_response(PlainTextResponse(refusal.sentence, refusal.status, dict(refusal.headers)))


TYPE: Final = SourceType(
    name="ocpp",
    summary="Charging stations that connect to Chargeport as their central system, OCPP 1.6J, 2.0.1 and 2.1",
    settings=OcppSettings,
    build=OcppSource,
    dialect="ocpp",
)
