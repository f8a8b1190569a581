"""`chargeport demo`: a server with simulated cars, ready to be asked."""

import asyncio
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from chargeport import config
from chargeport.cli import typed
from chargeport.cli.options import Json
from chargeport.settings import Settings

LONGEST_STEP_S: Final = 30.0
"""Of the demo's clock between two looks at the cars: less than a car that is awake is silent for, at any speed."""


def demo(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")] = 8080,
    database: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Keep the data here, for the next time; else they are gone.", show_default=False),
    ] = None,
    vehicles: Annotated[int, typer.Option(min=1, max=5000, help="How many cars.")] = 6,
    speed: Annotated[float, typer.Option(parser=typed.speed, metavar="X", help="How many times faster than life.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Serve simulated cars: home AC at night, DC on the road, idle, scheduled, not capable, asleep."""
    folder = None if database else Path(tempfile.mkdtemp(prefix="chargeport-demo-"))
    try:
        url = database or f"sqlite:///{folder}/demo.db"
        flags = {("database", "url"): url, ("server", "host"): host, ("server", "port"): port}
        settings = config.load(environ={}, flags=flags)
        logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s: %(message)s")
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_demo(settings, vehicles, speed, as_json))
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


async def _demo(settings: Settings, count: int, speed: float, as_json: bool) -> None:
    from chargeport import web
    from chargeport.cli import demo_fleet, demo_words
    from chargeport.clock import ScaledClock, SystemClock
    from chargeport.dashboard import page
    from chargeport.dashboard.page import is_loopback
    from chargeport.service import Service
    from chargeport.sources.simulator import Simulator
    from chargeport.sources.simulator import demo_fleet as fleet

    with web.listen(settings.server.host, settings.server.port) as listening:
        clock = SystemClock() if speed == 1 else ScaledClock(speed)
        service = Service.open(settings, clock, anew=True)
        try:
            await demo_fleet.refuse_other_cars(service.store, str(config.database_file(settings.database.url)))
            reporters = fleet(clock.now(), count=count)
            facts = await demo_fleet.make_known(service, [reporter.profile for reporter in reporters])
            visitor = await demo_fleet.visitor(service)
            await service.start([Simulator("simulator", reporters, clock, step_s=min(speed, LONGEST_STEP_S))])
            pages = page.handlers(lambda: demo_fleet.visitor_token(service, visitor))
            file = config.database_file(settings.database.url)
            if not is_loopback(settings.server.host):
                facts["sign_in"] = await demo_fleet.guest_link(service)
            say = lambda url: demo_words.announce(url, facts, file, as_json)  # noqa: E731
            await web.serve(service.app(pages), listening, say, "warning", stopping=service.tail.stop, limits=settings.limits)
        finally:
            await service.close()
