"""`chargeport`: the command line. An expected error is one sentence and a non-zero exit, never a traceback."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import typer

from chargeport import __version__
from chargeport.cli.output import complain
from chargeport.errors import ChargeportError

NAME: Final = "chargeport"
FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130  # as in shells: 128 plus SIGINT

# The base class of Typer's errors for a wrong command line is not public; it is found as a base of BadParameter.
_Misuse: Final = typer.BadParameter.__mro__[1]


class Entry(NamedTuple):
    """A command or group: its module and its summary, so that the list of all commands needs to import none of them."""

    name: str
    module: str
    attribute: str
    summary: str


COMMANDS: Final = (
    Entry("serve", "serve", "serve", "Serve the API."),
    Entry("app", "applications", "group", "Applications: who may use the API."),
    Entry("vehicle", "vehicles", "group", "Vehicles: the cars of the server."),
    Entry("connection", "connections", "group", "Connections: which application may read which user's vehicle."),
    Entry("user", "users", "group", "Users: the people who sign in to the page, and those whose vehicles are connected."),
    Entry("share", "shares", "group", "Share links: one car on the page, read-only, for everyone with the link."),
    Entry("source", "sources", "group", "Sources: the systems that report about vehicles."),
    Entry("command", "commands", "group", "Commands: commands to vehicles, and their outcomes."),
    Entry("webhook", "webhooks", "group", "Webhooks: where changes are sent to applications."),
    Entry("simulator", "simulator", "group", "Simulated cars: plug in, drive, stop reporting; and their clock."),
    Entry("dialect", "dialect", "group", "Dialects: what the messages of a system mean."),
    Entry(
        "signals", "signals", "signals",
        "Show the signals of a vehicle that have a value or a known error; with CODE one of them, in full.",
    ),
    Entry(
        "coverage", "coverage", "coverage",
        "Show which signals a vehicle has, and why others are missing; without VEHICLE, the number of each vehicle.",
    ),
    Entry(
        "history", "history", "history",
        "Show the history of a signal: its changes, newest last; with --resolution, aggregates over intervals.",
    ),
    Entry(
        "records", "records", "records",
        "Show the charging sessions of a vehicle, or of all, oldest first: also open ones, and with people's edits.",
    ),
    Entry(
        "record", "record", "group",
        "Records: add, import, remove, split, merge or annotate charging sessions; the originals are retained.",
    ),
    Entry("watch", "watch", "watch", "Show a vehicle, or all, as they change."),
    Entry(
        "export", "export", "export",
        "Write the stored readings to a file: every change of every signal, by vehicle, signal and time.",
    ),
    Entry("import", "importing", "import_readings", "Import readings from a file."),
    Entry(
        "backup", "backup", "backup",
        "Copy the whole database into one file, also while a server writes, and check the copy.",
    ),
    Entry("restore", "backup", "restore", "Replace the database by a backup, once the backup was checked."),
    Entry("migrate", "migrate", "migrate", "Upgrade the database's schema, or create a new database."),
    Entry("doctor", "doctor", "doctor", "Check what the server needs, and print the next step if something is wrong."),
    Entry(
        "simulate", "simulate", "simulate",
        "Send reports of simulated cars to a running server, then check that each acknowledged reading is stored.",
    ),
    Entry(
        "mcp", "mcp", "mcp",
        "Serve an assistant over standard input and output: vehicles, signals, history and charging sessions.",
    ),
    Entry("data", "personal_data", "group", "Personal data: export or erase everything of one vehicle or one person."),
    Entry("audit", "audit", "audit", "Show who did what, when and from where, newest first."),
    Entry("repair", "repair", "group", "Repairs: correct data that a fault of the machine left in the database."),
    Entry(
        "demo", "demo", "demo",
        "Serve simulated cars: home AC at night, DC on the road, idle, scheduled, not capable, asleep.",
    ),
)  # fmt: skip
WITHOUT_SETTINGS: Final = frozenset({"demo"})  # the same everywhere


def build(command: str | None = None) -> typer.Typer:
    """Build the command line: with every command, or with the one named `command` and the names of the others."""
    made = typer.Typer(
        name=NAME,
        help="The open, self-hosted charge-signals server.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # the library that draws frames around help takes as long to load as all the rest
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(main)
    for entry in COMMANDS:
        if command in (None, entry.name):
            _add(made, entry)
        else:
            made.command(entry.name, help=entry.summary)(_never_run)
    return made


def _add(made: typer.Typer, entry: Entry) -> None:
    from chargeport.cli import configuration, examples

    part = typer.Typer()
    found = getattr(importlib.import_module(f"chargeport.cli.{entry.module}"), entry.attribute)
    if isinstance(found, typer.Typer):
        part.add_typer(found, name=entry.name)
    else:
        part.command(entry.name)(found)
    if entry.name not in WITHOUT_SETTINGS:
        configuration.add_config_option(part)
    examples.add(part)
    made.registered_commands += part.registered_commands
    made.registered_groups += part.registered_groups


def _never_run() -> None:
    raise AssertionError("a command whose name alone is known is not run")


def _version(is_requested: bool) -> None:
    if is_requested:
        print(f"chargeport {__version__}")
        raise typer.Exit


def main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and stop."),
) -> None:
    """Charge signals of any car or wallbox in, one Smartcar-compatible API out."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a character that a terminal can't show is no error
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_exit_code(arguments))


def _typed_arguments(arguments: Sequence[str] | None) -> list[str]:
    return list(sys.argv[1:] if arguments is None else arguments)


def _command_name(arguments: Sequence[str] | None) -> str | None:
    """Return the name of the command; "" if only the names of commands are needed, None if all commands may be."""
    typed = _typed_arguments(arguments)
    if f"_{NAME.upper()}_COMPLETE" in os.environ:
        return None
    return typed[0] if typed and typed[0] in {entry.name for entry in COMMANDS} else ""


def __getattr__(name: str) -> typer.Typer:
    """Return `app`, the command line with every command."""
    if name != "app":
        raise AttributeError(name)
    return build()


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        code = build(_command_name(arguments))(arguments, prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
    except ChargeportError as error:
        complain(str(error))
        return FAILED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except Exception as error:
        if not isinstance(error, _Misuse):
            raise
        return _misused(error, _typed_arguments(arguments))
    return code if isinstance(code, int) else 0


def _missing(error: Exception, arguments: Sequence[str]) -> list[str]:
    """Return the required options that are missing; the error itself names the first."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ != "MissingParameter" or context is None:
        return []
    names = {argument.partition("=")[0] for argument in arguments}
    parameters = context.command.params
    required = [parameter for parameter in parameters if parameter.required and parameter.param_type_name == "option"]
    return [f"'{parameter.opts[0]}'" for parameter in required if names.isdisjoint(parameter.opts)]


def _misused(error: Exception, arguments: Sequence[str]) -> int:
    """Print the error of the command line. A group without a command prints its help instead."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error, file=sys.stderr)
        return MISUSED
    missing = _missing(error, arguments)
    sentence = str(error.format_message() if hasattr(error, "format_message") else error).removesuffix(".")
    if len(missing) > 1:
        sentence = f"Missing options {', '.join(missing[:-1])} and {missing[-1]}"
    explains_itself = type(error) is typer.BadParameter
    help_of = "" if explains_itself or context is None else f"; {context.command_path} --help shows what it takes"
    complain(f"{sentence}{help_of}.")
    return MISUSED
