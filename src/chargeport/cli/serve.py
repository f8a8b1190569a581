"""`chargeport serve`: the server, for good."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from chargeport import config
from chargeport.cli import configuration, page_address
from chargeport.cli.options import Database, Host, Port
from chargeport.cli.output import say
from chargeport.config import Role
from chargeport.errors import SettingError
from chargeport.installation import program
from chargeport.settings import Settings
from chargeport.store import backends

if TYPE_CHECKING:
    from chargeport.service import Service

_LOG: Final = logging.getLogger(__name__)


def serve(
    *,
    database: Database = None,
    host: Host = None,
    port: Port = None,
    create: Annotated[bool, typer.Option("--create", help="Make an empty database where one is gone.")] = False,
    role: Annotated[
        Role, typer.Option("--role", help="What this process does beside answering: nothing, hear sources, deliver, or all.")
    ] = "all",
) -> None:
    """Serve the API. Settings come from flags, then the environment (CHARGEPORT_*), then the settings file."""
    flags = {("database", "url"): database, ("server", "host"): host, ("server", "port"): port}
    settings = configuration.settings(flags)
    if settings.ingest.client_certificate and settings.server.tls_client_ca is None:
        raise SettingError("ingest.client_certificate needs server.tls_client_ca: without it no client can show a certificate.")
    logging.basicConfig(level=settings.server.log.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name, near in config.misspelt_variables():
        _LOG.warning("%s in the environment is no setting: the nearest name is %s", name, near)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, configuration.flags_to_reach(database), role, anew=create))


async def _serve(settings: Settings, flags: str, role: Role, *, anew: bool) -> None:
    from chargeport import web
    from chargeport.dashboard import page
    from chargeport.service import Service

    with web.listen(settings.server.host, settings.server.port) as listening:
        service = Service.open(settings, anew=anew)
        try:
            await service.start(role=role)
            url = web.url_of(listening, secure=settings.server.tls is not None)
            address = settings.server.base_url or url
            await service.store.notes.remember(page_address.OWNER, page_address.KEY, address.rstrip("/"))
            hints = [*_origins(settings), *[each async for each in _first_steps(service, flags, address.rstrip("/"))]]
            app, log = service.app(page.handlers()), settings.server.log
            await web.serve(
                app, listening, lambda url: _announce(url, hints), log, stopping=service.tail.stop,
                tls=settings.server.tls, limits=settings.limits,
            )  # fmt: skip
        finally:
            await service.close()


def _announce(url: str, hints: list[str]) -> None:
    say(f"Chargeport answers at {url} — documentation at {url}/docs")
    for each in hints:
        say(each)


def _origins(settings: Settings) -> Iterator[str]:
    """Where the settings come from, and where the data are."""
    settings_file = configuration.file()
    if settings_file is None:
        yield f"Settings  none from a file: {config.FILE_NAME} in {Path.cwd()} would be read, or what --config names"
    else:
        yield f"Settings  {settings_file.absolute()}"
    url = settings.database.url
    yield f"Database  {backends.shown(url) if backends.is_server(url) else config.database_file(url).absolute()}"


async def _first_steps(service: "Service", flags: str, address: str) -> AsyncIterator[str]:
    """What a new server needs: the first person who looks at its page, and the first program that asks it."""
    secret = await service.sign_in.first_link()
    if secret is not None:
        yield f"Sign in   {page_address.sign_in_url(address, secret)}"
        yield f"          once, within a day; {program()} user add NAME{flags} lets others in"
    own = {await service.sign_in.page_application(), *(each.client_id for each in await service.store.sign_in.shares())}
    if all(each.revoked_at is not None or each.client_id in own for each in await service.store.access.applications()):
        yield "There is no application yet. This makes one, for a program that reads or sends:"
        yield f"  {program()} app create NAME{flags}"
