"""Paho's MQTT client on our event loop, without a thread of its own."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import Client

_PACKETS_AT_ONCE: Final = 50  # before other tasks of the event loop get their turn; about 1.5 ms
_CLOSE_S: Final = 1
_CONNACK: Final = 2


class Wire:
    """Moves a client's bytes when its socket is ready; `garbage` is called for bytes that are not MQTT."""

    def __init__(self, client: Client, keepalive_s: int, garbage: Callable[[], None]) -> None:
        self.progress = False  # set when a message is taken: more may be there
        self._client = client
        self._beat_s = min(1.0, keepalive_s / 4)
        self._garbage = garbage
        self._loop = asyncio.get_running_loop()
        self._closed = asyncio.Event()
        self._reading = self._begun = self._missed_beat = False
        self._beat: asyncio.TimerHandle | None = None

    async def open(self, connect: Callable[[], object]) -> None:
        """Call `connect`, in a thread because it blocks. Raises what it raises."""
        opening = asyncio.ensure_future(asyncio.to_thread(connect))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._drop)
            raise
        client = self._client
        client.on_socket_close = self._on_close
        client.on_socket_register_write, client.on_socket_unregister_write = self._write, self._written
        if (sock := client.socket()) is not None and client.want_write():
            self._write(client, None, sock)
        self.listen(True)
        self._keep_alive()

    def listen(self, on: bool) -> None:
        """Continue to read, or leave the messages with the broker."""
        sock = self._client.socket()
        if on == self._reading or sock is None:
            return
        self._reading = on
        if on:
            self._loop.add_reader(sock, self._read)
            self._loop.call_soon(self._read)  # bytes that TLS has decrypted already do not make the socket ready
        else:
            self._loop.remove_reader(sock)

    async def close(self) -> None:
        """Disconnect and close the socket."""
        self._client.disconnect()
        if self._client.socket() is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._closed.wait()
        self._drop()

    def _drop(self, late: asyncio.Future[object] | None = None) -> None:
        """Close the socket at once; a failure that came too `late` is ignored."""
        if late is not None and not late.cancelled():
            late.exception()
        if self._beat is not None:
            self._beat.cancel()
        self._reading = False
        self._client.on_socket_close = self._client.on_socket_unregister_write = None
        if (sock := self._client.socket()) is not None:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
            sock.close()

    def _on_close(self, _client: Client, _data: Any, sock: Any) -> None:
        self._reading = False
        self._loop.remove_reader(sock)
        self._closed.set()

    def _write(self, client: Client, _data: Any, sock: Any) -> None:
        self._loop.add_writer(sock, client.loop_write)

    def _written(self, _client: Client, _data: Any, sock: Any) -> None:
        self._loop.remove_writer(sock)

    def _read(self) -> None:
        """Let paho read as long as reading is enabled and there is more."""
        sock: Any = self._client.socket()
        if not self._reading or not self._speaks_mqtt(sock):
            return
        for _ in range(_PACKETS_AT_ONCE):
            if not self._read_one(sock):
                break
        else:
            self._loop.call_soon(self._read)
        if self._missed_beat:
            self._keep_alive()

    def _read_one(self, sock: Any) -> bool:
        """Let paho read a packet; return whether to read on at once."""
        self.progress = False
        try:
            self._client.loop_read()
        except Exception:  # noqa: BLE001  (a packet that paho did not foresee)
            import traceback

            traceback.print_exc()
            self._stop()
        return self._reading and (self.progress or (isinstance(sock, ssl.SSLSocket) and sock.pending() > 0))

    def _speaks_mqtt(self, sock: Any) -> bool:
        """Return whether an answer begins like MQTT, before paho waits for its length, which may never arrive."""
        if self._begun or isinstance(sock, ssl.SSLSocket):
            return True
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True  # paho gets the same error and reports it
        self._begun = True
        if first and first[0] >> 4 != _CONNACK:
            self._stop()
        return self._reading

    def _stop(self) -> None:
        self.listen(False)
        self._garbage()

    def _keep_alive(self) -> None:
        """Send a keep-alive and detect a silent broker; but not while reading is paused on our side."""
        if self._beat is not None:
            self._beat.cancel()
        self._missed_beat = not self._reading
        if self._reading:
            self._client.loop_misc()
        self._beat = self._loop.call_later(self._beat_s, self._keep_alive)
