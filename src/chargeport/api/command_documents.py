"""The answers of the routes of commands and charge schedules, as types: the OpenAPI document has their schemas.

The answers are written as mappings; a test checks each of them against these types.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from chargeport.sources.base import Done
from chargeport.wire.documents import Counts, Document, Instant, PageLinks

Parameters = Annotated[dict[str, Any], Meta(description="Those of the command, such as the percent of a charge limit.")]


class CommandOutcome(Document):
    """The outcome of a command: SUCCESS, or PENDING if the other side has only accepted it."""

    value: Done


class CommandTimes(Document):
    """When a command was executed, and the duration."""

    executed_at: Instant
    completed_at: Instant | UnsetType = UNSET
    duration_in_seconds: Annotated[float, Meta(ge=0)] | UnsetType = UNSET


class CommandAttributes(Document):
    """A command and its outcome."""

    command_type: str
    status: CommandOutcome
    execution_mode: Literal["sync"]
    parameters: Parameters


class CommandExecution(Document):
    """An execution of a command as a resource."""

    id: str
    type: Literal["command-execution"]
    attributes: CommandAttributes
    meta: CommandTimes


class CommandDocument(Document):
    """The outcome of a command."""

    data: CommandExecution


class CommandError(Document):
    """The reason why a command failed."""

    type: str
    code: str
    detail: str


class KnownOutcome(Document):
    """The known outcome of a command."""

    value: Literal["SUCCESS", "PENDING", "ERROR", "IN_PROGRESS", "UNKNOWN"]
    error: CommandError | UnsetType = UNSET


class LoggedAttributes(Document):
    """A command of the log and its known outcome."""

    command_type: str
    status: KnownOutcome
    execution_mode: Literal["sync"]
    parameters: Parameters


class LoggedTimes(CommandTimes, kw_only=True):
    """When a command was executed, by which source, and for which application."""

    source: str | None
    client_id: str


class LoggedCommand(Document):
    """A command of the log as a resource."""

    id: str
    type: Literal["command-execution"]
    attributes: LoggedAttributes
    meta: LoggedTimes


class CommandList(Document):
    """A page of the commands to a vehicle, newest first."""

    data: list[LoggedCommand]
    meta: Counts
    links: PageLinks


class ScheduleAttributes(Document, kw_only=True):
    """The outcome of a change of a schedule. `parameters` are those of a created schedule."""

    action: Literal["create", "delete"]
    schedule_id: str
    schedule_type: Literal["daily", "weekly", "workweek"] | UnsetType = UNSET
    parameters: Annotated[dict[str, Any], Meta(description="The attributes of the body.")] | UnsetType = UNSET
    status: CommandOutcome


class ScheduleLinks(Document):
    """The URL at which the schedule can be deleted."""

    schedule: str


class ScheduleExecution(Document):
    """A change of a schedule as a resource."""

    id: str
    type: Literal["charge-schedule-execution"]
    attributes: ScheduleAttributes
    meta: CommandTimes
    links: ScheduleLinks


class ScheduleDocument(Document):
    """The outcome of a change of a schedule."""

    data: ScheduleExecution


ANSWERS: Final = (CommandDocument, CommandList, ScheduleDocument)
"""The types of answers, to which routes refer by name."""
