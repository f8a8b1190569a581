"""The loops that fold history as it gets older and prune the audit log, on any store: a round every hour."""

import asyncio
import logging
from typing import Final

from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.store.audit import DAY_MS, Audit
from chargeport.store.protocols import Retention
from chargeport.store.retention_policy import Policy, Progress

MAX_DEEDS: Final = 1_000_000  # entries of the audit log: some 200 MB
PAUSE_S: Final = 0.05  # between steps: longer than a step, so that others have the writer most of the time
ROUND_S: Final = 3600.0  # between rounds: horizons move once a day, but late entries should not wait for long

_log = logging.getLogger("chargeport.store")


async def keep(store: Retention, policy: Policy, clock: Clock) -> None:
    """Fold history every hour until cancelled; log store errors and retry. Return if nothing is ever to be folded."""
    while policy.is_limited:
        try:
            done = await go_round(store, policy, clock)
            if done.runs or done.hours or done.dropped:
                _log.info("%d runs became %d hours; %d hours were dropped", done.runs, done.hours, done.dropped)
        except StoreError as error:
            _log.warning("history is not folded for now: %s", error)
        await clock.sleep(ROUND_S)


async def keep_audit(store: Audit, days: int, clock: Clock) -> None:
    """Prune the audit log every hour of real time until cancelled; log store errors and retry."""
    while True:
        try:
            await store.prune(clock.now() - days * DAY_MS, MAX_DEEDS)
        except StoreError as error:
            _log.warning("the audit log is not pruned for now: %s", error)
        await asyncio.sleep(ROUND_S)


async def go_round(store: Retention, policy: Policy, clock: Clock) -> Progress:
    """Fold all that is due, step by step; return the total progress. Raises StoreError."""
    runs, hours, dropped = 0, 0, 0
    progress = await store.fold(policy, clock.now())
    while True:
        runs, hours, dropped = runs + progress.runs, hours + progress.hours, dropped + progress.dropped
        if not progress.more:
            return Progress(runs, hours, dropped)
        await clock.sleep(PAUSE_S)
        progress = await store.fold(policy, clock.now(), progress.after)
