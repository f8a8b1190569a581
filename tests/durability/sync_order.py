"""Is an answer sent only after what it acknowledges is on the disk, not merely handed to the system?

`kill -9` can't tell: what the system has, it keeps. So the server runs under strace, readings are sent one request at a time,
and for each answer the trace must show the write of its reading to the database's log, then a sync of the log that has
returned, then the answer. Each reading has a mark by which its write is known: the server writes on its own account, too.

    python tests/durability/sync_order.py --requests 1000

prints what it found, and ends with 1 if any answer came too early.
"""

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))
from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals.definition import Permission
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from servers import Server

CALLS = "fdatasync,fsync,write,pwrite64,sendto,sendmsg,writev"
COMPLETE_S = 10  # for strace to write down the last calls
SHOWN_BYTES = 5_000  # of each call: a page of the database

_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\((?P<arguments>.*))")
_LOG = re.compile(r"\d+<[^>]*-wal>")
_MARK = re.compile(r"mark-(\d{6})")
_SENT = re.compile(r'"HTTP/1\.1 200.*accepted')


class Early(msgspec.Struct):
    """An answer that left before its readings were safe."""

    number: int
    why: str


def obstacle() -> str | None:
    """Why strace can't be used here; None if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False, timeout=30)
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[:100]}"


def mark(number: int) -> str:
    """What the reading of this number says."""
    return f"mark-{number:06}"


def events(lines: Iterable[str]) -> Iterator[str]:
    """What happened, in order: `000001` (this mark is written to the log), `synced` (the log, returned), `answer` (begun)."""
    syncing: set[str] = set()
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        thread, call, arguments = found["thread"], found["call"], found["arguments"] or ""
        if found["resumed"] in ("fdatasync", "fsync"):
            if thread in syncing:
                syncing.discard(thread)
                yield "synced" if line.rstrip().endswith("= 0") else "sync failed"
        elif call in ("fdatasync", "fsync") and _LOG.match(arguments):
            if "<unfinished" in arguments:
                syncing.add(thread)
            else:
                yield "synced" if arguments.rstrip().endswith("= 0") else "sync failed"
        elif call == "pwrite64" and _LOG.match(arguments):
            yield from _MARK.findall(arguments)
        elif call is not None and _SENT.search(arguments):
            yield "answer"


def early(happened: Iterable[str]) -> tuple[int, list[Early]]:
    """How many answers there were, and those that came too early: before the first, mark 1 must be written and synced."""
    written, synced = set[int](), set[int]()
    answers, found = 0, []
    for event in happened:
        if event.isdecimal():
            written.add(int(event))
        elif event == "synced":
            synced |= written
        elif event == "answer":
            answers += 1
            if answers not in synced:
                found.append(Early(answers, "not synced" if answers in written else "not even written"))
    return answers, found


async def traced(folder: Path, requests: int) -> tuple[int, list[Early]]:
    """Send so many requests, one after the other, to a server under strace; how many answers there were, and the early ones."""
    database, trace = folder / "traced.db", folder / "trace"
    store = SqliteStore.open(database)
    access = Access(store, SystemClock())
    application, _ = await access.register("Writer", frozenset(Permission))
    headers = {"Authorization": f"Bearer {await access.issue_token(application)}"}
    await store.vehicles.add_vehicle(Vehicle(id="car"))
    await store.close()
    server = Server(database, ["strace", "-f", "-y", "-s", str(SHOWN_BYTES), "-e", f"trace={CALLS}", "-o", str(trace)])
    try:
        server.start()
        async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as client:
            for number in range(1, requests + 1):
                item = {"vehicle": "car", "signal": "charge-chargingconnectortype", "body": {"value": mark(number)}}
                answer = await client.post("/ingest/readings", json=item)
                assert answer.json()["accepted"] == 1, answer.text
        happened = await _complete(trace, requests)
    finally:
        server.stop()
    return early(happened)


def lines_of(trace: Path) -> list[str]:
    return trace.read_text("utf-8", "replace").splitlines()


async def _complete(trace: Path, answers: int) -> list[str]:
    """The events, once so many answers are among them."""
    until = time.monotonic() + COMPLETE_S
    while True:
        happened = list(events(lines_of(trace)))
        if happened.count("answer") >= answers:
            return happened
        assert time.monotonic() < until, f"the trace shows {happened.count('answer')} answers of {answers}"
        await asyncio.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    why = obstacle()
    if why:
        sys.stdout.write(f"not possible here: {why}\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        answers, found = asyncio.run(traced(Path(folder), options.requests))
    sys.stdout.write(f"{answers} answers, {len(found)} of them before their readings were on disk\n")
    for each in found[:10]:
        sys.stdout.write(f"  answer {each.number}: {each.why}\n")
    return 1 if found or answers != options.requests else 0


if __name__ == "__main__":
    sys.exit(main())
