"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Database = Annotated[
    str | None, typer.Option("--database", help="sqlite:///FILE; else CHARGEPORT_DATABASE, else sqlite:///chargeport.db.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 for any that is free.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
