"""`chargeport simulator`: control of the simulated cars of a running server and of their clock, over its HTTP API."""

import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, get_origin

import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_facts, print_json, print_table
from chargeport.cli.page_address import page_address
from chargeport.demo import credentials
from chargeport.errors import NotFoundError, StartError
from chargeport.simulation.actions import ACTIONS, Action, Member, members
from chargeport.simulation.client import Client

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="CHARGEPORT_URL", help="The server; else the demo on the database.", show_default=False),
]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="CHARGEPORT_TOKEN", help="A bearer token; else the demo's own.", show_default=False),
]
Car = Annotated[
    str, typer.Argument(metavar="VEHICLE", help="Its id, or the beginning of it, of its make or model.", show_default=False)
]
FaultType = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="The error's type, such as VEHICLE_STATE.", show_default=False)
]
FaultCode = Annotated[
    str | None, typer.Option("--code", metavar="CODE", help="Its code; else the usual one.", show_default=False)
]
WebhookFault = Annotated[
    str | None, typer.Option("--webhook", help="Instead: DROP, REPEAT, DELAY or REORDER events.", show_default=False)
]
OnlyVehicle = Annotated[str | None, typer.Option("--vehicle", help="Only for this car.", show_default=False)]
OnlySignal = Annotated[str | None, typer.Option("--signal", metavar="CODE", help="Only for this signal.", show_default=False)]
Times = Annotated[int | None, typer.Option("--times", help="Number of times; else until --clear.", show_default=False)]
After = Annotated[int | None, typer.Option("--after", help="Number of requests or events to skip first.", show_default=False)]
Delay = Annotated[float | None, typer.Option("--delay", metavar="SECONDS", help="Delay of an event.", show_default=False)]
RetryAfter = Annotated[
    int | None, typer.Option("--retry-after", metavar="SECONDS", help="Retry-After of the answer.", show_default=False)
]
Latency = Annotated[float | None, typer.Option("--latency", metavar="SECONDS", help="Delay of the answer.", show_default=False)]
SHORT_ID: Final = 8  # characters, which every command accepts instead of the whole id
_CONNECTION: Final = {"url": Url, "token": Token, "database": Database, "as_json": Json}

group = typer.Typer(help="Simulated cars: plug in, drive, stop reporting; and their clock.", no_args_is_help=True)


def connected(url: str | None, token: str | None, database: str | None) -> Client:
    """Return a client of the server that the options name. Raises StartError."""
    if url is not None:
        if token is None:
            raise StartError("A server at --url needs a token: give --token, or CHARGEPORT_TOKEN.")
        return Client(url, token)
    address = with_store(database, page_address)
    known = with_store(database, credentials)
    if token is None and known is None:
        raise StartError("No demo was started on this database: name a server with --url and --token.")
    return Client(address, token or "", known)


@group.command("show")
def show(*, url: Url = None, token: Token = None, database: Database = None, as_json: Json = False) -> None:
    """Show the clock and the state of each car."""
    state = connected(url, token, database).get("/simulator")
    if as_json:
        print_json(state)
        return
    print_facts(_clock_facts(state["clock"]))
    columns = ("ID", "MAKE", "MODEL", "STATUS", "SOC", "PLACE")
    rows = [
        (car["id"], car["make"], car["model"], car["status"], f"{car['stateOfCharge']:g} %", car["place"])
        for car in state["vehicles"]
    ]
    print_table(columns, rows, "No car is simulated.", spare=("PLACE",), short={"ID": SHORT_ID})


