"""`chargeport serve`: the server, for good."""

import asyncio
import logging
from typing import Annotated

import typer

from chargeport import config
from chargeport.cli.options import Config, Database, Host, Port
from chargeport.cli.output import say
from chargeport.config import Role
from chargeport.errors import SettingError
from chargeport.settings import Settings


def serve(
    *,
    config_file: Config = None,
    database: Database = None,
    host: Host = None,
    port: Port = None,
    create: Annotated[bool, typer.Option("--create", help="Make an empty database where one is gone.")] = False,
    role: Annotated[Role, typer.Option("--role", help="What this process does; on one machine: all.")] = "all",
) -> None:
    """Serve the API. Settings come from flags, then the environment (CHARGEPORT_*), then the settings file."""
    flags = {("database", "url"): database, ("server", "host"): host, ("server", "port"): port}
    settings = config.load(config_file, flags=flags)
    if role != "all":
        raise SettingError(f"--role {role}: this version does everything in one process: leave it out, or say all.")
    logging.basicConfig(level=settings.server.log.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, anew=create))


async def _serve(settings: Settings, *, anew: bool) -> None:
    from chargeport import web
    from chargeport.dashboard import page
    from chargeport.service import Service

    with web.listen(settings.server.host, settings.server.port) as listening:
        service = Service.open(settings, anew=anew)
        try:
            await service.start()
            app, log = service.app(page.handlers()), settings.server.log
            certificate, limits = settings.server.certificate, settings.limits
            await web.serve(app, listening, _announce, log, stopping=service.tail.stop, certificate=certificate, limits=limits)
        finally:
            await service.close()


def _announce(url: str) -> None:
    say(f"Chargeport answers at {url} — documentation at {url}/docs")
