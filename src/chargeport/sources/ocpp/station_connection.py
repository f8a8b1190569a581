"""One connection to a station: it receives and sends frames, with one call at a time in each direction, as OCPP requires."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from chargeport.errors import StoreError
from chargeport.sources.ocpp.frames import FAILED, UNREADABLE, Call, Payload, Refused, Reply, call, failure, parse, result
from chargeport.sources.ocpp.message_rate import MessageRate

ANSWER_WITHIN_S: Final = 30  # the usual time for a station
MAX_BAD_FRAMES: Final = 10  # in a row: then the client is not a station, or it is faulty
_SHOWN: Final = 1_000  # characters of a message that is too long

GOING_AWAY: Final = 1001
POLICY: Final = 1008
TOO_LARGE: Final = 1009
NOT_STORED: Final = 1011

_log = logging.getLogger("chargeport.sources.ocpp")

Answer = Callable[[Call], Awaitable[Payload]]
"""Return the answer to a call, once its content is stored. Raises Refused, or StoreError when it could not be stored."""

Refusing = Callable[[Refused, str, bytes], Awaitable[None]]
"""Report a refused call: the reason, its action ("" without one) and its bytes."""


class StationConnection:
    """An open connection."""

    def __init__(self, websocket: WebSocket, station: str, version: str, rate: MessageRate, max_bytes: int) -> None:
        self._websocket = websocket
        self._station = station
        self._version = version
        self._rate = rate
        self._max_bytes = max_bytes
        self._turn = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[Payload | None]] = {}
        self._bad_frames = 0
        self._is_closed = False

    async def serve(self, answer: Answer, refusing: Refusing, answered: Callable[[Call], None]) -> None:
        """Answer the calls of the station until the connection ends."""
        try:
            while (text := await self._received()) is not None:
                if len(text) > self._max_bytes:
                    sentence = f"A message is longer than max_message_bytes = {self._max_bytes}, so the connection is closed."
                    await refusing(Refused(UNREADABLE[self._version], sentence), "", text[:_SHOWN].encode(errors="replace"))
                    await self.close(TOO_LARGE, f"a message has at most {self._max_bytes} bytes")
                    return
                await self._rate.wait()
                await self._take(text, answer, refusing, answered)
        except WebSocketDisconnect:  # noticed while writing
            pass
        except StoreError:
            _log.warning("station %s: its message could not be stored; it will be sent again", self._station)
            await self.close(NOT_STORED, "not stored")
        finally:
            self._is_closed = True
            for future in self._waiting.values():
                future.cancel()

    async def call(self, action: str, payload: Payload) -> Payload | None:
        """Call the station and return its reply: empty where it does not support the call, None without a reply in time."""
        async with self._turn:
            if self._is_closed:
                return None
            call_id = str(uuid.uuid4())
            future: asyncio.Future[Payload | None] = asyncio.get_running_loop().create_future()
            self._waiting[call_id] = future
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    await self._send(call(call_id, action, payload))
                    return await future
            except (TimeoutError, WebSocketDisconnect):
                return None
            finally:
                del self._waiting[call_id]

    async def close(self, code: int, reason: str) -> None:
        """End the connection, unless it has ended."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._websocket.close(code, reason)
        except (RuntimeError, WebSocketDisconnect):  # the station ended it first
            _log.debug("station %s: the connection had ended already", self._station)

    async def _received(self) -> str | None:
        """Return the next message; None at the end of the connection."""
        message = await self._websocket.receive()
        if message["type"] != "websocket.receive" or self._is_closed:
            return None
        text: str | None = message.get("text")
        return text if text is not None else message["bytes"].decode(errors="replace")

    async def _take(self, text: str, answer: Answer, refusing: Refusing, answered: Callable[[Call], None]) -> None:
        try:
            frame = parse(text, self._version)
        except Refused as error:
            if error.reply_id is not None:
                self._resolve(Reply(error.reply_id, None))
            await refusing(error, "", text.encode(errors="replace"))
            await self._refuse(error)
            self._bad_frames += 1
            if self._bad_frames >= MAX_BAD_FRAMES:
                await self.close(POLICY, "too many frames that are no OCPP")
            return
        self._bad_frames = 0
        if isinstance(frame, Call):
            await self._answer(frame, answer, refusing)
            answered(frame)
        else:
            self._resolve(frame)

    async def _answer(self, frame: Call, answer: Answer, refusing: Refusing) -> None:
        call_id = None if frame.is_sent else frame.id
        try:
            reply = result(frame.id, await answer(frame))
        except Refused as error:
            error.call_id = call_id
            await refusing(error, frame.action, frame.payload)
            await self._refuse(error)
            return
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  (the next message may be valid)
            _log.exception("station %s: %s could not be answered", self._station, frame.action)
            await self._refuse(Refused(FAILED, "It could not be processed.", call_id))
            return
        if not frame.is_sent:
            await self._send(reply)

    def _resolve(self, reply: Reply) -> None:
        future = self._waiting.get(reply.id)
        if future is not None and not future.done():
            future.set_result(reply.payload or {})

    async def _refuse(self, error: Refused) -> None:
        if error.call_id is not None:
            await self._send(failure(error))

    async def _send(self, text: str) -> None:
        if not self._is_closed:
            await self._websocket.send_text(text)
