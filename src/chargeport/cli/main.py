"""`chargeport`: the commands, put together. An error of ours is one sentence and a non-zero exit, never a traceback."""

import os
import sys
from collections.abc import Sequence
from typing import Final

import typer

from chargeport import __version__
from chargeport.cli import (
    applications,
    backup,
    configuration,
    connections,
    coverage,
    demo,
    doctor,
    export,
    history,
    importing,
    migrate,
    record,
    records,
    repair,
    serve,
    shares,
    signals,
    simulator,
    sources,
    users,
    vehicles,
    watch,
    webhooks,
)
from chargeport.cli.output import complain
from chargeport.errors import ChargeportError

NAME: Final = "chargeport"
FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130  # as shells say it: 128 and SIGINT

# Typer keeps the name of what it raises for a wrong command line to itself; BadParameter is the public one of its kind.
_Misuse: Final = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name=NAME,
    help="The open, self-hosted charge-signals server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.add_typer(applications.group, name="app")
app.add_typer(vehicles.group, name="vehicle")
app.add_typer(connections.group, name="connection")
app.add_typer(users.group, name="user")
app.add_typer(shares.group, name="share")
app.add_typer(sources.group, name="source")
app.add_typer(webhooks.group, name="webhook")
app.add_typer(simulator.group, name="simulator")
app.command("signals")(signals.signals)
app.command("coverage")(coverage.coverage)
app.command("history")(history.history)
app.command("records")(records.records)
app.add_typer(record.group, name="record")
app.command("watch")(watch.watch)
app.command("export")(export.export)
app.command("import")(importing.import_readings)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
app.add_typer(repair.group, name="repair")
configuration.add_config_option(app)
app.command("demo")(demo.demo)  # the one command without settings: it is the same everywhere


def _version(wanted: bool) -> None:
    if wanted:
        print(f"chargeport {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and stop."),
) -> None:
    """Charge signals of any car or wallbox in, one Smartcar-compatible API out."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a dash that an old terminal can't show is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        code = app(arguments, prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
    except ChargeportError as error:
        complain(str(error))
        return FAILED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except Exception as error:
        if not isinstance(error, _Misuse):
            raise
        return _misused(error)
    return code if isinstance(code, int) else 0


def _misused(error: Exception) -> int:
    """Say what is wrong with the command line. A group that was named without a command shows its help instead."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error, file=sys.stderr)
        return MISUSED
    sentence = str(error.format_message() if hasattr(error, "format_message") else error).removesuffix(".")
    explains_itself = type(error) is typer.BadParameter
    help_of = "" if explains_itself or context is None else f"; {context.command_path} --help shows what it takes"
    complain(f"{sentence}{help_of}.")
    return MISUSED
