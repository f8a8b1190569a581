"""A file that is made while it is sent: what was written is taken out of it, so that no more than a part is in memory."""

import io


class GrowingFile(io.RawIOBase):
    """A file that is written once, from its beginning to its end."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()
        self._position = 0

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Write all of it."""
        self._written += data
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """Return how long the file is so far."""
        return self._position

    def taken(self) -> bytes:
        """Take out what was written since."""
        data, self._written = bytes(self._written), bytearray()
        return data
