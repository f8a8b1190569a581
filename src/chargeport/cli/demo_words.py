"""What the demo says once requests are answered: for programs one JSON line, for people what to paste."""

import shlex
from pathlib import Path
from typing import Any, Final

from chargeport.cli.output import console, print_facts, print_json, say
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
    say("")
    print_facts({name: facts[name] for name in ("token", "client_id", "client_secret")})
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
    """Return requests with their titles; what they have in common is in variables, so that no line is wrapped."""
    first = facts["vehicles"][0]["id"]
    ask = 'curl -s -H "Authorization: Bearer $TOKEN"'
    reading = f'{{"vehicle": "{first}",\n    "signal": "charge-amperagerequested", "body": {{"value": 13}}}}'
    return (
        ("The token and the first car:", f"TOKEN={facts['token']}\nCAR={url}/v3/vehicles/{first}"),
        ("All its signals:", f"{ask} $CAR/signals"),
        ("Its power, now:", f"{ask} $CAR/signals/charge-wattage"),
        ("Which signals it has, and why not the others:", f"{ask} $CAR/coverage"),
        ("Send a reading:", f"{ask} \\\n  {url}/ingest/readings -H 'Content-Type: application/json' \\\n  -d '{reading}'"),
    )
