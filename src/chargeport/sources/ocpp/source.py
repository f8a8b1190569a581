"""The central system as a source: the websocket's end that the web server mounts at /ocpp/{station}, and the source's life.

Stations come to us, so the source itself only opens and closes the door. The package that knows OCPP is loaded when a source
is built: without the extra everything else of Chargeport works.
"""

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from chargeport.sources.base import Emit, SourceContext, SourceType
from chargeport.sources.extras import missing
from chargeport.sources.ocpp.admission import Admission, Refusal
from chargeport.sources.ocpp.settings import OcppSettings

if TYPE_CHECKING:
    from chargeport.sources.ocpp.central import Central

PATH: Final = "/ocpp/{station}"
VERSIONS: Final = {"ocpp2.0.1": "2.0.1", "ocpp1.6": "1.6"}
"""The sub-protocols that are spoken here, and the version of OCPP that each is."""

_PROTOCOL_ERROR: Final = 1002
_NOT_RUNNING: Final = Refusal(503, "The central system is not running; try again later.", {"Retry-After": "30"})


class OcppSource:
    """Hears charging stations. Raises SourceError where a setting is wrong or the extra is not installed."""

    def __init__(self, settings: OcppSettings, around: SourceContext) -> None:
        if any(find_spec(package) is None for package in ("ocpp", "websockets")):
            raise missing("ocpp")
        self._settings = settings
        self._around = around
        self._admission = Admission(settings)
        self._central: Central | None = None

    path = PATH  # where the web server mounts `connect`

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._around.name

    async def run(self, emit: Emit) -> None:
        """Take stations in until cancelled; then their connections end."""
        from chargeport.sources.ocpp.central import Central

        central = self._central = Central(self._settings, self._around, emit)
        try:
            await asyncio.Event().wait()
        finally:
            self._central = None
            await central.close()

    async def connect(self, websocket: WebSocket, *, over_tls: bool | None = None) -> None:
        """Serve a station's connection until it ends.

        `over_tls`: whether it came over TLS to a proxy that is trusted; unless given, what came to ourselves counts.
        """
        station = websocket.path_params["station"]
        secure = websocket.scope["scheme"] in ("wss", "https") if over_tls is None else over_tls
        refusal = self._admission.refusal(station, websocket.headers.get("authorization", ""), over_tls=secure)
        central = self._central
        if refusal is not None or central is None:
            await _refuse(websocket, refusal or _NOT_RUNNING)
            return
        spoken = next((offered for offered in websocket.scope["subprotocols"] if offered in VERSIONS), None)
        await websocket.accept(spoken)
        if spoken is None:  # OCPP-J wants the handshake completed and the connection closed at once
            await websocket.close(_PROTOCOL_ERROR, f"spoken here: {', '.join(VERSIONS)}")
            return
        await central.serve(websocket, station, VERSIONS[spoken])


async def _refuse(websocket: WebSocket, refusal: Refusal) -> None:
    """Answer the request to upgrade with an ordinary HTTP error."""
    await websocket.send_denial_response(PlainTextResponse(refusal.sentence, refusal.status, dict(refusal.headers)))


TYPE: Final = SourceType(
    name="ocpp",
    summary="Charging stations that connect to Chargeport as their central system, OCPP 1.6J and 2.0.1",
    settings=OcppSettings,
    build=OcppSource,
    dialect="ocpp",
)
