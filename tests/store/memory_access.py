"""Vehicles, applications, tokens and connections in memory."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from chargeport.errors import ConflictError, NotFoundError
from chargeport.signals.definition import Permission
from chargeport.store.records import Application, Connection, Erased, Grant, Page, Vehicle, user_uuid_of
from chargeport.store.tables.access import EXPIRED_MS


def part(found: Sequence[Any], page: Page) -> tuple[list[Any], int]:
    """Return a page of a list, and how long the list is."""
    return list(found[page.offset : page.offset + page.size]), len(found)


class MemoryVehicles:
    """`store.protocols.Vehicles`. Each part that keeps something of a vehicle says in `erasers` how it is erased."""

    def __init__(self) -> None:
        self.cars: dict[str, Vehicle] = {}
        self.access: MemoryAccess
        self.erasers: list[Callable[[Vehicle], dict[str, int]]] = []

    def named(self, reference: str) -> Vehicle | None:
        return next((car for car in self.cars.values() if reference in (car.id, car.vin, *car.aliases)), None)

    async def add_vehicle(self, vehicle: Vehicle) -> None:
        for name in {vehicle.id, vehicle.vin, *vehicle.aliases} - {None}:
            if (known := self.named(str(name))) is not None and known.id != vehicle.id:
                raise ConflictError(f"A vehicle called {name!r} exists already.")
        if vehicle.id in self.cars:
            raise ConflictError(f"A vehicle called {vehicle.id!r} exists already.")
        self.cars[vehicle.id] = vehicle

    async def update_vehicle(self, vehicle: Vehicle) -> None:
        if (before := self.cars.pop(vehicle.id, None)) is None:
            raise NotFoundError(f"No vehicle has the id {vehicle.id}.")
        try:
            await self.add_vehicle(replace(vehicle, mode=before.mode, created_at=before.created_at))
        except ConflictError:
            self.cars[vehicle.id] = before
            raise

    async def vehicle(self, vehicle_id: str) -> Vehicle | None:
        return self.cars.get(vehicle_id)

    async def ids_of(self, references: Sequence[str]) -> dict[str, str]:
        return {name: found.id for name in references if (found := self.named(name)) is not None}

    async def find_vehicle(self, reference: str, writable_by: str | None = None) -> Vehicle | None:
        found = self.named(reference)
        is_hidden = found is not None and writable_by is not None and not await self.access.may_write(writable_by, found.id)
        return None if is_hidden else found

    async def vehicles(
        self, page: Page, connected_to: str | None = None, *, user_uuid: str | None = None, not_ended_by: str | None = None
    ) -> tuple[list[Vehicle], int]:
        cars = sorted(self.cars.values(), key=lambda car: car.id)
        if connected_to is not None:
            wanted = {each.vehicle.id for each in self.access.fitting(connected_to, user_uuid)}
            cars = [car for car in cars if car.id in wanted]
        elif not_ended_by is not None:
            cars = [car for car in cars if (not_ended_by, car.id) not in self.access.ended]
        return part(cars, page)

    async def visibility(self) -> int:
        return hash(repr((self.cars, self.access.connected, sorted(self.access.ended))))

    async def remove_vehicle(self, vehicle_id: str) -> Erased | None:
        if (car := self.cars.pop(vehicle_id, None)) is None:
            return None
        counts = dict.fromkeys(("latest", "history", "connections", "issues"), 0)
        counts |= {"names": len({car.id, car.vin, *car.aliases} - {None})}
        for erase in self.erasers:
            counts |= erase(car)
        return Erased(**counts)


class MemoryAccess:
    """`store.access.Access`."""

    def __init__(self, cars: MemoryVehicles) -> None:
        self._cars = cars
        self._applications: dict[str, tuple[Application, bytes]] = {}
        self._tokens: dict[bytes, Grant] = {}
        self._connections: dict[str, Connection] = {}
        self.ended: set[tuple[str, str]] = set()
        cars.access = self
        cars.erasers.append(self._erase)

    def _erase(self, car: Vehicle) -> dict[str, int]:
        gone = [each.id for each in self._connections.values() if each.vehicle.id == car.id]
        ended = {one for one in self.ended if one[1] == car.id}
        self._connections = {key: each for key, each in self._connections.items() if key not in gone}
        self.ended -= ended
        return {"connections": len(gone) + len(ended)}

    async def add_application(self, application: Application, secret_hash: bytes) -> None:
        self._applications[application.client_id] = (application, secret_hash)

    async def application(self, client_id: str) -> tuple[Application, bytes] | None:
        return self._applications.get(client_id)

    async def applications(self) -> list[Application]:
        return sorted((each for each, _ in self._applications.values()), key=lambda each: (each.created_at, each.client_id))

    def _change(self, client_id: str, secret_hash: bytes | None = None, *, ends: bool = True, **changes: Any) -> bool:
        known = self._applications.get(client_id)
        if known is None or known[0].revoked_at is not None:
            return False
        if ends:
            self._tokens = {key: each for key, each in self._tokens.items() if each.client_id != client_id}
            changes = {"previous_token": None, "previous_until": 0, **changes}
        self._applications[client_id] = (replace(known[0], **changes), secret_hash or known[1])
        return True

    async def rotate_secret(self, client_id: str, secret_hash: bytes, management_token: str) -> bool:
        return self._change(client_id, secret_hash, management_token=management_token)

    async def rotate_management_token(self, client_id: str, management_token: str, previous_until: int) -> bool:
        known = self._applications.get(client_id)
        before = None if known is None else known[0].management_token
        changes = {"management_token": management_token, "previous_token": before, "previous_until": previous_until}
        return self._change(client_id, ends=False, **changes)

    async def revoke_application(self, client_id: str, at: int) -> bool:
        return self._change(client_id, revoked_at=at)

    async def add_token(
        self, token_hash: bytes, client_id: str, expires_at: int, *, user_uuid: str | None = None, now: int | None = None,
        most: int | None = None,
    ) -> None:  # fmt: skip
        oldest = -1 if now is None else now - EXPIRED_MS
        self._tokens = {key: each for key, each in self._tokens.items() if each.expires_at >= oldest}
        own = sorted((key for key, each in self._tokens.items() if each.client_id == client_id),
                     key=lambda key: -self._tokens[key].expires_at)  # fmt: skip
        for key in own if most is None else own[most - 1 :]:
            if most is not None:
                del self._tokens[key]
        self._tokens[token_hash] = Grant(
            client_id, frozenset(), connected_only=False, expires_at=expires_at, user_uuid=user_uuid
        )

    async def expire_tokens(self, at: int, client_id: str | None = None) -> int:
        ending = [key for key, each in self._tokens.items() if each.expires_at > at and client_id in (None, each.client_id)]
        self._tokens |= {key: replace(self._tokens[key], expires_at=at) for key in ending}
        return len(ending)

    async def grant(self, token_hash: bytes) -> Grant | None:
        token = self._tokens.get(token_hash)
        known = None if token is None else self._applications.get(token.client_id)
        if token is None or known is None or known[0].revoked_at is not None:
            return None
        is_limited = known[0].connected_only or token.user_uuid is not None
        has_ended = any(client_id == token.client_id for client_id, _ in self.ended)
        return replace(token, permissions=known[0].permissions, connected_only=is_limited, has_ended=has_ended)

    @property
    def connected(self) -> list[Connection]:
        """All connections."""
        return list(self._connections.values())

    def fitting(
        self, client_id: str | None, user_uuid: str | None = None, vehicle_id: str | None = None, mode: str | None = None
    ) -> list[Connection]:
        """Return the connections that fit, with their vehicles as they are now, oldest first."""
        whole = [replace(each, vehicle=self._cars.cars[each.vehicle.id]) for each in self._connections.values()]
        wanted = [
            each for each in whole
            if client_id in (None, each.client_id) and user_uuid in (None, each.user_uuid)
            and vehicle_id in (None, each.vehicle.id) and mode in (None, each.vehicle.mode)
        ]  # fmt: skip
        return sorted(wanted, key=lambda each: (each.created_at, each.id))

    async def add_connection(self, connection: Connection) -> Connection:
        same = [each for each in self.fitting(connection.client_id, vehicle_id=connection.vehicle.id)
                if each.user_id == connection.user_id]  # fmt: skip
        made = replace(same[0], permissions=connection.permissions) if same else connection
        self._connections[made.id] = made
        self.ended.discard((connection.client_id, connection.vehicle.id))
        return self.fitting(connection.client_id, connection.user_uuid, connection.vehicle.id)[0]

    async def connection(self, client_id: str, vehicle_id: str, user_uuid: str | None = None) -> Connection | None:
        return next(iter(self.fitting(client_id, user_uuid, vehicle_id)), None)

    async def connections_with(
        self, client_id: str, vehicle_ids: Sequence[str], user_uuid: str | None = None
    ) -> dict[str, Connection]:
        found = {each: await self.connection(client_id, each, user_uuid) for each in vehicle_ids}
        return {vehicle_id: connection for vehicle_id, connection in found.items() if connection is not None}

    async def may_write(self, client_id: str, vehicle_id: str) -> bool:
        return any(Permission.WRITE_READINGS in each.permissions for each in self.fitting(client_id, vehicle_id=vehicle_id))

    async def connections(
        self, page: Page, client_id: str | None = None, *, every: frozenset[Permission] | None = None, **wanted: str | None
    ) -> tuple[list[Connection], int]:
        found = self.fitting(client_id, **wanted)
        if client_id is not None and every is not None:
            known = {each.vehicle.id for each in self.fitting(client_id)} | {car for who, car in self.ended if who == client_id}
            found += [
                Connection(id=car.id, client_id=client_id, user_id=client_id, vehicle=car, permissions=every,
                           created_at=car.created_at)
                for car in self._cars.cars.values()
                if car.id not in known and wanted.get("user_uuid") in (None, user_uuid_of(client_id))
                and wanted.get("vehicle_id") in (None, car.id) and wanted.get("mode") in (None, car.mode)
            ]  # fmt: skip
        return part(sorted(found, key=lambda each: (each.created_at, each.id), reverse=True), page)

    async def end_connections(self, client_id: str, vehicle_ids: Sequence[str] | None, at: int) -> int:  # noqa: ARG002
        wanted = self._cars.cars if vehicle_ids is None else self._cars.cars.keys() & set(vehicle_ids)
        new = {(client_id, each) for each in wanted} - self.ended
        self.ended |= new
        return len(new)

    async def ended_among(self, client_id: str, vehicle_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(each for each in vehicle_ids if (client_id, each) in self.ended)

    async def connection_by_id(
        self, connection_id: str, client_id: str | None = None, user_uuid: str | None = None
    ) -> Connection | None:
        return next((each for each in self.fitting(client_id, user_uuid) if each.id == connection_id), None)

    async def remove_connection(self, connection_id: str) -> bool:
        return self._connections.pop(connection_id, None) is not None