@group.command("clock")
def clock(
    *,
    advance: Annotated[
        str | None,
        typer.Option("--advance", metavar="DURATION", help="Set it forward: PT90S, PT30M, PT8H, P1D.", show_default=False),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Set it to this time.", show_default=False)] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Speed as a multiple of real time; 0 stops the clock.", show_default=False)
    ] = None,
    url: Url = None,
    token: Token = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show the clock; options set it forward, stop it or run it."""
    body = {
        "advanceSeconds": None if advance is None else typed.seconds("--advance", advance),
        "at": None if at is None else typed.instant(at),
        "speed": speed,
    }
    options = {name: value for name, value in body.items() if value is not None}
    state = connected(url, token, database).post("/simulator/clock", options)
    if as_json:
        print_json(state)
    else:
        print_facts(_clock_facts(state))


@group.command("fault")
def fault(
    *,
    type_: FaultType = None,
    code: FaultCode = None,
    webhook: WebhookFault = None,
    vehicle: OnlyVehicle = None,
    signal: OnlySignal = None,
    rate: Annotated[float, typer.Option("--rate", help="Share of the affected requests or events.")] = 1.0,
    times: Times = None,
    after: After = None,
    delay_s: Delay = None,
    retry_after_s: RetryAfter = None,
    latency_s: Latency = None,
    expire_tokens: Annotated[bool, typer.Option("--expire-tokens", help="Expire all tokens now.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all faults first.")] = False,
    url: Url = None,
    token: Token = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Add a fault, or list the faults: an error of any type and code, late answers, or lost events of webhooks."""
    client = connected(url, token, database)
    if clear:
        client.send("DELETE", "/simulator/faults")
    body = {
        "type": type_, "code": code, "webhook": webhook, "signal": signal, "rate": rate, "times": times, "after": after,
        "vehicle": None if vehicle is None else _found(client, vehicle), "delaySeconds": delay_s,
        "retryAfterSeconds": retry_after_s, "latencySeconds": latency_s,
    }  # fmt: skip
    if (type_, webhook, latency_s) != (None,) * 3:
        client.post("/simulator/faults", {name: value for name, value in body.items() if value is not None})
    faults = client.get("/simulator/faults")["data"]
    if expire_tokens:  # last, because it also ends the token of this command
        client.post("/simulator/tokens/expire")
    if as_json:
        print_json(faults)
        return
    rows = [(fault["id"], _what(fault), fault.get("vehicle"), fault.get("signal"), fault["hits"]) for fault in faults]
    print_table(("ID", "FAULT", "VEHICLE", "SIGNAL", "HITS"), rows, "Nothing goes wrong.")


def _what(fault: dict[str, Any]) -> str:
    """Return a short description of a fault."""
    error = "/".join(part for part in (fault.get("type"), fault.get("code")) if part)
    late = f"{fault['latencySeconds']:g} s late" if "latencySeconds" in fault else None
    return ", ".join(part for part in (fault.get("webhook"), error, late) if part)


def _clock_facts(state: dict[str, Any]) -> dict[str, str]:
    return {"Now": state["now"], "Speed": "stands still" if state["isFrozen"] else f"{state['speed']:g}"}


def _found(client: Client, name: str) -> str:
    """Return the id of the only simulated car whose id, make or model begins with this text. Raises NotFoundError."""
    cars, typed_name = client.get("/simulator")["vehicles"], name.strip().lower()
    near = [
        car["id"]
        for car in cars
        if any(str(text).lower().startswith(typed_name) for text in (car["id"], f"{car['make']} {car['model']}", car["model"]))
    ]
    if len(near) != 1:
        those = ", ".join(car["id"] for car in cars)
        raise NotFoundError(f"{typed.quoted(name)} is {'no' if not near else 'not the only'} simulated car: there are {those}.")
    return str(near[0])


def _command(name: str, action: type[Action]) -> Callable[..., None]:
    """Build the command of an action, with an option for each member of its body."""
    described = members(action)

    def run(vehicle: str, **options: Any) -> None:
        client = connected(options.pop("url"), options.pop("token"), options.pop("database"))
        as_json = bool(options.pop("as_json"))
        body = {member.name: options[member.field] for member in described if options[member.field] is not None}
        state = client.post(f"/simulator/vehicles/{_found(client, vehicle)}/{name}", body)
        if as_json:
            print_json(state)
        else:
            print_facts({"Status": state["status"], "SoC": f"{state['stateOfCharge']:g} %", "Place": state["place"]})

    keyword, first = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    run.__signature__ = inspect.Signature([  # type: ignore[attr-defined]
        inspect.Parameter("vehicle", first, annotation=Car),
        *(inspect.Parameter(member.field, keyword, default=None, annotation=_option(member)) for member in described),
        *(inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in _CONNECTION.items()),
    ])  # fmt: skip
    run.__doc__ = action.summary()
    return run


def _option(member: Member) -> Any:
    """Build the option for a member of a body: numbers, texts and choices as they are, anything else as JSON."""
    name = f"--{member.field.replace('_', '-')}"
    name += name.replace("--", "/--no-", 1) if member.kinds == (bool,) else ""
    help_ = member.summary + ("" if member.default is None else f" [default: {member.default}]")
    if len(member.kinds) == 1 and (member.kinds[0] in (bool, int, float, str) or get_origin(member.kinds[0]) is Literal):
        return Annotated[member.kinds[0] | None, typer.Option(name, help=help_, show_default=False)]
    return Annotated[Any, typer.Option(name, help=help_, parser=_json, metavar="JSON", show_default=False)]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


for _name, _action in ACTIONS.items():
    group.command(_name)(_command(_name, _action))
