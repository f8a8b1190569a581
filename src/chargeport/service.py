"""READ THIS FIRST. Connects the parts of a server: sources → ingest → store → api.

    source ── Delivery ──▶   ingest   ── Reading, Absence, Issue ──▶ store ──▶ api ──▶ clients
              (theirs)     (dialect)             (ours)             (disk)   (Smartcar's)
                                                                     ▲ │
                                                 derivation: values and sessions from the reports

The dashboard is added by the command that starts a server.
"""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from chargeport import __version__, tasks
from chargeport.api.access import Access
from chargeport.api.app import WebApp, build_app
from chargeport.api.consents import Consents
from chargeport.api.cursors import Positions
from chargeport.api.fleet import Fleet
from chargeport.api.monitoring import tally
from chargeport.api.reads import Reads
from chargeport.api.request import AppContext
from chargeport.api.route import Handler
from chargeport.api.sign_in import SignIn
from chargeport.api.tail import Tail
from chargeport.api.worker_reports import WorkerReports
from chargeport.bus.shared import Doorbell, Line, SharedDoorbell
from chargeport.clock import CONFIRMED, Clock, SimulatedClock, SteadyClock
from chargeport.config import Role, encryption
from chargeport.derivation.sessions import SessionDeriver
from chargeport.derivation.worker import Derivation
from chargeport.errors import StoreError
from chargeport.runtime.commands import Commands
from chargeport.runtime.feeds import Feeds
from chargeport.runtime.leases import Leases, Work
from chargeport.settings import Settings
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import OPERATOR, Permission
from chargeport.simulation.control import Register, Simulation
from chargeport.sources.base import Commandable, Source
from chargeport.sources.simulator import Simulator
from chargeport.staleness.cadence import Cadences
from chargeport.store.audit import SERVER, Act, Actor, act_as
from chargeport.store.backends import open_store, require_driver
from chargeport.store.protocols import Store
from chargeport.store.retention import keep, keep_audit
from chargeport.store.retention_policy import KeepFor, Policy
from chargeport.store.urls import is_server
from chargeport.webhooks.service import WebhookService

if TYPE_CHECKING:
    from chargeport.mqtt_out.publisher import MqttOut

DERIVE_EVERY_MS = 3_600_000  # of a simulated clock that is set forward: the cost of a session grows with its length
WAIT_S = 30.0  # for a ring, which may be lost
LAST_CHANGES = 100  # of which the latest receipt is taken: the last ones may be those of an import with older times


