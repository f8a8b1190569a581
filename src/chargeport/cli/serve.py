"""`chargeport serve`: run the server until it is stopped."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated, Final

import typer

from chargeport import config
from chargeport.cli import configuration, log_lines, page_address
from chargeport.cli.options import Database, Host, Port
from chargeport.cli.output import complain, say
from chargeport.config import Role
from chargeport.errors import ChargeportError, SettingError
from chargeport.installation import program
from chargeport.settings import Settings
from chargeport.store import urls

if TYPE_CHECKING:
    from chargeport.api.handover import Handover
    from chargeport.service import Service
    from chargeport.workers import Worker

SWITCH_S: Final = 0.001
"""How long another thread may hold the interpreter lock while the event loop waits for it.

With Python's 5 ms the writer and the derivation of sessions delay events of streams: p99 of `benchmarks.stream` 27 ms instead
of 12 ms, at the same CPU.
"""

_LOG: Final = logging.getLogger(__name__)


def serve(
    *,
    database: Database = None,
    host: Host = None,
    port: Port = None,
    create: Annotated[bool, typer.Option("--create", help="Create an empty database if it is missing.")] = False,
    role: Annotated[
        Role, typer.Option("--role", help="Work of this process besides answering: none, sources, deliveries, or all.")
    ] = "all",
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=256, help="Processes that answer. On SQLite one of them writes.")
    ] = 1,
) -> None:
    """Serve the API. Settings come from flags, then the environment (CHARGEPORT_*), then the settings file."""
    flags = {("database", "url"): database, ("server", "host"): host, ("server", "port"): port}
    settings = configuration.settings(flags)
    if settings.ingest.client_certificate and settings.server.tls_client_ca is None:
        raise SettingError("ingest.client_certificate needs server.tls_client_ca: without it no client can show a certificate.")
    log_lines.begin(settings.server.log.upper(), "%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name, near in config.misspelt_variables():
        _LOG.warning("%s in the environment is no setting: the nearest name is %s", name, near)
    reach = configuration.flags_to_reach(database)
    if workers > 1:
        raise typer.Exit(_serve_by_workers(settings, reach, role, workers, anew=create))
    from chargeport import web

    with web.listen(settings.server.host, settings.server.port) as listening:
        _run(_serve(settings, reach, role, listening, anew=create))


def _serve_by_workers(settings: Settings, reach: str, role: Role, count: int, *, anew: bool) -> int:
    """Serve with several processes; return the exit code."""
    from chargeport import service, web  # noqa: F401  (loaded once, before the workers are forked)
    from chargeport.workers import Worker, Workers

    is_server = urls.is_server(settings.database.url)
    if not is_server and settings.server.tls is not None:
        raise SettingError(
            "server.tls_certificate: workers on SQLite hand connections to the one that writes, which TLS does not allow: have"
            " a reverse proxy answer over TLS, or serve with one worker."
        )

    def work(worker: Worker) -> int:
        own: Role = role if is_server or worker.number == 0 else "api"
        try:
            _run(_serve(settings, reach, own, worker.listening, anew=anew and worker.number == 0, worker=worker))
        except ChargeportError as error:
            complain(str(error))
            return 1
        return 0

    return Workers(web.listen_shared(settings.server.host, settings.server.port, count), work).run()


def _run(serving: Coroutine[None, None, None]) -> None:
    import uvloop

    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving)


async def _serve(
    settings: Settings, reach: str, role: Role, listening: socket, *, anew: bool, worker: "Worker | None" = None
) -> None:
    from chargeport import web
    from chargeport.api.worker_reports import WorkerReports
    from chargeport.bus.shared import SiblingLine
    from chargeport.dashboard import page
    from chargeport.service import Service

    line = None if worker is None else SiblingLine(worker.folder, worker.number)
    service = Service.open(settings, anew=anew, line=line)
    try:
        await service.start(role=role)
        hints = await _hints(service, settings, reach, listening) if worker is None or worker.number == 0 else None
        reports = None if worker is None else WorkerReports(worker.folder, worker.number, worker.total)

        def ready(url: str) -> None:
            if hints is not None:
                _announce(url, hints)
            if worker is not None:
                worker.report_ready()

        await web.serve(
            service.app(page.handlers(), reports=reports), listening, ready, settings.server.log, stopping=service.stop_answers,
            tls=settings.server.tls, limits=settings.limits, handover=_handover(worker, settings),
            ends=None if worker is None else worker.parent,
        )  # fmt: skip
    finally:
        await service.close()


def _handover(worker: "Worker | None", settings: Settings) -> "Handover | socket | None":
    """Return the end of the channel that passes connections with other requests than reads to the worker that writes."""
    from chargeport.api.handover import Handover

    if worker is None or urls.is_server(settings.database.url):
        return None
    return worker.handover_receiver if worker.number == 0 else Handover(worker.handover_sender)


async def _hints(service: "Service", settings: Settings, reach: str, listening: socket) -> list[str]:
    """Store the address for commands; return the lines that are printed below it."""
    from chargeport import web

    address = (settings.server.base_url or web.url_of(listening, secure=settings.server.tls is not None)).rstrip("/")
    await service.store.notes.remember(page_address.OWNER, page_address.KEY, address)
    return [*_origins(settings), *[step async for step in _first_steps(service, reach, address)]]


def _announce(url: str, hints: list[str]) -> None:
    say(f"Chargeport answers at {url}")
    say(f"Docs      {url}/docs")
    for hint in hints:
        say(hint)


def _origins(settings: Settings) -> Iterator[str]:
    """Yield lines with the paths of the settings file and of the database."""
    settings_file = configuration.file()
    if settings_file is None:
        yield "Settings  none from a file. --config names one; without it this one is read:"
        yield f"          {Path.cwd() / config.FILE_NAME}"
    else:
        yield f"Settings  {settings_file.absolute()}"
    url = settings.database.url
    yield f"Database  {urls.shown(url) if urls.is_server(url) else urls.database_file(url).absolute()}"


async def _first_steps(service: "Service", flags: str, address: str) -> AsyncIterator[str]:
    """Create what a new server needs: the first user of its page, and the first application."""
    secret = await service.sign_in.first_link()
    if secret is not None:
        yield "Sign in   once, within a day, by this link:"
        yield page_address.sign_in_url(address, secret)
        yield f"          {program()} user add NAME{flags} lets others in"
    own = {await service.sign_in.page_application(), *(share.client_id for share in await service.store.sign_in.shares())}
    if all(
        application.revoked_at is not None or application.client_id in own
        for application in await service.store.access.applications()
    ):
        yield "There is no application yet. This makes one, for a program that reads or sends:"
        yield f"  {program()} app create NAME{flags}"
