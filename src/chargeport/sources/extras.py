"""Helpers of several transports: read a secret from where it is stored, report a package that is not installed."""

import os
from pathlib import Path

from chargeport import installation
from chargeport.sources.base import Cause, SourceError


def missing(extra: str) -> SourceError:
    """Return the error of a source whose package is not installed."""
    return SourceError(Cause.CONFIGURATION, f"A package is missing that this source needs: {installation.add_extra(extra)}.")


def secret(setting: str, value: str) -> str:
    """Return a secret from `env:NAME`, from `file:PATH` (without the line's end), or as it is. Raises SourceError.

    `setting` is the name in the error.
    """
    kind, _, name = value.partition(":")
    if kind == "env":
        if not (found := os.environ.get(name)):
            raise SourceError(Cause.CONFIGURATION, f"{setting}: the environment has no variable {name}, or an empty one.")
        return found
    if kind == "file":
        try:
            return Path(name).read_text("utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise SourceError(Cause.CONFIGURATION, f"{setting}: the file {name} can't be read: {reason}.") from error
    return value
