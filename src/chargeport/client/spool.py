"""A spool: readings stay in a folder until the server has stored them."""

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
    """Store readings in files of up to `batch` items in `folder`, and send them to a server.

    `add` returns once the items are on disk; `send` sends them, oldest first. Items that could not be sent are retained for
    the next `send`, also after a restart. Items that the server rejects are moved to `rejected.ndjson` with the reason. One
    process may use a folder at a time.
    """

    def __init__(self, client: Client, folder: Path, *, batch: int = BATCH) -> None:
        self._client, self._folder, self._batch = client, folder, batch
        folder.mkdir(parents=True, exist_ok=True)
        self._next = max((int(file.stem) for file in self._files()), default=0) + 1

    @property
    def waiting(self) -> int:
        """The number of items to send."""
        return sum(len(_items(file)) for file in self._files())

    def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Write items of POST /ingest/readings to disk."""
        lines = [json.dumps(item, separators=(",", ":")) for item in items]
        for start in range(0, len(lines), self._batch):
            self._write(lines[start : start + self._batch])

    def send(self) -> int:
        """Send all items; return their number. Raises httpx.TransportError or ServerError; the unsent items are retained."""
        sent = 0
        for file in self._files():
            items = _items(file)
            answer = self._client.send(items)
            self._keep_rejected(items, answer.get("rejected", ()))
            file.unlink()
            sent += len(items)
        return sent

    def try_to_send(self) -> int:
        """Send items until the server fails; return the number of items sent."""
        before = self.waiting
        try:
            return self.send()
        except (httpx.TransportError, ServerError):
            return before - self.waiting

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.ndjson"))

    def _write(self, lines: list[str]) -> None:
        """Write a batch atomically."""
        target = self._folder / f"{self._next:012}.ndjson"
        partial = target.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as output:
            output.write("\n".join(lines) + "\n")
            output.flush()
            os.fsync(output.fileno())
        partial.replace(target)
        self._next += 1

    def _keep_rejected(self, items: list[Any], rejected: Iterable[Mapping[str, Any]]) -> None:
        with (self._folder / REJECTED).open("a", encoding="utf-8") as output:
            for rejection in rejected:
                line = {"item": items[rejection["index"]], "code": rejection.get("code"), "detail": rejection.get("detail")}
                output.write(json.dumps(line) + "\n")


def _items(file: Path) -> list[Any]:
    """Return the items of a batch. Lines end with a line feed only; `splitlines` would split at others."""
    return [json.loads(line) for line in file.read_bytes().split(b"\n") if line]
