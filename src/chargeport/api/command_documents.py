"""The answers of the routes of commands and charge schedules, as types: the OpenAPI document has their schemas.

The answers are written as mappings; a test checks each of them against these types.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from chargeport.sources.base import Done
from chargeport.wire.documents import Counts, Document, Instant, PageLinks

Parameters = Annotated[dict[str, Any], Meta(description="Those of the command, such as the percent of a charge limit.")]


class CommandOutcome(Document):
    """What came of a command: SUCCESS, or PENDING where the other side has promised it."""

    value: Done


class CommandTimes(Document):
    """When a command was executed, and how long that took."""

    executed_at: Instant
    completed_at: Instant | UnsetType = UNSET
    duration_in_seconds: Annotated[float, Meta(ge=0)] | UnsetType = UNSET


class CommandAttributes(Document):
    """A command and what came of it."""

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
    """What came of a command."""

    data: CommandExecution


class CommandError(Document):
    """Why a command was not obeyed."""

    type: str
    code: str
    detail: str


class KnownOutcome(Document):
    """What is known of a command's outcome."""

    value: Literal["SUCCESS", "PENDING", "ERROR", "IN_PROGRESS", "UNKNOWN"]
    error: CommandError | UnsetType = UNSET


class LoggedAttributes(Document):
    """A command and what is known of its outcome."""

    command_type: str
    status: KnownOutcome
    execution_mode: Literal["sync"]
    parameters: Parameters


class LoggedTimes(CommandTimes, kw_only=True):
    """When a command was executed, which source took it, and which application gave it."""

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
    """What became of a schedule. `parameters` are those of one that was made."""

    action: Literal["create", "delete"]
    schedule_id: str
    schedule_type: Literal["daily", "weekly", "workweek"] | UnsetType = UNSET
    parameters: Annotated[dict[str, Any], Meta(description="The attributes of the body.")] | UnsetType = UNSET
    status: CommandOutcome


class ScheduleLinks(Document):
    """Where the schedule is removed."""

    schedule: str


class ScheduleExecution(Document):
    """A change of a schedule as a resource."""

    id: str
    type: Literal["charge-schedule-execution"]
    attributes: ScheduleAttributes
    meta: CommandTimes
    links: ScheduleLinks


class ScheduleDocument(Document):
    """What came of a change of a schedule."""

    data: ScheduleExecution


ANSWERS: Final = (CommandDocument, CommandList, ScheduleDocument)
"""The types that routes name as their answers."""
