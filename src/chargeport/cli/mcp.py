"""`chargeport mcp`: a Model Context Protocol server for assistants. It is a client of the API."""

import functools
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from chargeport.cli.output import console
from chargeport.errors import ChargeportError, StartError
from chargeport.installation import add_extra

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from chargeport.client import Bucket, Client, Point

MOST: Final = 500
"""Entries of one answer: an assistant reads all of it."""
BY_HAND: Final = (
    "This command is for an assistant, which starts it and asks it over standard input and output. docs/how-to/assistants.md"
    " says how an assistant is set up. Ctrl-C ends it."
)
INSTRUCTIONS: Final = (
    "Charge signals of electric vehicles. A signal with `why` is not valid now: its body is the last known value."
    " Instants are ISO 8601 with a zone. Energy is in kWh, power in watts."
)


def mcp(
    *,
    url: Annotated[str, typer.Option("--url", envvar="CHARGEPORT_URL", help="The server.")] = "http://127.0.0.1:8080",
    client_id: Annotated[
        str | None, typer.Option("--client-id", envvar="CHARGEPORT_CLIENT_ID", help="The application.", show_default=False)
    ] = None,
    client_secret: Annotated[
        str | None,
        typer.Option("--client-secret", envvar="CHARGEPORT_CLIENT_SECRET", help="Its secret.", show_default=False),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar="CHARGEPORT_TOKEN", help="A bearer token, in place of both.", show_default=False),
    ] = None,
) -> None:
    """Serve an assistant over standard input and output: vehicles, signals, history and charging sessions.

    It has the permissions of the application: app create --permission restricts them.
    """
    if token is None and (client_id is None or client_secret is None):
        raise StartError("Name an application: --client-id and --client-secret, as chargeport app create prints them.")
    try:
        from chargeport.client import Client
    except ImportError:
        raise ChargeportError(f"This needs more packages: {add_extra('mcp')}.") from None
    with Client(url, token=token, client_id=client_id, client_secret=client_secret) as client:
        server = server_of(client)
        # The thread that waits for input can't be cancelled, and Python's default handler would wait for it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if sys.stdin.isatty():
            console(errors=True).print(BY_HAND, style="dim")
        server.run()


def server_of(client: "Client") -> "MCPServer[None]":
    """Return the MCP server, which sends requests with this client. Raises ChargeportError if its packages are missing."""
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError:
        raise ChargeportError(f"This needs more packages: {add_extra('mcp')}.") from None
    server: MCPServer[None] = MCPServer("chargeport", instructions=INSTRUCTIONS)
    for tool in _tools(client):
        server.add_tool(_explained(tool))
    return server


def _explained(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a tool so that the assistant receives the text of the server's errors."""
    from mcp.server.mcpserver.exceptions import ToolError

    from chargeport.client import ServerError

    @functools.wraps(tool)
    def explained(*args: Any, **kwargs: Any) -> Any:
        try:
            return tool(*args, **kwargs)
        except ServerError as error:
            raise ToolError(str(error)) from error

    return explained


def _tools(client: "Client") -> list[Callable[..., Any]]:
    """Return the tools of an assistant. Their docstrings are sent to the assistant."""

    def list_vehicles() -> list[dict[str, Any]]:
        """List the vehicles: id, make, model, year."""
        return _plain(islice(client.vehicles(), MOST))

    def read_signals(vehicle: str) -> list[dict[str, Any]]:
        """Read all signals of a vehicle (by its id): value, when it was observed, from which source, or why there is none."""
        return _plain(client.signals(vehicle).values())

    def read_history(
        vehicle: str, signal: str, start: str, end: str | None = None, resolution: str | None = None
    ) -> list[dict[str, Any]]:
        """Read a signal's history (charge-wattage, tractionbattery-stateofcharge, …) between two instants.

        With a resolution such as PT15M, PT1H or P1D: minimum, maximum and mean of each interval; else each change.
        """
        begin, until = datetime.fromisoformat(start), None if end is None else datetime.fromisoformat(end)
        found: Iterator[Bucket | Point] = (
            client.history(vehicle, signal, start=begin, end=until)
            if resolution is None
            else client.buckets(vehicle, signal, resolution, start=begin, end=until)
        )
        return _plain(islice(found, MOST))

    def list_charging_sessions(
        vehicle: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[dict[str, Any]]:
        """List charging sessions, newest first: times, energy added and drawn, state of charge, place, cost."""
        begin, until = (None if text is None else datetime.fromisoformat(text) for text in (start, end))
        return _plain(islice(client.records(vehicle, start=begin, end=until), MOST))

    return [list_vehicles, read_signals, read_history, list_charging_sessions]


def _plain(found: Any) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = msgspec.to_builtins(list(found))
    return [{name: value for name, value in document.items() if value not in (None, [], ())} for document in documents]
