"""Sessions, issues and notes in memory."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count

from memory_access import MemoryVehicles, part
from msgspec.structs import replace

from chargeport.errors import NotFoundError
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import Issue
from chargeport.signals.state import State
from chargeport.store.records import (
    Change,
    DirtyVehicle,
    ErasedSpan,
    IssueCount,
    Page,
    ReportedSession,
    StoredEdit,
    StoredMessage,
    StoredSession,
    Vehicle,
)
from chargeport.store.tables import issues as bounds

Kind = tuple[str | None, str, str | None, str, str]


class MemorySessions:
    """`store.sessions.Sessions`. What was stored of readings is asked of the part that has them."""

    def __init__(
        self,
        cars: MemoryVehicles,
        changes: Callable[[int, int], Awaitable[list[Change]]],
        states: Callable[[str], list[State]],
    ) -> None:
        self._cars, self._changes, self._states = cars, changes, states
        self._sessions: dict[str, list[StoredSession]] = {}
        self._reported: dict[tuple[str, str, str], ReportedSession] = {}
        self._edits: dict[str, list[StoredEdit]] = {}
        self._numbers = count(1)
        self.erasures: list[ErasedSpan] = []
        cars.erasers.append(self._erase)

    def _erase(self, car: Vehicle) -> dict[str, int]:
        reported = [key for key in self._reported if key[0] == car.id]
        self.erasures = [each for each in self.erasures if each.vehicle_id != car.id]
        gone = len(self._sessions.pop(car.id, ())) + len([self._reported.pop(key) for key in reported])
        return {"sessions": gone, "edits": len(self._edits.pop(car.id, ()))}

    async def replace_sessions(self, vehicle_id: str, from_at: int, to_at: int, sessions: Sequence[StoredSession]) -> None:
        if vehicle_id in self._cars.cars:
            kept = [each for each in self._sessions.get(vehicle_id, ()) if not from_at <= each.started_at < to_at]
            self._sessions[vehicle_id] = sorted([*kept, *sessions], key=lambda each: (each.started_at, each.id))

    async def sessions(self, vehicle_id: str, from_at: int, to_at: int) -> list[StoredSession]:
        return [each for each in self._sessions.get(vehicle_id, ()) if from_at <= each.started_at < to_at]

    async def cars_with_open_sessions(self) -> list[tuple[str, int]]:
        firsts = {car: [each.started_at for each in found if each.is_open] for car, found in self._sessions.items()}
        return [(car, min(starts)) for car, starts in firsts.items() if starts]

    async def keep_reported(self, vehicle_id: str, sessions: Sequence[ReportedSession]) -> None:
        for each in sessions if vehicle_id in self._cars.cars else ():
            known = self._reported.get((vehicle_id, each.source, each.name))
            if known is None or each.reported_at >= known.reported_at:
                self._reported[vehicle_id, each.source, each.name] = each

    async def reported_sessions(self, vehicle_id: str, from_at: int) -> list[ReportedSession]:
        found = [each for key, each in self._reported.items() if key[0] == vehicle_id and each.started_at >= from_at]
        return sorted(found, key=lambda each: (each.started_at, each.source, each.name))

    def forget_reported(self, vehicle_id: str, source: str, from_at: int, to_at: int) -> int:
        """Erase what a source reported of sessions that started in [from_at, to_at); return how many."""
        gone = [key for key, each in self._reported.items()
                if key[:2] == (vehicle_id, source) and from_at <= each.started_at < to_at]  # fmt: skip
        return len([self._reported.pop(key) for key in gone])

    async def changed_since(self, after: int, limit: int, signals: frozenset[Signal]) -> tuple[list[DirtyVehicle], int]:
        changes = [each for each in await self._changes(after, limit) if each.position <= after + limit]
        found: dict[str, list[int]] = {}
        for each in changes:
            if each.source != DERIVED:
                found.setdefault(each.vehicle_id, []).extend([each.observed_at] * (each.signal in signals))
        dirty = [DirtyVehicle(car, min(ats, default=None), max(ats, default=None)) for car, ats in found.items()]
        return dirty, max((each.position for each in changes), default=after)

    async def received_since(self, since_at: int, after: int, limit: int) -> tuple[list[DirtyVehicle], int | None]:
        names = list(self._cars.cars)[after : after + limit]
        ats = {name: [each.observed_at or 0 for each in self._states(name)
                      if (each.received_at or -1) >= since_at and each.source != DERIVED] for name in names}  # fmt: skip
        found = [DirtyVehicle(name, min(each), max(each)) for name, each in ats.items() if each]
        return found, after + limit if len(names) == limit else None

    async def edited_since(self, number: int) -> list[tuple[str, int]]:
        newest = [(car, found[-1].number) for car, found in self._edits.items() if found[-1].number > number]
        return sorted(newest, key=lambda each: each[1])

    async def erased_since(self, number: int) -> list[ErasedSpan]:
        return [each for each in self.erasures if each.number > number]

    async def edits(self, vehicle_id: str) -> list[StoredEdit]:
        return list(self._edits.get(vehicle_id, ()))

    async def add_edit(self, vehicle_id: str, made_at: int, body: str) -> int:
        if vehicle_id not in self._cars.cars:
            raise NotFoundError(f"No vehicle has the id {vehicle_id}.")
        edit = StoredEdit(next(self._numbers), made_at, body)
        self._edits.setdefault(vehicle_id, []).append(edit)
        return edit.number


class MemoryIssues:
    """`store.protocols.Issues`, bounded as the tables are."""

    def __init__(self, cars: MemoryVehicles) -> None:
        self._kinds: dict[Kind, IssueCount] = {}
        self._messages: dict[int, StoredMessage] = {}
        self._numbers = count(1)
        cars.erasers.append(self._erase)

    def _erase(self, car: Vehicle) -> dict[str, int]:
        return {"issues": self.forget({car.id, car.vin, *car.aliases} - {None})}

    def forget(self, names: set[str | None], source: str | None = None) -> int:
        """Erase the issues about a vehicle, of a source or of all; return how many messages were met."""
        gone = [kind for kind in self._kinds if kind[2] in names and source in (None, kind[1])]
        counted = sum(self._kinds.pop(kind).count for kind in gone)
        self._messages = {key: each for key, each in self._messages.items() if _kind(each.issue, each.client_id) not in gone}
        return counted

    async def add_issues(self, issues: Sequence[Issue], client_id: str | None = None) -> None:
        for issue in issues:
            kind = _kind(issue, client_id)
            shown = replace(issue, raw=issue.raw[: bounds.MAX_RAW])
            known = self._kinds.pop(kind, IssueCount(shown, 0, issue.received_at, client_id))
            self._kinds[kind] = replace(known, issue=shown, count=known.count + 1)
            if len(issue.raw) <= bounds.MAX_RAW:
                number = next(self._numbers)
                self._messages[number] = StoredMessage(number, issue, client_id)
        self._trim({_kind(issue, client_id) for issue in issues}, client_id)

    def _trim(self, kinds: set[Kind], client_id: str | None) -> None:
        own = [kind for kind in self._kinds if kind[0] == client_id]
        newest = sorted(own, key=lambda kind: -self._kinds[kind].issue.received_at)
        for kind in newest[bounds.MAX_KINDS if client_id is None else bounds.MAX_SENT_KINDS :]:
            del self._kinds[kind]
        by_kind: dict[Kind, list[int]] = {}
        for number, each in self._messages.items():
            by_kind.setdefault(_kind(each.issue, each.client_id), []).append(number)
        gone = {each for kind in kinds for each in by_kind.get(kind, ())[: -bounds.MAX_MESSAGES]}
        gone |= {each for kind, numbers in by_kind.items() if kind not in self._kinds for each in numbers}
        left = [each.id for each in self._messages.values() if each.client_id == client_id and each.id not in gone]
        gone |= set(left[: -(bounds.MAX_ALL if client_id is None else bounds.MAX_SENT)])
        self._messages = {number: each for number, each in self._messages.items() if number not in gone}

    async def issues(self, page: Page) -> tuple[list[IssueCount], int]:
        def order(each: IssueCount) -> tuple[object, ...]:
            client_id, *rest = _kind(each.issue, each.client_id)
            return (-each.issue.received_at, *(text or "" for text in (*rest, client_id)))

        return part(sorted(self._kinds.values(), key=order), page)

    async def issue_messages(self, after: int, limit: int) -> list[StoredMessage]:
        return [each for each in self._messages.values() if each.id > after][:limit]

    async def settle(self, message: StoredMessage) -> None:
        kind = _kind(message.issue, message.client_id)
        if self._messages.pop(message.id, None) is None:
            return
        known = self._kinds[kind]
        self._kinds[kind] = replace(known, count=max(1, known.count - 1))
        if not any(_kind(each.issue, each.client_id) == kind for each in self._messages.values()):
            del self._kinds[kind]


def _kind(issue: Issue, client_id: str | None) -> Kind:
    return (client_id, issue.source, issue.vehicle, issue.subject, issue.detail)


class MemoryNotes:
    """`store.notes.KeyValue`."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}
        self._leases: dict[str, tuple[str, int]] = {}
        self._states: dict[str, tuple[str, int]] = {}

    async def recall(self, owner: str, key: str) -> str | None:
        return self._texts.get((owner, key))

    async def remember(self, owner: str, key: str, value: str | None) -> None:
        self._texts.pop((owner, key), None)
        if value is not None:
            self._texts[owner, key] = value

    async def remember_first(self, owner: str, key: str, value: str) -> str:
        return self._texts.setdefault((owner, key), value)

    async def take_lease(self, name: str, holder: str, now: int, until: int) -> bool:
        known, ends_at = self._leases.get(name, (holder, 0))
        if known == holder or ends_at < now:
            self._leases[name] = (holder, until)
        return self._leases[name][0] == holder

    async def end_lease(self, name: str, holder: str) -> None:
        if self._leases.get(name, ("", 0))[0] == holder:
            del self._leases[name]

    async def write_source_states(self, states: Mapping[str, str], at: int) -> None:
        self._states = {name: (state, at) for name, state in states.items()}

    async def source_states(self) -> dict[str, tuple[str, int]]:
        return dict(self._states)
