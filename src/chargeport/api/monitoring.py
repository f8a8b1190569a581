"""`/healthz`, `/readyz` and `/metrics`: liveness, readiness and counters of the server."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chargeport.api.error_boundary import ErrorBoundary
from chargeport.api.request import AppContext, Request
from chargeport.api.response import Header, Response, answer, json_answer
from chargeport.api.worker_reports import READY, Tally, WorkerReports
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind
from chargeport.signals.effective import effective_of
from chargeport.store.records import Page

TRY_AGAIN_MS: Final = 1000  # anybody may request it, and each check writes a page

PAGE: Final = 100
_NUMBERS: Final = [signal for signal in CATALOGUE if signal.kind in (Kind.QUANTITY, Kind.COUNT, Kind.FLAG)]
_TEXT: Header = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


async def healthz(request: Request) -> Response:
    """Answer that the process runs."""
    return json_answer(200, {"status": "ok"}, request.request_id)


class Readiness:
    """Whether the store can be read and written: read for each answer, written once a second at most."""

    def __init__(self, reports: WorkerReports | None = None) -> None:
        self._reports = reports  # of the workers, if there are several
        self._writing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._written_at = 0

    async def answer(self, request: Request) -> Response:
        """Answer whether the store can be read and written; 503 gives the reason why not."""
        store, now = request.context.store, request.context.clock.now()
        is_recent = 0 <= now - self._written_at < TRY_AGAIN_MS
        if self._writing is None or (self._writing.done() and not is_recent):
            self._written_at = now
            self._writing, self._reading = _begun(store.ping()), None
        elif self._writing.done() and (self._reading is None or self._reading.done()):
            self._reading = _begun(store.ping(writes=False))
        for tried in filter(None, (self._writing, self._reading)):
            await asyncio.shield(tried)
        workers = {} if self._reports is None else self._reports.statuses()
        each = [{"number": number, "status": status} for number, status in workers.items()]
        return json_answer(200, {"status": READY} | ({"workers": each} if each else {}), request.request_id)


def _begun(ping: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a check that concurrent requests share."""
    trying = asyncio.create_task(ping, name="readiness")
    trying.add_done_callback(_discard_result)
    return trying


def _discard_result(tried: asyncio.Task[None]) -> None:
    """Retrieve the exception: the client may have disconnected."""
    if not tried.cancelled():
        tried.exception()


class _Found(Collector):
    """The metrics of one answer."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """Return all families."""
        return self._families


def tally(gate: ErrorBoundary, context: AppContext) -> Tally:
    """Return the counts of this process."""
    attempts, waiting = Counter(context.webhooks.counts), context.derivation.waiting
    return Tally(Counter(gate.answered), Counter(gate.guesses.failures), attempts, waiting)


async def metrics(request: Request, gate: ErrorBoundary, reports: WorkerReports | None) -> Response:
    """Return the metrics of all workers: requests, wrong credentials, webhooks and, if configured, the vehicles' values."""
    counted = tally(gate, request.context)
    if reports is not None:
        counted = reports.total(counted)
    families: list[Metric] = [*_requests(counted), *await _webhooks(request.context, counted)]
    if request.context.settings.derive.enabled:
        families.append(_derivation(counted))
    if reports is not None:
        families.append(_workers(reports))
    if request.context.settings.metrics.vehicle_values:
        families.append(await _values(request.context))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(families))
    return answer(200, generate_latest(registry), request.request_id, kind=_TEXT)


def _workers(reports: WorkerReports) -> Metric:
    family = GaugeMetricFamily("chargeport_worker_ready", "1 where a worker of the server is ready.", labels=["worker"])
    for number, status in reports.statuses().items():
        family.add_metric([str(number)], int(status == READY))
    return family


def _derivation(counted: Tally) -> Metric:
    family = GaugeMetricFamily(
        "chargeport_derivation_waiting",
        "Vehicles whose values or sessions are to be derived yet, where the server derives: 0 where all is done.",
    )
    family.add_metric([], counted.waiting)
    return family


def _requests(counted: Tally) -> Iterator[Metric]:
    family = CounterMetricFamily("chargeport_requests", "Answers, by route and status.", labels=["route", "status"])
    for (route, status), count in sorted(counted.answered.items()):
        family.add_metric([route, str(status)], count)
    wrong = CounterMetricFamily("chargeport_wrong_credentials", "Wrong tokens and secrets.", labels=["credential"])
    for credential, count in sorted(counted.wrong.items()):
        wrong.add_metric([credential], count)
    tasks = GaugeMetricFamily(
        "chargeport_tasks", "Tasks in progress in the process: a constantly growing number indicates a fault."
    )
    tasks.add_metric([], len(asyncio.all_tasks()))
    yield from (family, wrong, tasks)


async def _webhooks(context: AppContext, counted: Tally) -> list[Metric]:
    attempts = CounterMetricFamily(
        "chargeport_webhook_attempts",
        "Attempts to deliver an event since the start: delivered, failed (retried later), dead (the last one).",
        labels=["outcome"],
    )
    for outcome in ("delivered", "failed", "dead"):
        attempts.add_metric([outcome], counted.attempts[outcome])
    pending = GaugeMetricFamily("chargeport_webhook_pending", "Events that wait for delivery.", labels=["webhook"])
    lag = GaugeMetricFamily("chargeport_webhook_lag_seconds", "Age of the oldest waiting event.", labels=["webhook"])
    failing = GaugeMetricFamily(
        "chargeport_webhook_failing_seconds", "Time since which no delivery has succeeded.", labels=["webhook"]
    )
    disabled = GaugeMetricFamily(
        "chargeport_webhook_disabled", "1 where a webhook was disabled because its receiver failed.", labels=["webhook"]
    )
    now, queues = context.clock.now(), await context.store.webhooks.pending()
    for webhook in await context.store.webhooks.webhooks():
        count, oldest_at = queues.get(webhook.id, (0, now))
        pending.add_metric([webhook.id], count)
        lag.add_metric([webhook.id], max(0, now - oldest_at) / 1000)
        failing.add_metric([webhook.id], 0 if webhook.failing_at is None else max(0, now - webhook.failing_at) / 1000)
        disabled.add_metric([webhook.id], int(webhook.reason is not None and not webhook.fields.is_enabled))
    return [attempts, pending, lag, failing, disabled]


async def _values(context: AppContext) -> Metric:
    """Return the effective numbers and flags. A signal without a valid value has no sample."""
    family = GaugeMetricFamily(
        "chargeport_signal_value", "A signal's value in its unit; of a flag 0 or 1.", labels=["vehicle", "signal", "unit"]
    )
    store, now, page = context.store, context.clock.now(), 1
    while found := (await store.vehicles.vehicles(Page(page, PAGE)))[0]:
        page += 1
        series = await store.readings.signals_of([vehicle.id for vehicle in found])
        for vehicle in found:
            if vehicle.id not in series:
                continue
            for counts in effective_of(_NUMBERS, series[vehicle.id].series, store.readings.ranks, now):
                signal, value = counts.state.signal, counts.state.value
                if counts.unavailability is None and value is not None:
                    family.add_metric([vehicle.id, signal.code, signal.unit or ""], float(value))
    return family
