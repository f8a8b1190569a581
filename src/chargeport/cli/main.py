"""`chargeport`: the commands, put together. An error of ours is one sentence and a non-zero exit, never a traceback."""

import sys

import typer

from chargeport import __version__
from chargeport.cli import demo, serve
from chargeport.cli.output import complain
from chargeport.errors import ChargeportError

app = typer.Typer(
    name="chargeport",
    help="The open, self-hosted charge-signals server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"chargeport {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and stop."),
) -> None:
    """Charge signals of any car or wallbox in, one Smartcar-compatible API out."""


def run() -> None:
    """Run the command line."""
    try:
        app()
    except ChargeportError as error:
        complain(str(error))
        sys.exit(1)
