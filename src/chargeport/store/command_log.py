"""The stored commands: who sent which command to which vehicle and when, and the outcome."""

from typing import Protocol

import msgspec

from chargeport.store.records import Page


class StoredCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command to a vehicle. `parameters` is JSON; `source` is the source that executed it.

    `outcome` is SUCCESS, PENDING, or type and code of an error with a slash between; `detail` is the error's sentence.
    Without `ended_at` the outcome is unknown: the command is under way, or the process that executed it was interrupted.
    """

    id: str
    vehicle_id: str
    client_id: str
    kind: str
    parameters: str
    started_at: int
    user_uuid: str | None = None
    source: str | None = None
    ended_at: int | None = None
    outcome: str | None = None
    detail: str | None = None


class CommandLog(Protocol):
    """The commands to vehicles, the newest of each."""

    async def begin(self, command: StoredCommand) -> None:
        """Store a command before it is executed. Raises NotFoundError where there is no such vehicle.

        An implementation limits how many are stored of one vehicle; the oldest are removed.
        """
        ...

    async def end(self, command: StoredCommand) -> None:
        """Store the outcome of a command."""
        ...

    async def commands(
        self, page: Page, vehicle_id: str | None = None, client_id: str | None = None, user_uuid: str | None = None
    ) -> tuple[list[StoredCommand], int]:
        """Return a page of the commands, newest first, and their number: of a vehicle, an application, a user."""
        ...
