"""A connected station, of any version of OCPP: which car is at which connector, and how its messages are emitted."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from chargeport.errors import StoreError
from chargeport.sources.base import REFUSED, Delivery, Emit, SourceContext, StationStatus
from chargeport.sources.ocpp.clock import StationClock
from chargeport.sources.ocpp.condition import Condition, Conditions
from chargeport.sources.ocpp.energy import SessionMeter
from chargeport.sources.ocpp.occupancy import Connector, Occupancy
from chargeport.sources.ocpp.payloads import read
from chargeport.sources.ocpp.samples import Reading, instant, iso
from chargeport.sources.ocpp.schema import violation
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.sources.ocpp.split_readings import CompleteReadings, SplitReadings
from chargeport.sources.ocpp.transactions import LOOP_BOOTS, LOOP_MS, StationMemory, Transaction

if TYPE_CHECKING:
    from chargeport.sources.ocpp.station_connection import StationConnection

T = TypeVar("T")
_TAG_SHOWN: Final = 4  # digits of a card's number in the log: enough to distinguish cards, too few to copy one
_SECOND_MS: Final = 1_000
UNKNOWN_START_MS: Final = 3_600_000
"""A start without a usable time may have been so long before the first report."""

_log = logging.getLogger("chargeport.sources.ocpp")


class StationMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message to emit. `at` is its instant by our clock; without a vehicle it becomes an issue.

    `energy` are instants and the energy of the transaction at each, in Wh. `earlier` are the meter values of earlier messages
    that belong to the same reading.
    """

    action: str
    payload: bytes
    vehicle: str | None
    at: int | None = None
    connector: int | None = None
    transaction: Transaction | None = None
    energy: list[tuple[int, float]] = []
    earlier: Sequence[Any] = ()
    more: Mapping[str, str | None] = {}


