"""Keeps deliveries as recordings, redacted, for sources whose settings ask for it."""

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
    """A recording for each source, begun with its first delivery; one that can't be written is given up.

    `folders` says where, by the name of the source; `names` are replaced wherever they stand.
    """

    def __init__(self, clock: Clock, folders: Mapping[str, Path], names: Iterable[str] = ()) -> None:
        self._clock = clock
        self._folders = folders
        self._names = [name for name in names if len(name) >= MIN_NAME]
        self._open: dict[str, Recorder | None] = {}

    def record(self, deliveries: Sequence[Delivery]) -> None:
        """Keep these, as far as anybody wants them. Never raises: a full disk is no reason to stop listening."""
        for delivery in deliveries:
            recorder = self._of(delivery.source)
            if recorder is None:
                continue
            try:
                recorder.write([delivery])
            except OSError as error:
                _log.warning("the recording of %s ends: %s", delivery.source, error)
                self._give_up(delivery.source)

    def close(self) -> None:
        """Let go of the files."""
        for source in self._open:
            self._give_up(source)

    def _of(self, source: str) -> Recorder | None:
        if source not in self._open:
            folder = self._folders.get(source)
            self._open[source] = None if folder is None else self._begun(source, folder)
        return self._open[source]

    def _begun(self, source: str, folder: Path) -> Recorder | None:
        stamp = datetime.fromtimestamp(self._clock.now() / 1000, UTC).strftime("%Y%m%d-%H%M%S")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return Recorder(folder / f"{source}-{stamp}.jsonl", Redaction(self._names))
        except (OSError, SourceError) as error:
            _log.warning("%s is not recorded: %s", source, error)
            return None

    def _give_up(self, source: str) -> None:
        recorder, self._open[source] = self._open[source], None
        if recorder is not None:
            with suppress(OSError):
                recorder.close()
