"""`chargeport demo`: a server with simulated cars, and examples of requests."""

import asyncio
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from chargeport import config
from chargeport.cli import log_lines, page_address, typed
from chargeport.cli.finding import every
from chargeport.cli.options import Json
from chargeport.cli.output import console, print_json, say
from chargeport.cli.page_address import ELSEWHERE, sign_in_url
from chargeport.errors import StartError
from chargeport.installation import program, with_flag
from chargeport.settings import Settings
from chargeport.store.protocols import Store

if TYPE_CHECKING:
    from chargeport.clock import SimulatedClock
    from chargeport.simulation.scenario import Scenario

LISTED: Final = 12  # cars; more would move the other lines off the screen

DemoFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Keep the data here for later runs; else they are deleted at the end.", show_default=False
    ),
]
ScenarioName = Annotated[
    str | None,
    typer.Option("--scenario", metavar="NAME|FILE", help="A built-in scenario, or your own file (TOML).", show_default=False),
]
ClockAt = Annotated[
    int | None,
    typer.Option("--at", parser=typed.instant, metavar="TIME", help="Start time of the clock.", show_default=False),
]


def demo(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")] = 8080,
    database: DemoFile = None,
    vehicles: Annotated[int, typer.Option(min=1, max=5000, help="How many cars.")] = 6,
    speed: Annotated[float, typer.Option(parser=typed.speed, metavar="X", help="Speed of the clock: 1 is real time.")] = 1.0,
    scenario: ScenarioName = None,
    at: ClockAt = None,
    frozen: Annotated[bool, typer.Option("--frozen", help="Stop the clock until it is set forward.")] = False,
    as_json: Json = False,
) -> None:
    """Serve simulated cars: home AC at night, DC on the road, idle, scheduled, not capable, asleep."""
    from chargeport.clock import SimulatedClock
    from chargeport.dashboard.page import is_loopback
    from chargeport.simulation.scenario import named

    chosen = None if scenario is None else named(scenario)
    folder = None if database else Path(tempfile.mkdtemp(prefix="chargeport-demo-"))
    try:
        url = database or f"sqlite:///{folder}/demo.db"
        flags = {("database", "url"): url, ("server", "host"): host, ("server", "port"): port}
        # A demo that only this machine can reach may send webhooks to this machine.
        flags |= {("webhooks", "allow_private_targets"): is_loopback(host)}
        if frozen:  # the same cars at every run
            flags |= {("staleness", "learn"): False, ("webhooks", "retry_jitter"): 0}
        settings = config.load(environ={}, flags=flags)
        log_lines.begin("WARNING", "%(levelname)s %(name)s: %(message)s")
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_demo(settings, SimulatedClock(0 if frozen else speed, at), vehicles, chosen, as_json))
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


async def _demo(settings: Settings, clock: "SimulatedClock", count: int, scenario: "Scenario | None", as_json: bool) -> None:
    from chargeport import demo as hosted
    from chargeport import web
    from chargeport.dashboard import page
    from chargeport.service import Service
    from chargeport.store.urls import database_file

    with web.listen(settings.server.host, settings.server.port) as listening:
        service = Service.open(settings, clock, anew=True)
        try:
            file = database_file(settings.database.url)
            await refuse_other_cars(service.store, str(file))
            await service.store.notes.remember(page_address.OWNER, page_address.KEY, web.url_of(listening))
            facts = await hosted.begin(service, clock, scenario, 0 if scenario is not None else count)
            visitor = await hosted.visitor(service)
            pages = page.handlers(lambda: hosted.visitor_token(service, visitor))
            if not page.is_loopback(settings.server.host):
                facts["sign_in"] = await hosted.guest_link(service)
            say = lambda url: announce(url, facts, file, as_json)  # noqa: E731
            await web.serve(
                service.app(pages), listening, say, "warning", stopping=service.stop_answers, limits=settings.limits
            )
        finally:
            await service.close()


async def refuse_other_cars(store: Store, database: str) -> None:
    """Raise StartError if the database has cars that are not simulated: they are real cars of a person."""
    from chargeport import demo as hosted

    others = [vehicle for vehicle in await every(store.vehicles.vehicles) if vehicle.mode != hosted.SIMULATED]
    if others:
        cars = "a car that is" if len(others) == 1 else f"{len(others)} cars that are"
        raise StartError(
            f"The database {database} has {cars} not simulated, and simulated ones do not belong among them: name a new file"
            f" with {with_flag('--database demo.db')}, or leave it out; chargeport serve serves this one."
        )


def announce(url: str, facts: dict[str, Any], database: Path, as_json: bool) -> None:
    """Print the URL of the demo, and examples of requests."""
    guest = facts.pop("sign_in", None)
    if as_json:
        print_json({"url": url} | facts)
        return
    console().print(f"\nChargeport answers at {url}", style="bold", soft_wrap=True)
    say(f"The cars are on that page, the API is explained at {url}/docs\n")
    if guest is not None:
        say(f"From another device, once: {sign_in_url(url, guest)}\n{ELSEWHERE}\n")
    cars = facts["vehicles"]
    for car in cars[:LISTED]:
        say(f"  {car['id']}  {car['make']} {car['model']} {car['year']}")
    if len(cars) > LISTED:
        say(f"  and {len(cars) - LISTED} more")
    say(f"\nToken: {facts['token']}")
    say(f"client_id {facts['client_id']}")
    say(f"client_secret {facts['client_secret']}")
    say("\nIn another terminal, on the command line:", "bold")
    for line in _commands(facts["vehicles"][0]["id"], database):
        say(line)
    say("\nOver HTTP:", "bold")
    for title, line in _requests(url, facts):
        say(f"# {title}", "dim")
        say(line)
    say(f"\nAnother port or more cars: {with_flag('--port 9000 --vehicles 20')}. Ctrl-C stops it.")


def _commands(first: str, database: Path) -> tuple[str, ...]:
    us = program()
    return (
        f"export CHARGEPORT_DATABASE={shlex.quote(str(database.absolute()))}",
        f"{us} vehicle list",
        f"{us} signals {first}",
        f"{us} history {first} wattage",
        f"{us} records {first}",
        f"{us} watch {first}",
        f"{us} simulator unplug {first}",
    )


def _requests(url: str, facts: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return requests with their titles; each is one line, so that it can be pasted separately."""
    first = facts["vehicles"][0]["id"]
    vehicle = f"{url}/v3/vehicles/{first}"
    bearer = f"-H 'Authorization: Bearer {facts['token']}'"
    reading = {"vehicle": first, "signal": "charge-amperagerequested", "body": {"value": 13}}
    post = f"{url}/ingest/readings -H 'Content-Type: application/json' -d '{msgspec.json.encode(reading).decode()}'"
    return (
        ("All signals of the first car:", f"curl -s {bearer} {vehicle}/signals"),
        ("Its power, now:", f"curl -s {bearer} {vehicle}/signals/charge-wattage"),
        ("Which signals it has, and why not the others:", f"curl -s {bearer} {vehicle}/coverage"),
        ("Send a reading:", f"curl -s {bearer} {post}"),
    )
