"""Recordings: what a transport received, as JSON Lines, to be viewed, shared and replayed.

A line is {"at": ms, "topic", "payload": text or JSON, or "payload_base64": bytes, "vehicle", "retained", "headers",
"observed_at"}; only `at` and one of the payloads are required. What is written is redacted.
"""

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from chargeport.sources.base import Cause, Delivery, SourceError
from chargeport.sources.redaction import Json, Redaction

MAX_BYTES: Final = 50_000_000
MIN_ALIAS: Final = 5  # letters of a car's name that is replaced in all texts; "car" and "1" occur everywhere

Binary = Callable[[bytes], bytes | None]
"""Redacts a payload that is not text; None if it is not certain to be complete."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a recording. Instants are milliseconds since the epoch."""

    at: int
    topic: str = ""
    payload: msgspec.Raw = msgspec.Raw()
    payload_base64: str | None = None
    vehicle: str | None = None
    retained: bool = False
    headers: Mapping[str, str] = {}
    observed_at: int | None = None

    def body(self) -> bytes:
        """Return the payload's bytes. Raises ValueError if there are none or two of them."""
        raw = bytes(self.payload)
        if bool(raw) is (self.payload_base64 is not None):
            raise ValueError("one of payload and payload_base64 is wanted")
        if self.payload_base64 is not None:
            return base64.b64decode(self.payload_base64, validate=True)
        return msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw


def read_recording(path: Path, *, dialect: str, source: str = "recording") -> Iterator[Delivery]:
    """Yield the deliveries of a recording, a line each, as if received by `source`. Raises SourceError with file and line."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _delivery(line, f"{path}, line {number}", dialect, source)
    except OSError as error:
        raise SourceError(Cause.CONFIGURATION, f"The recording {path} can't be read: {error.strerror}.") from error


def _delivery(text: bytes, where: str, dialect: str, source: str) -> Delivery:
    try:
        line = msgspec.json.decode(text, type=Line)
        payload = line.body()
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise SourceError(Cause.CONFIGURATION, f"{where} is not of a recording: {error}.") from error
    return Delivery(
        source=source,
        dialect=dialect,
        payload=payload,
        received_at=line.at,
        topic=line.topic,
        vehicle=line.vehicle,
        observed_at=line.observed_at,
        retained=line.retained,
        headers=line.headers,
    )


class Recorder:
    """Writes deliveries into a file, redacted, until it is full. A context manager; the file must not exist yet.

    Payloads that are not text are left out and counted, unless `binary` can redact them. `written`, `left_out` and `full` are
    the result.
    """

    def __init__(self, path: Path, redaction: Redaction, *, max_bytes: int = MAX_BYTES, binary: Binary | None = None) -> None:
        self.written = 0
        self.left_out = 0
        self.full = False
        self._redaction = redaction
        self._binary = binary
        self._bytes_left = max_bytes
        try:
            # For its owner only: what is not redacted well enough must not be readable by all users of the machine.
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except OSError as error:
            raise SourceError(Cause.CONFIGURATION, f"The recording {path} can't be written: {error.strerror}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def write(self, deliveries: Sequence[Delivery]) -> None:
        """Write these, up to the size limit."""
        for delivery in deliveries:
            line = self._line(delivery)
            if line is None:
                self.left_out += 1
            elif self.full or len(line) > self._bytes_left:
                self.full = True
            else:
                self._file.write(line)
                self._bytes_left -= len(line)
                self.written += 1
        self._file.flush()

    def _line(self, delivery: Delivery) -> bytes | None:
        if delivery.vehicle is not None and len(delivery.vehicle) >= MIN_ALIAS:
            self._redaction.learn(delivery.vehicle)
        line: dict[str, Json] = {"at": delivery.received_at}
        if delivery.topic:
            line["topic"] = delivery.topic
        if (text := _text(delivery.payload)) is not None:
            line["payload"] = text
        elif self._binary is not None and (payload := self._binary(delivery.payload)) is not None:
            line["payload_base64"] = base64.b64encode(payload).decode()
        else:
            return None
        if delivery.vehicle is not None:
            line["vehicle"] = delivery.vehicle
        if delivery.retained:
            line["retained"] = True
        if delivery.headers:
            line["headers"] = dict(delivery.headers)
        if delivery.observed_at is not None:
            line["observed_at"] = delivery.observed_at
        try:
            return json.dumps(self._redaction.line(line), ensure_ascii=False).encode() + b"\n"
        except RecursionError:  # JSON nested too deep to be examined
            return None


def _text(payload: bytes) -> str | None:
    """Return the payload as text; None if it is not text."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    return text if all(one >= " " or one in "\t\r\n" for one in text) else None
