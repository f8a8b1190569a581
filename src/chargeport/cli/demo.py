"""`chargeport demo`: a server with simulated cars, ready to be asked."""

import asyncio
import logging
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from chargeport import config, web
from chargeport.api.access import Access, hashed, new_secret
from chargeport.cli.options import Json
from chargeport.cli.output import console, print_json
from chargeport.clock import Clock, ScaledClock, SystemClock
from chargeport.config import Settings
from chargeport.dashboard import page
from chargeport.service import Service
from chargeport.signals.definition import Permission
from chargeport.sources.simulator import Reporter, Simulator, demo_fleet
from chargeport.store.base import Application, Connection, Store, Vehicle

READ_ONLY = frozenset(Permission) - {Permission.WRITE_READINGS}
USER = "demo-user"


def demo(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")] = 8080,
    database: Annotated[Path | None, typer.Option(help="Keep the database in this file; else it is gone at the end.")] = None,
    vehicles: Annotated[int, typer.Option(min=1, max=5000, help="How many cars.")] = 6,
    speed: Annotated[float, typer.Option(min=0.1, max=3600, help="How many times faster than life.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Serve simulated cars: home AC at night, DC on the road, idle, scheduled, not capable, asleep."""
    folder = None if database else Path(tempfile.mkdtemp(prefix="chargeport-demo-"))
    file = database or Path(str(folder)) / "demo.db"
    flags = {("database", "url"): f"sqlite:///{file}", ("server", "host"): host, ("server", "port"): port}
    settings = config.load(environ={}, flags=flags)
    logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s: %(message)s")
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_demo(settings, vehicles, speed, as_json))
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


async def _demo(settings: Settings, count: int, speed: float, as_json: bool) -> None:
    listening = web.listen(settings.server.host, settings.server.port)
    clock: Clock = SystemClock() if speed == 1 else ScaledClock(speed)
    service = Service.open(settings, clock)
    try:
        reporters = demo_fleet(clock.now(), count=count)
        cars = [_vehicle(reporter, clock.now()) for reporter in reporters]
        facts = await _prepare(service.store, service.access, cars, clock)
        page_client = await _application(service.store, "The demo's page", READ_ONLY, clock)
        pages = page.handlers(lambda: service.access.issue_token(page_client[0]))
        service.start([Simulator("simulator", reporters, clock, step_s=speed)])
        announce = _announcer(facts, as_json)
        await web.serve(service.app(pages), listening, announce, "warning")
    finally:
        await service.close()


def _vehicle(reporter: Reporter, now: int) -> Vehicle:
    """The car as the store knows it."""
    profile = reporter.profile
    return Vehicle(
        id=profile.id, vin=profile.vin, make=profile.make, model=profile.model, year=profile.year,
        powertrain=profile.powertrain, mode="simulated", created_at=now,
    )  # fmt: skip


async def _application(store: Store, name: str, permissions: frozenset[Permission], clock: Clock) -> tuple[Application, str]:
    """A new application, and its secret."""
    application = Application(
        client_id=f"client_{uuid.uuid4()}", name=name, permissions=permissions,
        management_token=new_secret("cpm_"), created_at=clock.now(),
    )  # fmt: skip
    secret = new_secret("cps_")
    await store.add_application(application, hashed(secret))
    return application, secret


async def _prepare(store: Store, access: Access, cars: list[Vehicle], clock: Clock) -> dict[str, Any]:
    """Make the cars and an application known; what a client needs to know of them."""
    application, secret = await _application(store, "Demo", frozenset(Permission), clock)
    for car in cars:
        if await store.vehicle(car.id) is None:  # a database that is kept has them from the last time
            await store.add_vehicle(car)
        await store.add_connection(
            Connection(
                id=str(uuid.uuid4()),
                client_id=application.client_id,
                user_id=USER,
                vehicle=car,
                permissions=READ_ONLY,
                created_at=clock.now(),
            )
        )
    return {
        "token": await access.issue_token(application),
        "client_id": application.client_id,
        "client_secret": secret,
        "management_token": application.management_token,
        "vehicles": [{"id": car.id, "make": car.make, "model": car.model, "year": car.year} for car in cars],
    }


def _announcer(facts: dict[str, Any], as_json: bool) -> Any:
    """What is printed once requests are answered."""

    def announce(url: str) -> None:
        if as_json:
            print_json({"url": url} | facts)
            return
        _print_for_people(url, facts)

    return announce


def _print_for_people(url: str, facts: dict[str, Any]) -> None:
    first = facts["vehicles"][0]["id"]
    bearer = f"-H 'Authorization: Bearer {facts['token']}'"
    signals = f"{url}/v3/vehicles/{first}/signals"
    console.print(f"\n[bold]Chargeport answers at {url}[/] — the cars are on that page, the API at {url}/docs\n")
    for car in facts["vehicles"][:12]:
        console.print(f"  {car['id']}  {car['make']} {car['model']} {car['year']}")
    if len(facts["vehicles"]) > 12:  # noqa: PLR2004
        console.print(f"  and {len(facts['vehicles']) - 12} more")
    console.print(f"\nToken (good for an hour): {facts['token']}", soft_wrap=True)
    console.print(f"client_id {facts['client_id']}  client_secret {facts['client_secret']}", soft_wrap=True)
    reading = {"vehicle": first, "signal": "charge-amperagerequested", "body": {"value": 13}}
    post = f"{url}/ingest/readings -H 'Content-Type: application/json' -d '{msgspec.json.encode(reading).decode()}'"
    lines = (
        ("All signals of the first car:", f"curl -s {bearer} {signals}"),
        ("Its power, now:", f"curl -s {bearer} {signals}/charge-wattage"),
        ("Which signals it has, and why not the others:", f"curl -s {bearer} {signals.removesuffix('signals')}coverage"),
        ("Send a reading:", f"curl -s {bearer} {post}"),
    )
    for title, line in lines:
        console.print(f"\n[dim]# {title}[/]")
        console.print(line, soft_wrap=True, markup=False)
    console.print("\nCtrl-C stops it.")