class Service:
    """A running Chargeport without its web server."""

    def __init__(self, store: Store, settings: Settings, clock: Clock | None = None, doorbell: Doorbell | None = None) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock or SteadyClock()
        self.doorbell = doorbell or Doorbell()
        self.access = Access(store, self.clock, settings.limits.tokens_by_application)
        self.sign_in = SignIn(store, self.access, self.clock)
        self.consents = Consents(store, self.access, self.clock)
        self.positions = Positions(store.notes)
        self.fleet = Fleet(store, self.access)
        self.tail = Tail(store, self.access, self.clock, self.doorbell, most_of_one=settings.limits.streams_by_application)
        self.feeds = Feeds(store, settings, self.clock, refused=self.access.counts.of_source)
        self.derivation = Derivation(store, settings, self.clock, self.doorbell.wait, rest=self._rest)
        self.policy = Policy({signal.group: KeepFor(*settings.retention.of(signal.group)) for signal in CATALOGUE})
        self.cadences = Cadences(store, settings.staleness, self.clock)
        docs = f"{settings.server.base_url or f'http://{settings.server.host}:{settings.server.port}'}/docs/errors"
        self.webhooks = WebhookService(store, self.clock, settings.webhooks, docs, self.doorbell.wait)
        self.leases: Leases | None = None  # None if this is the only process
        self.simulation: Simulation | None = None
        self._tasks: list[asyncio.Future[None]] = []
        self._mqtt_out: MqttOut | None = None
        self._deriving: asyncio.Task[None] | None = None
        self._is_paused = False
        self._derived_at = 0

    @classmethod
    def open(cls, settings: Settings, clock: Clock | None = None, *, anew: bool = False, line: Line | None = None) -> "Service":
        """Open a service on the database of the settings; `anew` as in `open_store`.

        `line` transmits rings between workers if neither the settings nor the database provide a channel.

        Raises StartError, SchemaError, SettingError.
        """
        clock = clock or SteadyClock()
        doorbell = doorbell_of(settings, clock, line)
        store = open_store(settings.database.url, doorbell.ring, anew=anew, encryption=encryption(settings))
        return cls(store, settings, clock, doorbell)

    def app(self, pages: Mapping[str, Handler], *, fast_path: bool = True, reports: WorkerReports | None = None) -> WebApp:
        """Return the application on this service; `reports` exchanges the states of the server's workers."""
        faults = None if self.simulation is None else self.simulation.faults
        reads = Reads(self.store, self.access, self.clock, strict=self.settings.server.strict, faults=faults)
        context = AppContext(
            self.store,
            self.access,
            reads,
            self.clock,
            self.settings,
            self.tail,
            self.positions,
            self.feeds.pipeline,
            self.webhooks,
            self.sign_in,
            self.consents,
            self.fleet,
            SessionDeriver(self.store, self.settings, self.clock),
            self._commands(),
            self.derivation,
            self.simulation,
        )
        sockets = self.feeds.sockets() | self.feeds.sockets_elsewhere()
        app = build_app(context, pages, fast_path=fast_path, sockets=sockets, reports=reports)
        if reports is not None:
            reporting = reports.run(lambda: tally(app.errors, context), lambda: self.store.ping(writes=False))
            self._tasks.append(asyncio.create_task(reporting, name="worker reports"))
        return app

    def _commands(self) -> Commands:
        if self.simulation is None:
            return Commands(self.store, self.clock, self._commandable())
        return Commands(self.store, self.clock, self._commandable(), self.simulation.faults.met)

    def _commandable(self) -> list[Commandable]:
        """Return the executors of commands: the simulation, then the sources of the settings in their order."""
        sources = [built.source for built in self.feeds.built if isinstance(built.source, Commandable)]
        return [*([] if self.simulation is None else [self.simulation]), *sources]

    async def start(self, sources: Sequence[Source] = (), role: Role = "all") -> None:
        """Register the settings' cars, and start the settings' sources and these.

        Every process answers the API; `role` names its other work. If there may be several processes, work that must be done
        once is done by the process that has its lease.
        """
        # The objects loaded so far are permanent: the garbage collector need not visit them, nor run at every 700th object.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        if isinstance(self.clock, SteadyClock):
            self.clock.begin(await self.last_received_at(), int(await self.store.notes.recall(*CONFIRMED) or 0))
        act_as(Actor(SERVER, now=self.clock.now))
        await self.store.access.encrypt_anew(stale_only=True)
        await self.store.access.applications()  # raises without the right key for their secrets
        await self.store.audit.add(Act.SERVER_STARTED, detail=f"version {__version__}, role {role}")
        await self.cadences.begin()
        self._tasks.append(asyncio.create_task(self.cadences.run(), name="cadence"))
        self._tasks.append(asyncio.create_task(self.access.counts.run(), name="audit counts"))
        if isinstance(self.doorbell, SharedDoorbell):
            self._tasks.append(asyncio.create_task(self.doorbell.run(), name="doorbell"))
        if role != "all" or is_server(self.settings.database.url):
            self.leases = Leases(self.store.notes, self.clock)
        await self.feeds.start(
            sources, hold=None if self.leases is None else self.leases.hold, running=role in ("all", "ingest")
        )
        self.webhooks.is_elsewhere = self.leases is not None
        self.webhooks.watch.has_other_writers = self.leases is not None or isinstance(self.doorbell, SharedDoorbell)
        if role in ("all", "deliver"):
            self._start_shared_work()

    def _start_shared_work(self) -> None:
        """Start the work that one process does for all processes."""
        self._once("audit", lambda: keep_audit(self.store.audit, self.settings.retention.audit_days, self.clock))
        if self.policy.is_limited:
            self._once("retention", lambda: keep(self.store.retention, self.policy, self.clock))
        if self.settings.mqtt_out.url is not None:
            from chargeport.mqtt_out.publisher import MqttOut

            self._mqtt_out = MqttOut(self.store, self.clock, self.settings.mqtt_out, self.doorbell.wait)
            self._once("mqtt out", self._mqtt_out.run)
        if self.settings.derive.enabled:
            self.store.readings.on_written(self.derivation.note)
        if self.leases is None:
            self.resume()
            return
        self._once("webhooks", self._deliver)
        if self.settings.derive.enabled:
            self._once("derivation", self.derivation.run)

    def _once(self, name: str, work: Work) -> None:
        running = work() if self.leases is None else self.leases.hold(name, work)
        self._tasks.append(asyncio.ensure_future(running))

    async def _deliver(self) -> None:
        """Watch for events of webhooks and deliver them until cancelled."""
        self.webhooks.is_elsewhere = False
        self.webhooks.start()
        try:
            await asyncio.Event().wait()
        finally:
            self.webhooks.is_elsewhere = True
            await self.webhooks.close()

    async def simulate(self, simulator: Simulator, clock: SimulatedClock, register: Register | None = None) -> Simulation:
        """Start with simulated cars, and a control that may stop the clock; `register` adds cars of scenarios."""
        simulation = self.simulation = Simulation(clock, simulator, self, register)
        self.webhooks.deliveries.faults = simulation.faults
        self.sign_in.permissions = OPERATOR | {Permission.CONTROL_SIMULATOR}
        await self.start([simulator])
        await simulation.begin()
        return simulation

    # The background work, which a simulation controls. See `simulation.control.Background`.

    def resume(self) -> None:
        """Start to derive and to send webhooks."""
        self._is_paused = False
        self.webhooks.start()
        if self.settings.derive.enabled:
            self._deriving = asyncio.create_task(self.derivation.run(), name="derivation")

    async def pause(self) -> None:
        """Stop deriving and sending webhooks."""
        self._is_paused = True
        await self.webhooks.pause()
        if self._deriving is not None:
            await tasks.end(self._deriving)
            self._deriving = None
            await self.derivation.resume()  # `catch_up` continues from there

    async def settle(self, *, complete: bool = True) -> None:
        """Send all webhooks that are due; derive first, if `complete` or after DERIVE_EVERY_MS."""
        now = self.clock.now()
        if self.settings.derive.enabled and (complete or now - self._derived_at >= DERIVE_EVERY_MS):
            self._derived_at = now
            await self.derivation.catch_up()
        await self.webhooks.catch_up()

    async def next_at(self) -> int | None:
        """Return when a webhook is due without a further write."""
        return await self.webhooks.next_at()

    async def is_followed(self) -> bool:
        """Return whether there is a webhook, which needs each change."""
        return await self.webhooks.is_active()

    async def wait_for_work(self) -> None:
        """Wait until something was stored, or is to be sent by a webhook."""
        waits = [asyncio.ensure_future(wait) for wait in (self.doorbell.wait(WAIT_S), self.webhooks.woken())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _rest(self, duration_s: float) -> None:
        """Let requests run between steps of the derivation; do not wait while the work is paused by a simulation."""
        await asyncio.sleep(0 if self._is_paused else duration_s)

    async def last_received_at(self) -> int:
        """Return when the newest of the last stored changes was received; 0 if there is none."""
        last = await self.store.readings.changes(max(0, await self.store.readings.position() - LAST_CHANGES), LAST_CHANGES)
        return max((change.received_at for change in last), default=0)

    def stop_answers(self) -> None:
        """End the streams, and send the answers that a simulator delays."""
        self.tail.stop()
        if self.simulation is not None:
            self.simulation.faults.stop()

    async def close(self) -> None:
        """Stop the sources, end the streams and close the store."""
        if self.simulation is not None:
            await self.simulation.close()
        await self.feeds.close()
        await self.pause()
        await tasks.end(*self._tasks)
        if self._mqtt_out is not None:
            await self._mqtt_out.close()
        await self.tail.close()
        await self.fleet.close()
        with suppress(StoreError):  # the counts of the last minute are lost then
            await self.access.counts.write()
        await self.store.close()


def doorbell_of(settings: Settings, clock: Clock, line: Line | None = None) -> Doorbell:
    """Return the doorbell of the settings: over NATS, else over PostgreSQL, else over this line, if there is one."""
    if settings.bus.url:
        from chargeport.bus.nats import NatsLine

        return SharedDoorbell(NatsLine(settings.bus.url), clock)
    if is_server(settings.database.url):
        require_driver()
        from chargeport.bus.postgres import PostgresLine

        return SharedDoorbell(PostgresLine(settings.database.url), clock)
    return Doorbell() if line is None else SharedDoorbell(line, clock)
