"""Sending that loses nothing: readings wait in a folder on disk until the server says that they are on its own."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from chargeport.client.http import Client, ServerError

BATCH: Final = 500
REJECTED: Final = "rejected.ndjson"


class Spool:
    """Readings on their way to a server, in batches of `batch`, kept in `folder`.

    `add` returns once they are on disk here; `send` sends what waits, oldest first, and says how many items went. What could
    not be sent stays, over a restart too, for the next `send`. What the server rejects is put into `rejected.ndjson` with the
    reason, so that nothing is lost and one bad item holds up no other. One process may use a folder at a time.
    """

    def __init__(self, client: Client, folder: Path, *, batch: int = BATCH) -> None:
        self._client, self._folder, self._batch = client, folder, batch
        folder.mkdir(parents=True, exist_ok=True)
        self._next = max((int(each.stem) for each in self._files()), default=0) + 1

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return sum(len(_items(each)) for each in self._files())

    def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Keep items on disk until they are sent. An item is one of POST /ingest/readings."""
        lines = [json.dumps(each, separators=(",", ":")) for each in items]
        for start in range(0, len(lines), self._batch):
            self._write(lines[start : start + self._batch])

    def send(self) -> int:
        """Send what waits; how many items were. Raises httpx.TransportError or ServerError, and keeps what is left."""
        sent = 0
        for file in self._files():
            items = _items(file)
            answer = self._client.send(items)
            self._put_aside(items, answer.get("rejected", ()))
            file.unlink()
            sent += len(items)
        return sent

    def try_to_send(self) -> int:
        """Send what waits, as far as the server can be reached; how many items were."""
        before = self.waiting
        try:
            return self.send()
        except (httpx.TransportError, ServerError):
            return before - self.waiting

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.ndjson"))

    def _write(self, lines: list[str]) -> None:
        """Write a batch, whole or not at all."""
        target = self._folder / f"{self._next:012}.ndjson"
        partial = target.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as output:
            output.write("\n".join(lines) + "\n")
            output.flush()
            os.fsync(output.fileno())
        partial.replace(target)
        self._next += 1

    def _put_aside(self, items: list[Any], rejected: Iterable[Mapping[str, Any]]) -> None:
        with (self._folder / REJECTED).open("a", encoding="utf-8") as output:
            for each in rejected:
                line = {"item": items[each["index"]], "code": each.get("code"), "detail": each.get("detail")}
                output.write(json.dumps(line) + "\n")


def _items(file: Path) -> list[Any]:
    """Return the items of a batch. Lines end with a line feed alone: `splitlines` would cut texts, too."""
    return [json.loads(line) for line in file.read_bytes().split(b"\n") if line]
