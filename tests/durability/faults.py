"""Faults of processes: killed at once and started again, or paused for a while."""

import asyncio
import random
import signal
import time
from typing import Protocol

import msgspec

from servers import Server


class Victim(Protocol):
    """What a fault can hit."""

    def send_signal(self, number: signal.Signals, /) -> None: ...

    def kill(self) -> None: ...

    def start(self) -> object: ...


class Fault(msgspec.Struct, frozen=True):
    """What was done to whom, and when all was well again."""

    kind: str
    victim: str
    begun_s: float
    ended_s: float
    recovered_s: float = 0

    def __str__(self) -> str:
        well = f", all well after {self.recovered_s - self.ended_s:5.2f} s" if self.recovered_s else ""
        return f"{self.kind:8} {self.victim:10} for {self.ended_s - self.begun_s:5.2f} s{well}"


async def strike(victims: dict[str, Victim], chance: random.Random, pauses_s: tuple[float, float]) -> Fault:
    """Kill or pause one of them for a while, then have it go on."""
    name = chance.choice(list(victims))
    victim, kind, pause_s = victims[name], chance.choice(["kill -9", "SIGSTOP"]), chance.uniform(*pauses_s)
    begun = time.monotonic()
    if kind == "SIGSTOP":
        victim.send_signal(signal.SIGSTOP)
        await asyncio.sleep(pause_s)
        victim.send_signal(signal.SIGCONT)
    else:
        await asyncio.to_thread(victim.kill)
        await asyncio.sleep(pause_s / 4)
        if isinstance(victim, Server):
            victim.launch()
        else:
            await asyncio.to_thread(victim.start)
    return Fault(kind, name, begun, time.monotonic())