class Station:
    """A station while it is connected."""

    def __init__(self, name: str, settings: OcppSettings, context: SourceContext, emit: Emit, occupancy: Occupancy) -> None:
        own = settings.stations.get(name, StationSettings())
        self.name = name
        self.version = ""
        self.settings = settings
        self.zone = settings.zone_of(name)
        self.now = context.clock.now
        self.connectors: Mapping[str, str] = own.connectors
        self.memory = StationMemory(context.memory, name, context.clock)
        self.clock = StationClock()
        self.split_readings = SplitReadings()
        self.connection: StationConnection | None = None
        self.turn = asyncio.Lock()
        """Held while a message is processed, so that messages of a new connection wait for those of the old one."""
        self._tags = {_folded(tag): car for tag, car in (settings.id_tags | own.id_tags).items()}
        self._cards = [*(settings.id_tags | own.id_tags).items()]
        self._context = context
        self._emit = emit
        self._occupancy = occupancy
        self._is_loaded = False
        self._sent: dict[str | None, tuple[int, int, bytes]] = {}
        self._conditions = Conditions()
        self._connected_at = 0

    async def connected(self, version: str) -> None:
        """Begin a connection: read the stored state if it was not read yet, and forget the conditions of the connectors."""
        self.version = version
        if not self._is_loaded:
            await self.memory.load()
            self.clock = StationClock(self.memory.clock_offset_ms)
            self._is_loaded = True
        self.clock.connected()
        self._connected_at = self.now()
        self._conditions = Conditions(self._connected_at, self.memory.confirmed_at)
        self._report()

    async def gone(self) -> None:
        """End the connection, and write the state."""
        self._occupancy.gone(self.name)
        self._report(is_connected=False)
        try:
            await self.memory.write()
        except StoreError as error:
            _log.warning("station %s: its state could not be stored: %s", self.name, error)

    def _report(self, *, is_connected: bool = True) -> None:
        status = StationStatus(
            name=self.name,
            is_connected=is_connected,
            version=self.version,
            since_at=self._connected_at if is_connected else self.now(),
            clock_offset_ms=self.clock.offset_ms,
        )
        self._context.status.station(status)

    async def booted(self) -> None:
        """Note that the station has started; a restart loop becomes an issue."""
        self.clock.booted(self.now())
        count = await self.memory.booted()
        if count == LOOP_BOOTS:
            _log.warning("station %s has started %d times within %d minutes", self.name, count, LOOP_MS // 60_000)
            await self.report_issue(
                "BootNotification",
                f"it has started {count} times within {LOOP_MS // 60_000} minutes, so its settings are left alone; look at its"
                " power supply and firmware",
            )

    def station_time(self, at: int) -> str:
        """Return an instant by the station's clock, if its offset is known."""
        return iso(at + (self.clock.offset_ms or 0))

    def time(self) -> str:
        """Return our time, by which stations set their clocks."""
        return iso(self.now())

    async def event_time(
        self, stamp: int | None, *, is_queued: bool = False, may_wait: bool = False, is_status: bool = False
    ) -> int:  # fmt: skip
        """Return the instant of a message by our clock, and learn the offset of the station's clock from it."""
        received_at = self.now()
        self.clock.take(stamp, received_at, is_queued=is_queued, may_wait=may_wait, is_status=is_status)
        if await self.memory.set_clock_offset(self.clock.offset_ms):
            self._report()
            for one in self.memory.open:  # at once, for the clock may be set before the end
                await self.memory.store(self.with_start_time(one), lazily=True)
        return self.clock.at(stamp, received_at)

    def with_start_time(self, transaction: Transaction) -> Transaction:
        """Return the transaction with its start by the station's clock, if that was unknown before."""
        if transaction.heard_at is None or self.clock.offset_ms is None:
            return transaction
        at = self.clock.at(instant(transaction.started), transaction.heard_at)
        return msgspec.structs.replace(transaction, started_at=at, heard_at=None)

    def begun_by(self, transaction: Transaction, at: int) -> Transaction:
        """Return the transaction with its start at an instant at which it was active, if its start was later.

        A start whose timestamp is unusable has the time of its receipt, which may be later than the start.
        """
        started_at, meter = transaction.started_at, transaction.meter
        if started_at is None or at >= started_at or self.clock.is_usable(instant(transaction.started), started_at):
            return transaction
        if not meter.is_read:  # the time does not limit what flowed before the report
            meter = msgspec.structs.replace(meter, read_at=at - UNKNOWN_START_MS)
        return msgspec.structs.replace(transaction, started_at=at, meter=meter)

    def complete_readings(
        self, connector: int | None, raw: msgspec.Raw, found: list[Reading], transaction: Transaction | None
    ) -> CompleteReadings:  # fmt: skip
        """Return the readings in a message's meter values, joined with their parts in earlier messages."""
        meter = SessionMeter() if transaction is None else transaction.meter
        if connector is None:
            return CompleteReadings(found, meter)
        return self.split_readings.take(connector, raw, found, None if transaction is None else transaction.id, meter)

    def with_readings(
        self, transaction: Transaction, whole: CompleteReadings, *, is_named: bool, may_begin: bool = False
    ) -> tuple[Transaction, list[tuple[int, float]]]:
        """Return the transaction with these readings, and its energy at their instants, in Wh.

        A part of a reading is dated a millisecond after the parts before it. `may_begin`: as in SessionMeter.with_samples.
        """
        meter, received_at = whole.meter, self.now()
        energy: list[tuple[int, float]] = []
        for reading in whole.found:
            at = min(self.clock.at(reading.at, received_at) + len(whole.earlier), received_at)
            meter, energies = meter.with_samples(reading, at, is_named=is_named, may_begin=may_begin)
            energy += [(at, wh) for wh in energies]
        return msgspec.structs.replace(transaction, meter=meter), energy

    def car_of(self, id_tag: str | None) -> str | None:
        """Return the car of a card."""
        return None if id_tag is None else self._tags.get(_folded(id_tag))

    def card_of(self, names: frozenset[str]) -> str | None:
        """Return a card of the car that has one of these names; None without one."""
        return next((tag for tag, car in self._cards if car in names), None)

    def known_connectors(self) -> set[int]:
        """Return the connectors that this connection has named, or that have a transaction."""
        return {*self._conditions.known, *(each.connector for each in self.memory.open if each.connector is not None)}

    def accepts(self, id_tag: str) -> bool:
        """Return whether this card may charge."""
        if self.settings.accept_unknown_tags or _folded(id_tag) in self._tags:
            return True
        _log.info("station %s: a card that ends in %s is not in id_tags", self.name, id_tag[-_TAG_SHOWN:])
        return False

    def only_connector(self) -> int | None:
        """Return the station's connector, if the settings name exactly one."""
        return int(next(iter(self.connectors))) if len(self.connectors) == 1 else None

    def is_own(self, connector: int, names: frozenset[str]) -> bool:
        """Return whether a connector is fixed to this car, whatever card is used there."""
        return self.vehicle(connector, None) in names

    def vehicle(self, connector: int | None, car: str | None) -> str | None:
        """Return the car's name: the one that the settings fix, else that of its card, else the name of the connector."""
        connector = self.only_connector() if connector is None else connector
        fixed = self._context.vehicle if connector is None else self._owner(connector)
        return fixed or car or (None if connector is None else f"{self.name}/{connector}")

    def condition(self, connector: int) -> Condition:
        """Return the condition of a connector that was reported in this connection."""
        return self._conditions.at(connector)

    def condition_headers(self, connector: int | None) -> dict[str, str | None]:
        """Return headers for samples of a connector.

        They name the instant since which the station reports charging as suspended, or that it reports nothing of a connector
        with a transaction.
        """
        if connector is None:
            return {}
        at = self._conditions.suspended_at(connector)
        is_unreported = self._conditions.at(connector)[:2] == (None, None) and self.memory.open_at(connector) is not None
        return {"suspended_at": None if at is None else str(at), "unreported": "yes" if is_unreported else None}

    def set_condition(self, connector: int | None, condition: Condition, *, begins: bool = False) -> None:
        """Set the condition of a connector; an older one than the known changes nothing.

        `begins`: a transaction begins there, whatever the status.
        """
        if connector is None or not self._conditions.put(connector, condition):
            return
        car, is_in_use = self._owner(connector), begins or condition.is_in_use
        if car is not None and is_in_use is not None:
            self._occupancy.note(car, Connector(self.name, connector), condition.at, is_in_use=is_in_use)

    def is_used_elsewhere(self, connector: int) -> bool:
        """Return whether the car that a connector is fixed to is plugged in elsewhere."""
        car = self._owner(connector)
        return car is not None and self._occupancy.is_elsewhere(car, Connector(self.name, connector))

    def _owner(self, connector: int) -> str | None:
        """Return the car that the settings fix a connector to; None without one."""
        return self.connectors.get(str(connector)) or self._context.vehicle

    async def read(self, payload: bytes, type_: type[T]) -> T:
        """Decode the payload of a call; what can't be read and is left out becomes an issue. Raises Refused, StoreError."""
        found, left_out = read(payload, type_)
        if left_out is not None:
            error = {"error": f"left out of the message: {left_out}"}
            await self.emit(StationMessage(action=type_.__name__, payload=payload, vehicle=None, more=error))
        return found

    async def emit(self, message: StationMessage) -> None:
        """Emit a message; return when it is stored."""
        headers = {
            "ocpp": self.version,
            "station": self.name,
            "clock_offset_ms": str(self.clock.offset_ms) if self.clock.offset_ms else None,
            "clock_floor_at": str(self.clock.floor_at) if self.clock.floor_at else None,
            **_transaction_headers(message.transaction),
            "energy": msgspec.json.encode(message.energy).decode(),
            "earlier": msgspec.json.encode(message.earlier).decode() if message.earlier else None,
            **message.more,
        }
        if "error" not in headers:
            headers["violation"] = violation(self.version, message.action, message.payload)
        at = None if message.at is None else self._in_sequence(message.vehicle, message.at, message.payload)
        delivery = self._delivery(message.action, message.payload, message.vehicle, at, headers)
        await self._emit([delivery])

    async def confirm(self) -> None:
        """Confirm the station's last report: it is connected and would have reported any change."""
        received_at = self.now()
        if not self._conditions.is_due(received_at):
            return
        if confirmations := self._confirmations(received_at):
            await self._emit(confirmations)

    async def report_issue(self, subject: str, sentence: str) -> None:
        """Emit an issue about the station itself."""
        headers = {REFUSED: f"station {self.name}: {sentence}"}
        await self._emit([self._delivery(subject, b"{}", None, None, headers)])

    def _confirmations(self, received_at: int) -> list[Delivery]:
        """Return a message for each connector that confirms its last report."""
        found = []
        for connector, (status, state, *_) in self._conditions.known.items():
            if self.is_used_elsewhere(connector):
                continue
            open_one = self.memory.open_at(connector)
            car = open_one.car if open_one else self.memory.plug(connector).car
            headers = {
                "ocpp": self.version,
                "station": self.name,
                "transaction": open_one.id if open_one else None,
                "status": status,
                "charging_state": state,
            }
            vehicle = self.vehicle(connector, car)
            found.append(self._delivery("Heartbeat", b"{}", vehicle, received_at, headers))
            self._conditions.confirmed(connector, received_at)
            self.memory.confirmed_at = received_at
        return found

    def _delivery(
        self, action: str, payload: bytes, vehicle: str | None, at: int | None, headers: Mapping[str, str | None]
    ) -> Delivery:
        return Delivery(
            source=self._context.name,
            dialect=self._context.dialect,
            payload=payload,
            received_at=self.now(),
            topic=action,
            vehicle=vehicle,
            observed_at=at,
            headers={name: value for name, value in headers.items() if value is not None},
        )

    def _in_sequence(self, vehicle: str | None, at: int, payload: bytes) -> int:
        """Return the instant of a message; a further one in the same second is dated a millisecond later.

        The clocks of stations show whole seconds. A repeated message keeps its instant.
        """
        sent_at, counted, before = self._sent.get(vehicle, (at, at, payload))
        if sent_at == at:
            counts = counted + (payload != before)
        else:
            counts = counted + 1 if at % _SECOND_MS == 0 and at <= counted < at + _SECOND_MS else at
        self._sent[vehicle] = (at, counts, payload)
        return counts


def _folded(id_tag: str) -> str:
    """Return a card as it is compared: case is ignored, as in all versions of OCPP, and so are spaces around it."""
    return id_tag.strip().casefold()


def _transaction_headers(transaction: Transaction | None) -> dict[str, str | None]:
    if transaction is None:
        return {}
    started_at = transaction.started_at
    return {
        "transaction": transaction.id,
        "started_at": None if started_at is None else str(started_at),
        "id_tag": transaction.id_tag,
        "gives": "yes" if transaction.meter.is_giving else None,
        "misnamed": "yes" if transaction.meter.is_misnamed else None,
    }
