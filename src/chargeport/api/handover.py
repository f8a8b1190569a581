"""Transfer of a connection to another process of this server, with the data read from it, transparently for the client.

On SQLite one worker writes and runs the sources; the others answer reads. A connection with any other request is passed to
that worker permanently, as a descriptor. If the worker accepts no more, this process answers itself: it can write, but slower.
"""

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Final

READING: Final = (b"GET ", b"HEAD ")
UPGRADE: Final = b"pgrade:"  # of a websocket; its first letter may be a capital
INLINE_BYTES: Final = 32_768  # more is passed in an unnamed file: the size of a datagram is limited
MAX_FILES: Final = 2
TOLD_AGAIN_S: Final = 60.0
MAX_TAKEN: Final = 32  # connections before other tasks run

_log = logging.getLogger("chargeport.api")


class Handover:
    """The sending end of the channel."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel

    def takes(self, data: bytes) -> bool:
        """Return whether a request that begins with this data is for the other process."""
        return not data.startswith(READING) or UPGRADE in data

    def give(self, connection: int, data: bytes) -> bool:
        """Pass a connection on with the data read from it; return False if that is not possible now."""
        files = [connection]
        with ExitStack() as stack:
            try:
                if len(data) > INLINE_BYTES:
                    file = stack.enter_context(tempfile.TemporaryFile(buffering=0))
                    if file.write(data) < len(data):  # the disk is full
                        return False
                    files.append(file.fileno())
                    data = b"\0"
                socket.send_fds(self._channel, [data], files)
            except OSError:  # the channel is full or closed, or there is no space or descriptor for the file
                return False
        return True


class Receiver:
    """The receiving end of the channel."""

    def __init__(self, channel: socket.socket, take: Callable[[socket.socket, bytes], None]) -> None:
        """Listen on the channel. `take` is called with each connection and the data read from it."""
        channel.setblocking(False)
        self._channel = channel
        self._take = take
        self._told_at = -TOLD_AGAIN_S

    def start(self) -> None:
        """Start to receive connections."""
        asyncio.get_running_loop().add_reader(self._channel, self._receive)

    def stop(self) -> None:
        """Stop receiving connections."""
        asyncio.get_running_loop().remove_reader(self._channel)

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(MAX_TAKEN):
                data, files, flags, _ = socket.recv_fds(self._channel, INLINE_BYTES, MAX_FILES)
                if flags & socket.MSG_CTRUNC or not files:
                    self._drop(files)
                    continue
                connection = socket.socket(fileno=files[0])
                if len(files) == MAX_FILES:
                    with os.fdopen(files[1], "rb") as file:
                        file.seek(0)
                        data = file.read()
                self._take(connection, data)

    def _drop(self, files: Sequence[int]) -> None:
        """Close a connection that was received without all of its descriptors: this process has no more."""
        for file in files:
            os.close(file)
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= TOLD_AGAIN_S:
            self._told_at = now
            _log.error("a connection of another worker could not be taken: no descriptor is left")
