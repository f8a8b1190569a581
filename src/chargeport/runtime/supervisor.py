"""Run sources until cancelled: one that fails is started again after a delay, and stops neither the others nor the API."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from chargeport import tasks
from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.ingest.pipeline import Pipeline
from chargeport.runtime.source_status import Budgeted, SourceState, SourceStatus
from chargeport.sources.base import Cause, Delivery, Mounted, RawMessage, Source, SourceError

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 300.0
STORE_WAIT_S: Final = 2.0
"""The delay after an error of our own database, whose load a retry does not raise."""
RESET_AFTER_S: Final = 60.0
"""After a source has run for so long, the delay is FIRST_WAIT_S again."""
WRITE_EVERY_S: Final = 2.0
"""Between writes of the states of the sources, which commands read."""
CONFIRM_EVERY_S: Final = 2.0
"""Between confirmations of what connected sources have reported."""

_log = logging.getLogger("chargeport.sources")

Write = Callable[[Sequence[SourceState]], Awaitable[None]]
Hold = Callable[[str, Callable[[], Coroutine[Any, Any, None]]], Coroutine[Any, Any, None]]
"""Runs work under a name, in one process of several."""


class Supervisor:
    """Run the sources of a service, and report their states."""

    def __init__(self, pipeline: Pipeline, clock: Clock, write: Write, jitter: random.Random | None = None) -> None:
        """Prepare the supervisor. `write` stores the states of all sources."""
        self._pipeline = pipeline
        self._clock = clock
        self._write = write
        self._jitter = jitter or random.Random()  # noqa: S311  (spreads retries, is no secret)
        self._statuses: dict[str, SourceStatus] = {}
        self._budgeted: dict[str, Budgeted] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, sources: Sequence[tuple[Source, SourceStatus]], hold: Hold | None = None) -> None:
        """Run sources, each in a task of its own; `hold` runs those that do not share work in one process of several."""
        for source, status in sources:
            self._statuses[source.name] = status
            if isinstance(source, Budgeted):
                self._budgeted[source.name] = source
            run = partial(self._keep_running, source, status)
            is_per_process = hold is None or isinstance(source, Mounted) or getattr(source, "shares_work", False)
            work = run() if hold is None or is_per_process else hold(f"source {source.name}", run)
            self._tasks.append(asyncio.create_task(work, name=f"source {source.name}"))
        if self._statuses:
            self._tasks.append(asyncio.create_task(self._write_states(), name="source states"))

    def states(self) -> list[SourceState]:
        """Return the states of the sources."""
        return [status.state for status in self._statuses.values()]

    async def close(self) -> None:
        """End all sources."""
        await tasks.end(*self._tasks)
        for status in self._statuses.values():
            status.stopped()
        if self._tasks:
            with suppress(StoreError):
                await self._write(self.states())
        self._tasks.clear()

    async def _keep_running(self, source: Source, status: SourceStatus) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            began_at = self._clock.now()
            error = await self._run(source, status)
            if self._clock.now() - began_at > RESET_AFTER_S * 1000:
                wait_s = FIRST_WAIT_S
            pause_s = error.retry_after_s or wait_s * self._jitter.uniform(0.8, 1.2)
            _log.warning("source %s: %s: %s It is started again in %.0f s.", source.name, error.cause.value, error, pause_s)
            status.failed(error, self._clock.now() + round(pause_s * 1000))
            await self._clock.sleep(pause_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S) if error.retry_after_s is None else wait_s
            status.trying()

    async def _run(self, source: Source, status: SourceStatus) -> SourceError:
        """Run a source until it ends; return the reason."""

        async def emit(received: Sequence[RawMessage | Delivery]) -> None:
            batch = await self._pipeline.take(received)
            status.received(len(received), batch.stored, len(batch.issues))

        confirming = asyncio.create_task(self._confirm(source.name), name=f"confirming {source.name}")
        try:
            await source.run(emit)
        except SourceError as error:
            return error
        except StoreError as error:
            return SourceError(Cause.UNREACHABLE, f"What it receives can't be stored: {error}", STORE_WAIT_S)
        except Exception as error:  # noqa: BLE001  (a plugin's source may raise anything)
            _log.exception("source %s failed with an unexpected error", source.name)
            return SourceError(Cause.PROTOCOL, f"It failed unexpectedly: {type(error).__name__}: {error}.")
        finally:
            confirming.cancel()
            self._pipeline.mark_disconnected(source.name)
        return SourceError(Cause.UNREACHABLE, "It came to an end by itself.")

    async def _confirm(self, name: str) -> None:
        """Confirm the values of a connected source until cancelled, if its dialect reports the connection."""
        while True:
            await asyncio.sleep(CONFIRM_EVERY_S)
            try:
                await self._pipeline.confirm(name)
            except StoreError as error:
                _log.warning("the values of the source %s are not confirmed: %s", name, error)

    async def _write_states(self) -> None:
        while True:
            try:
                for name, source in self._budgeted.items():
                    self._statuses[name].left(await source.left())
                await self._write(self.states())
            except StoreError as error:
                _log.warning("the states of the sources can't be written: %s", error)
            except Exception:  # noqa: BLE001  (a plugin's source may raise anything)
                _log.exception("the states of the sources can't be read")
            await asyncio.sleep(WRITE_EVERY_S)
