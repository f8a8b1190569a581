"""Redacted recordings of deliveries, for sources whose settings enable them."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from chargeport.clock import Clock
from chargeport.sources.base import Delivery, SourceError
from chargeport.sources.recording import Recorder
from chargeport.sources.redaction import MIN_NAME, Redaction

_log = logging.getLogger("chargeport.recording")


class Recorders:
    """One recording for each source, opened at its first delivery; one that can't be written is closed.

    `folders` are by the name of the source; `names` are redacted.
    """

    def __init__(self, clock: Clock, folders: Mapping[str, Path], names: Iterable[str] = ()) -> None:
        self._clock = clock
        self._folders = folders
        self._names = [name for name in names if len(name) >= MIN_NAME]
        self._open: dict[str, Recorder | None] = {}

    def record(self, deliveries: Sequence[Delivery]) -> None:
        """Record the deliveries of sources with a folder. Never raises: a full disk must not stop ingest."""
        for delivery in deliveries:
            recorder = self._of(delivery.source)
            if recorder is None:
                continue
            try:
                recorder.write([delivery])
            except OSError as error:
                _log.warning("the recording of %s ends: %s", delivery.source, error)
                self._close(delivery.source)

    def close(self) -> None:
        """Close all recordings."""
        for source in self._open:
            self._close(source)

    def _of(self, source: str) -> Recorder | None:
        """Return the recorder of a source; None where it is not recorded."""
        if source not in self._open:
            self._open[source] = None
            if (folder := self._folders.get(source)) is not None:
                stamp = datetime.fromtimestamp(self._clock.now() / 1000, UTC).strftime("%Y%m%d-%H%M%S")
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    self._open[source] = Recorder(folder / f"{source}-{stamp}.jsonl", Redaction(self._names))
                except (OSError, SourceError) as error:
                    _log.warning("%s is not recorded: %s", source, error)
        return self._open[source]

    def _close(self, source: str) -> None:
        recorder, self._open[source] = self._open[source], None
        if recorder is not None:
            with suppress(OSError):
                recorder.close()
