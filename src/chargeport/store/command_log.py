"""What a store keeps of commands: who had which vehicle do what, when, and what came of it."""

from typing import Protocol

import msgspec

from chargeport.store.records import Page


class StoredCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command to a vehicle. `parameters` is JSON; `source` is what took it.

    `outcome` is SUCCESS, PENDING, or type and code of an error with a slash between; `detail` is the error's sentence.
    Without `ended_at` nothing is known of the outcome: the command is under way, or whoever gave it was interrupted.
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
        """Keep a command, before it is given. Raises NotFoundError where there is no such vehicle.

        An implementation limits how many are stored of one vehicle; the oldest are removed.
        """
        ...

    async def end(self, command: StoredCommand) -> None:
        """Keep what came of a command that was begun."""
        ...

    async def commands(
        self, page: Page, vehicle_id: str | None = None, client_id: str | None = None, user_uuid: str | None = None
    ) -> tuple[list[StoredCommand], int]:
        """Return a page of the commands, newest first, and how many there are: of a vehicle, an application, a user."""
        ...
