"""The settings of a command: from flags, then the environment, then the file of --config, else ./chargeport.toml."""

import inspect
import os
import shlex
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chargeport import config
from chargeport.settings import Settings
from chargeport.store.urls import is_server, shown

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help=f"Settings file (TOML); else ./{config.FILE_NAME}, if it exists.", show_default=False
    ),
]
_PARAMETER: Final = inspect.Parameter("config_file", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Config)
_NAMED: Final[ContextVar[Path | None]] = ContextVar("the settings file that --config names", default=None)


def file() -> Path | None:
    """Return the settings file that the running command reads, if any."""
    return config.settings_file(_NAMED.get())


def settings(flags: Mapping[tuple[str, str], Any] | None = None) -> Settings:
    """Return the settings of the running command. Raises SettingError."""
    return config.load(file(), flags=flags)


def flags_to_reach(database: str | None) -> str:
    """Return the flags with which another command, run in the same folder, uses the same database and settings."""
    named, url = _NAMED.get(), database or os.environ.get("CHARGEPORT_DATABASE")
    if url is not None and is_server(url):
        url = shown(url)  # without its password
    options = (("--config", None if named is None else str(named)), ("--database", url))
    return "".join(f" {flag} {shlex.quote(value)}" for flag, value in options if value)


def add_config_option(group: typer.Typer) -> None:
    """Add the option --config to each command of a group, and of the groups in it."""
    for command in group.registered_commands:
        if command.callback is not None:
            command.callback = _with_config(command.callback)
    for subgroup in group.registered_groups:
        if subgroup.typer_instance is not None:
            add_config_option(subgroup.typer_instance)


def _with_config(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option to the command, placed before --database; `settings` and `file` use its value while it runs."""
    if getattr(command, "takes_config", False):
        return command  # a group is built once, even if the program is built repeatedly
    taken = inspect.signature(command, eval_str=True)
    parameters = list(taken.parameters.values())
    index = next((at for at, parameter in enumerate(parameters) if parameter.name in ("database", "as_json")), len(parameters))
    parameters.insert(index, _PARAMETER)

    @wraps(command)
    def run(config_file: Path | None = None, **options: Any) -> Any:
        reset = _NAMED.set(config_file)
        try:
            return command(**options)
        finally:
            _NAMED.reset(reset)

    run.__signature__ = taken.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.takes_config = True  # type: ignore[attr-defined]
    return run
