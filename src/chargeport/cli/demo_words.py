"""What the demo says once requests are answered: for programs one JSON line, for people what to paste."""

import shlex
from pathlib import Path
from typing import Any, Final

import msgspec

from chargeport.cli.output import console, print_json, say
from chargeport.cli.page_address import ELSEWHERE, sign_in_url
from chargeport.installation import program, with_flag

LISTED: Final = 12  # cars; a fleet of hundreds would push the rest off the screen


def announce(url: str, facts: dict[str, Any], database: Path, as_json: bool) -> None:
    """Print where the demo is, and how to query it."""
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
    """Return requests with their titles; each can be pasted by itself, however long its line is."""
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
