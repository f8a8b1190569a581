"""Options and arguments that several commands share."""

from typing import Annotated, Literal

import typer

from chargeport.cli import typed
from chargeport.signals.definition import Permission

Powertrain = Literal["BEV", "PHEV", "HEV", "FCEV", "ICE"]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="sqlite:///FILE; else CHARGEPORT_DATABASE, else the settings file's, else chargeport.db.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.", show_default=False)]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 for any that is free.", show_default=False)]
From = Annotated[
    int | None,
    typer.Option("--from", parser=typed.instant, metavar="TIME", help="Observed then or later (UTC).", show_default=False),
]
To = Annotated[
    int | None, typer.Option("--to", parser=typed.instant, metavar="TIME", help="Observed before that.", show_default=False)
]
Signals = Annotated[
    list[str] | None, typer.Option("--signal", metavar="CODE", help="Only this one; may be repeated.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Rewrite = Annotated[
    bool,
    typer.Option("--rewrite/--no-rewrite", help="Rewrite the file, so that no byte is left; writers wait meanwhile."),
]

Permissions = Annotated[
    list[Permission] | None,
    typer.Option(
        "--permission",
        parser=typed.permission,
        metavar="PERMISSION",
        show_default=False,
        help=f"May be repeated: {', '.join(Permission)}.",
    ),
]
App = Annotated[str, typer.Option("--app", metavar="CLIENT_ID", help="The application.", show_default=False)]
ClientId = Annotated[
    str, typer.Argument(metavar="CLIENT_ID", help="The application, as app list shows it.", show_default=False)
]
VehicleName = Annotated[
    str, typer.Argument(metavar="VEHICLE", help="Its id, its VIN or one of its aliases.", show_default=False)
]
Fleet = Annotated[
    str | None, typer.Argument(metavar="[VEHICLE]", help="Its id, VIN, alias or name; else all.", show_default=False)
]
Label = Annotated[str, typer.Argument(metavar="NAME", parser=typed.label, help="1 to 128 characters.", show_default=False)]
