"""`chargeport doctor`: check this installation, and describe how to correct it."""

import http.client
import json
from collections.abc import Iterator
from typing import Final

import typer

from chargeport.cli import checks, configuration
from chargeport.cli.checks import Check, Status
from chargeport.cli.options import Database, Host, Json, Port
from chargeport.cli.output import console, print_json, printable
from chargeport.clock import SystemClock
from chargeport.errors import SettingError, StartError
from chargeport.settings import ServerSettings, Settings
from chargeport.store import urls

ANSWER_WITHIN_S: Final = 2
COLOURS: Final = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}


def doctor(
    *,
    database: Database = None,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Check what the server needs, and print the next step if something is wrong. Changes nothing."""
    flags = {("database", "url"): database, ("server", "host"): host, ("server", "port"): port}
    found = list(_examine(flags))
    is_well = all(check.status is not Status.FAIL for check in found)
    if as_json:
        print_json({"ok": is_well, "checks": found})
    else:
        _print(found)
    if not is_well:
        raise typer.Exit(1)


def _examine(flags: dict[tuple[str, str], str | int | None]) -> Iterator[Check]:
    yield from checks.python()
    try:
        settings = configuration.settings(flags)
        file = None if urls.is_server(settings.database.url) else urls.database_file(settings.database.url)
    except SettingError as error:
        yield Check("settings", Status.FAIL, str(error).removesuffix("."), "correct it; checks that depend on it are skipped")
        yield from checks.clock(None, SystemClock())
        return
    read = configuration.file()
    found = "flags, environment and defaults" if read is None else str(read)
    yield Check("settings", Status.OK, found)
    if file is None:
        yield from checks.server(settings.database.url)
    else:
        yield from checks.database(file)
        yield from checks.folder(file)
    yield from checks.clock(file, SystemClock())
    yield _port(settings)


def _port(settings: Settings) -> Check:
    """Check whether the server can listen at its port, or a Chargeport listens there already."""
    from chargeport import web

    server = settings.server
    where = f"{server.host} port {server.port}"
    try:
        web.listen(server.host, server.port).close()
    except StartError as error:
        if _answers(server):
            return Check("port", Status.OK, f"a Chargeport answers on {where}")
        return Check("port", Status.FAIL, str(error).partition(";")[0], "stop the program that uses it, or set CHARGEPORT_PORT")
    return Check("port", Status.OK, f"{where} is free")


def _answers(server: ServerSettings) -> bool:
    """Return whether a Chargeport listens there already."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (what a setting may say)
    host = everywhere.get(server.host, server.host)
    connection = http.client.HTTPConnection(host, server.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.getheader("SC-Request-Id") is not None and json.loads(answer.read(1000)) == {"status": "ok"}
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _print(found: list[Check]) -> None:
    from rich.text import Text

    width = max(len(check.name) for check in found)
    for check in found:
        line = Text.assemble(
            (f"{check.status:<4}", COLOURS[check.status]), f"  {check.name:<{width}}  {printable(check.found)}"
        )
        if check.next:
            line.append(f" — next: {printable(check.next)}", "bold")
        console().print(line, soft_wrap=True)
