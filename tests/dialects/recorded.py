"""Recordings: deliveries as they came, one a line, and beside them what they come to.

`python tests/dialects/recorded.py FILE…` prints what a recording comes to now, to be checked by hand before it is kept.
"""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from chargeport.dialects.table import Dialect
from chargeport.ingest import engine
from chargeport.ingest.memory import CarMemory, Memory
from chargeport.signals.definition import Kind
from chargeport.signals.reading import Entry, Issue, Reading
from chargeport.sources.base import Delivery

RECORDINGS = Path(__file__).parent.parent / "data" / "recordings"
SOURCE = "recording"


class Outcome(NamedTuple):
    """What deliveries came to, in their order."""

    entries: list[Entry]
    issues: list[Issue]


def recordings(dialect: str) -> list[Path]:
    """The recordings of a dialect that are kept with the tests."""
    return sorted((RECORDINGS / dialect).glob("*.jsonl"))


def all_recordings() -> list[Path]:
    return sorted(RECORDINGS.glob("*/*.jsonl"))


def deliveries(path: Path) -> list[Delivery]:
    """The deliveries of a recording, for the dialect that its folder is named after."""
    return [_delivery(path.parent.name, json.loads(line)) for line in path.read_text().splitlines() if line.strip()]


def _delivery(dialect: str, line: dict[str, Any]) -> Delivery:
    if "payload_base64" in line:
        payload = base64.b64decode(line["payload_base64"])
    elif isinstance(line["payload"], str):
        payload = line["payload"].encode()
    else:
        payload = json.dumps(line["payload"]).encode()
    return Delivery(
        source=SOURCE,
        dialect=dialect,
        payload=payload,
        received_at=line["at"],
        topic=line.get("topic", ""),
        vehicle=line.get("vehicle"),
        retained=line.get("retained", False),
        headers=line.get("headers", {}),
    )


def run(dialect: Dialect, given: list[Delivery], memory: Memory | None = None) -> Outcome:
    """What deliveries come to, one after the other."""
    outcome, known = Outcome([], []), memory or Memory()
    for delivery in given:
        found = engine.read(delivery, dialect)
        if isinstance(found, Issue):
            outcome.issues.append(found)
            continue
        for message in found:
            came = engine.normalise(message, dialect, known.of(SOURCE, message.vehicle))
            outcome.entries.extend(came.entries)
            outcome.issues.extend(came.issues)
    return outcome


def outcome_of(
    dialect: Dialect, fields: dict[str, Any], memory: CarMemory | None = None, at: int = 1_777_629_598_000
) -> Outcome:
    """What an object of fields of one car comes to."""
    payload = json.dumps(fields).encode()
    found = engine.read(Delivery(source=SOURCE, dialect=dialect.name, payload=payload, received_at=at, vehicle="car"), dialect)
    if isinstance(found, Issue):
        return Outcome([], [found])
    outcome, known = Outcome([], []), memory or CarMemory()
    for message in found:
        came = engine.normalise(message, dialect, known)
        outcome.entries.extend(came.entries)
        outcome.issues.extend(came.issues)
    return outcome


def values(outcome: Outcome) -> dict[str, Any]:
    """The last value of each signal by the end of its code; a reason in angle brackets where there is none."""
    return {entry.signal.code.partition("-")[2]: shown(entry) for entry in outcome.entries}


def shown(entry: Entry) -> Any:
    """A value as plain JSON, or a reason in angle brackets."""
    if not isinstance(entry, Reading):
        return f"<{entry.reason}>"
    return json.loads(str(entry.value)) if entry.signal.kind is Kind.DOCUMENT else entry.value


def written(outcome: Outcome) -> dict[str, list[str]]:
    """An outcome as *.expected.json keeps it: a line for each entry and each issue."""
    return {
        "entries": [
            f"{entry.vehicle} {entry.observed_at} {entry.signal.code} {json.dumps(shown(entry), separators=(',', ':'))}"
            for entry in outcome.entries
        ],
        "issues": [f"{issue.vehicle or '?'} {issue.subject}: {issue.detail}" for issue in outcome.issues],
    }


def expected(path: Path) -> dict[str, list[str]]:
    """What the recording is to come to."""
    found: dict[str, list[str]] = json.loads(path.with_suffix(".expected.json").read_text())
    return found


def _printed(paths: list[str]) -> Iterator[str]:
    from chargeport.dialects.all import ALL

    for name in paths:
        path = Path(name).resolve()
        yield json.dumps(written(run(ALL[path.parent.name], deliveries(path))), indent=2, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write("\n".join(_printed(sys.argv[1:])) + "\n")
