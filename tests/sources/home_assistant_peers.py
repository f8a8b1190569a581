"""The server's side of Home Assistant's WebSocket, as its documentation has it."""

import asyncio
import json
from typing import Any

from aiohttp import web

TOKEN = "a-long-lived-token"


def state(entity_id: str, value: str, at: str = "2026-05-01T09:59:58.123456+00:00", **attributes: Any) -> dict[str, Any]:
    return {
        "entity_id": entity_id,
        "state": value,
        "attributes": attributes,
        "last_changed": at,
        "last_reported": at,
        "last_updated": at,
        "context": {"id": "01", "parent_id": None, "user_id": None},
    }


class House:
    """The server's side: it asks for the token first, answers commands by their id, and can be told what to do wrong."""

    def __init__(self) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        self.first: dict[str, Any] = {"type": "auth_required", "ha_version": "2026.5.0"}
        self.answer_states: Any = None
        self.refuse: set[str] = set()
        self.commands: list[str] = []
        self.calls: list[tuple[str, str, str, dict[str, Any]]] = []
        self.call_error: dict[str, str] | None = None
        self.called = asyncio.Event()
        self.is_mute, self.obeys = False, True
        self.subscribed = asyncio.Event()
        self._open: list[tuple[web.WebSocketResponse, int]] = []
        self._sockets: list[web.WebSocketResponse] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/websocket", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        await self.hang_up()
        if self._runner:
            await self._runner.cleanup()

    async def hang_up(self) -> None:
        for socket in self._sockets:
            await socket.close()
        self._open.clear()
        self.subscribed.clear()

    async def change(self, new: dict[str, Any] | None, entity_id: str = "") -> None:
        """Say that an entity's state is another, or (None) that it was taken away."""
        entity_id = new["entity_id"] if new else entity_id
        old = self.states.get(entity_id)
        if new:
            self.states[entity_id] = new
        event = {"event_type": "state_changed", "data": {"entity_id": entity_id, "old_state": old, "new_state": new}}
        for socket, number in self._open:
            await socket.send_json({"id": number, "type": "event", "event": event})

    async def say(self, text: str) -> None:
        for socket, _ in self._open:
            await socket.send_str(text)

    async def _serve(self, request: Any) -> Any:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        await socket.send_json(self.first)
        auth = await socket.receive_json()
        if auth != {"type": "auth", "access_token": TOKEN}:
            await socket.send_json({"type": "auth_invalid", "message": "Invalid access token or password"})
            await socket.close()
            return socket
        await socket.send_json({"type": "auth_ok", "ha_version": "2026.5.0"})
        async for message in socket:
            await self._answer(socket, json.loads(message.data))
        return socket

    async def _answer(self, socket: Any, command: dict[str, Any]) -> None:
        number, kind = command["id"], command["type"]
        self.commands.append(kind)
        if kind in self.refuse:
            error = {"code": "unauthorized", "message": "Unauthorized"}
            await socket.send_json({"id": number, "type": "result", "success": False, "error": error})
            return
        if kind == "call_service":
            await self._call(socket, command)
            return
        result: Any = None
        if kind == "get_states":
            result = list(self.states.values()) if self.answer_states is None else self.answer_states
        await socket.send_json({"id": number, "type": "result", "success": True, "result": result})
        if kind == "subscribe_events":
            assert command["event_type"] == "state_changed"
            self._open.append((socket, number))
            self.subscribed.set()

    async def _call(self, socket: Any, command: dict[str, Any]) -> None:
        """Call a service as Home Assistant's core does: an entity that it does not have is no error."""
        entity, data = command["target"]["entity_id"], command.get("service_data", {})
        self.calls.append((command["domain"], command["service"], entity, data))
        self.called.set()
        if self.is_mute:
            return
        if self.call_error is not None:
            answer: dict[str, Any] = {"success": False, "error": self.call_error}
        else:
            answer = {"success": True, "result": {"context": {"id": "02"}, "response": None}}
        await socket.send_json({"id": command["id"], "type": "result", **answer})
        becomes = {"turn_on": "on", "turn_off": "off", "set_value": str(float(data.get("value", 0)))}.get(command["service"])
        if self.obeys and self.call_error is None and becomes is not None:
            await self.change(state(entity, becomes))
