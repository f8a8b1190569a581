"""What a store keeps beside readings: misunderstandings, sessions, notes of sources. Parts of `store.base.Store`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from chargeport.signals.definition import Signal
from chargeport.signals.reading import Issue
from chargeport.store.records import DirtyVehicle, IssueCount, KeptEdit, KeptMessage, KeptSession, Page, ReportedSession


class Issues(Protocol):
    """What could not be understood."""

    async def add_issues(self, issues: Sequence[Issue]) -> None:
        """Keep issues; one of the same source, vehicle, subject and detail is counted, with its newest message."""
        ...

    async def issues(self, page: Page) -> tuple[list[IssueCount], int]:
        """A page of the issues, newest first, and how many different ones there are."""
        ...

    async def issue_messages(self, after: int, limit: int) -> list[KeptMessage]:
        """The messages behind the issues, in the order in which they came, those after the one with this number.

        Of each issue the newest are kept, as many as an implementation says.
        """
        ...

    async def settle(self, message: KeptMessage) -> None:
        """Forget a message that is understood by now; its issue goes with the last one of its kind."""
        ...


class Sessions(Protocol):
    """Charging sessions as they were worked out last, and what people changed about them."""

    async def replace_sessions(self, vehicle_id: str, from_at: int, to_at: int, sessions: Sequence[KeptSession]) -> None:
        """These sessions in place of all that started from `from_at` on and before `to_at`: all of it, or nothing."""
        ...

    async def sessions(self, vehicle_id: str, from_at: int, to_at: int) -> list[KeptSession]:
        """What started from `from_at` on and before `to_at`, oldest first."""
        ...

    async def cars_with_open_sessions(self) -> list[tuple[str, int]]:
        """The ids of cars with a session that may still go on, and when that began."""
        ...

    async def keep_reported(self, vehicle_id: str, told: Sequence[ReportedSession]) -> None:
        """Keep what sources told, each in place of what was told before, and not later, under its name."""
        ...

    async def reported_sessions(self, vehicle_id: str, from_at: int) -> list[ReportedSession]:
        """What sources told of sessions that started from `from_at` on, oldest first."""
        ...

    async def stirred(self, after: int, limit: int, signals: frozenset[Signal]) -> tuple[list[DirtyVehicle], int]:
        """The cars of which something reported is among the `limit` changes after a position; and up to where that goes.

        The instants are those of the changes of these signals.
        """
        ...

    async def heard_from(self, since_at: int, after: int, limit: int) -> tuple[list[DirtyVehicle], int | None]:
        """The cars of which anything was received since then, with the oldest and newest time of observation of that.

        Looks through `limit` cars behind the place `after`, as `cars_heard_of` does.
        """
        ...

    async def edited_since(self, number: int) -> list[tuple[str, int]]:
        """The ids of cars whose sessions people changed after the edit of this number, with the number of each car's last."""
        ...

    async def edits(self, vehicle_id: str) -> list[KeptEdit]:
        """What people changed about a car's sessions, in the order in which they did."""
        ...

    async def add_edit(self, vehicle_id: str, made_at: int, body: str) -> int:
        """Keep a change; its number. Raises NotFoundError."""
        ...


class Notes(Protocol):
    """What sources remember over a restart, and how they are. The texts' form is not the store's business."""

    async def recall(self, owner: str, key: str) -> str | None:
        """What was put down last; None when nothing was."""
        ...

    async def remember(self, owner: str, key: str, value: str | None) -> None:
        """Put something down; None takes it away. Returns when it is on disk."""
        ...

    async def write_source_states(self, states: Mapping[str, str], at: int) -> None:
        """Put down how all sources are, by name; what was put down before goes."""
        ...

    async def source_states(self) -> dict[str, tuple[str, int]]:
        """How the sources were, and when that was put down, by name."""
        ...
