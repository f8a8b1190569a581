"""A station, whichever version it speaks: whose car is at which connector, and how its messages are handed on."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec

from chargeport.errors import StoreError
from chargeport.sources.base import REFUSED, Delivery, Emit, SourceContext, StationStatus
from chargeport.sources.ocpp.clock import StationClock
from chargeport.sources.ocpp.energy import SessionMeter
from chargeport.sources.ocpp.frames import MISSING, MISTYPED, Refused
from chargeport.sources.ocpp.occupancy import Connector, Occupancy
from chargeport.sources.ocpp.samples import Reading, instant, iso
from chargeport.sources.ocpp.schema import violation
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.sources.ocpp.split_readings import SplitReadings, Whole
from chargeport.sources.ocpp.transactions import LOOP_BOOTS, LOOP_MS, StationMemory, Transaction, over, record

if TYPE_CHECKING:
    from chargeport.sources.ocpp.session import Session

T = TypeVar("T")
_IN_USE: Final = frozenset(
    {"preparing", "charging", "suspendedev", "suspendedevse", "finishing", "occupied", "evconnected"}
)  # fmt: skip
_TAG_SHOWN: Final = 4  # of a card's number, in the log: enough to tell cards apart, too little to copy one
_SECOND_MS: Final = 1_000
_CONFIRMED_EVERY_MS: Final = 1_000  # what a connected station said before is confirmed no more often

_log = logging.getLogger("chargeport.sources.ocpp")


class Condition(NamedTuple):
    """How a connector is, as the station said last in this connection: its status and its transaction's state, since `at`."""

    status: str | None = None
    charging_state: str | None = None
    at: int = 0

    @property
    def is_in_use(self) -> bool | None:
        """Whether a car is plugged in; None where neither tells."""
        if is_free(self.status):
            return False
        words = {(each or "").strip().casefold() for each in (self.status, self.charging_state)}
        return True if words & _IN_USE else None


class StationMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be handed on. `at` is when it happened, by our clock; without a vehicle it becomes an issue.

    `energy` is what the transaction had received at which instant, in Wh. `earlier` are meter values of earlier messages that
    belong to the same reading.
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
    """What is known of a station while it is connected."""

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
        self.session: Session | None = None
        self.turn = asyncio.Lock()
        """Held while a message is taken: a newer connection does not overtake the older one."""
        self._tags = {tag.casefold(): car for tag, car in (settings.id_tags | own.id_tags).items()}
        self._cards = [*(settings.id_tags | own.id_tags).items()]
        self._context = context
        self._emit = emit
        self._occupancy = occupancy
        self._is_loaded = False
        self._said_at: dict[str | None, tuple[int, int, bytes]] = {}
        self._conditions: dict[int, Condition] = {}
        self._connected_at = self._confirmed_at = 0

    async def connected(self, version: str) -> None:
        """Begin a connection. What was kept is read once; how the connectors are is not known any more."""
        self.version = version
        if not self._is_loaded:
            await self.memory.load()
            self.clock = StationClock(self.memory.clock_offset_ms)
            self._is_loaded = True
        self.clock.connected()
        self._conditions.clear()
        self._connected_at = self._confirmed_at = self.now()
        self._report()

    async def gone(self) -> None:
        """End the connection: put down what is not on disk yet."""
        self._occupancy.gone(self.name)
        self._report(is_connected=False)
        try:
            await self.memory.write()
        except StoreError as error:
            _log.warning("station %s: what is known of it could not be kept: %s", self.name, error)

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
        """Note that the station has started; one that does so again and again becomes an issue."""
        self.clock.booted(self.now())
        count = await self.memory.booted()
        if count == LOOP_BOOTS:
            _log.warning("station %s has started %d times within %d minutes", self.name, count, LOOP_MS // 60_000)
            await self.complain(
                "BootNotification",
                f"it has started {count} times within {LOOP_MS // 60_000} minutes, so its settings are left alone; look at its"
                " power supply and firmware",
            )

    def their_time(self, at: int) -> str:
        """Return an instant by the station's own clock, as far as that is known."""
        return iso(at + (self.clock.offset_ms or 0))

    def time(self) -> str:
        """Return our time, as stations set their clocks by it."""
        return iso(self.now())

    async def when(
        self, stamp: int | None, *, is_queued: bool = False, may_wait: bool = False, is_status: bool = False
    ) -> int:  # fmt: skip
        """Return when a message happened, by our clock; its timestamp also shows the state of the station's clock."""
        received_at = self.now()
        self.clock.take(stamp, received_at, is_queued=is_queued, may_wait=may_wait, is_status=is_status)
        if await self.memory.clock_is_off(self.clock.offset_ms):
            self._report()
        return self.clock.at(stamp, received_at)

    def dated(self, transaction: Transaction) -> Transaction:
        """Return the transaction with its begin by what is known of the clock now, where nothing was known then."""
        if transaction.heard_at is None or self.clock.offset_ms is None:
            return transaction
        at = self.clock.at(instant(transaction.started), transaction.heard_at)
        return msgspec.structs.replace(transaction, started_at=at, heard_at=None)

    def whole(
        self, connector: int | None, raw: msgspec.Raw, found: list[Reading], transaction: Transaction | None
    ) -> Whole:  # fmt: skip
        """Return the readings in a message's meter values, with the parts of the same reading in earlier messages."""
        meter = SessionMeter() if transaction is None else transaction.meter
        if connector is None:
            return Whole(found, meter)
        return self.split_readings.take(connector, raw, found, None if transaction is None else transaction.id, meter)

    def metered(
        self, transaction: Transaction, whole: Whole, *, is_named: bool, may_begin: bool = False
    ) -> tuple[Transaction, list[tuple[int, float]]]:
        """Return the transaction with these readings, and its energy at their instants, in Wh.

        A part of a reading counts a millisecond after the parts before it.

        `may_begin`: the first register is the one at the transaction's begin, if that is not known.
        """
        meter, received_at = whole.meter, self.now()
        energy: list[tuple[int, float]] = []
        for reading in whole.found:
            at = min(self.clock.at(reading.at, received_at) + len(whole.earlier), received_at)
            at_begin = reading.register_wh(at_begin=True)
            if (power_w := reading.power_w()) is not None:
                meter = meter.powered(max(power_w, 0), at)
            is_begin = meter.start_wh is None and (bool(at_begin) or may_begin)
            if is_begin and (registers := at_begin or reading.register_wh()):
                meter = meter.begun(registers[0], at)
                energy.append((at, 0))
                if not at_begin:
                    meter = meter.exported(reading.export_wh(), 0)
                    continue
            before_wh = meter.energy_wh or 0
            interval_wh, added_wh = reading.interval_wh(), None
            if interval_wh is not None:
                meter, added_wh = meter.added(interval_wh, at, reading.context)
            meter, energy_wh = meter.read(
                reading.register_wh(), at, is_named=is_named, may_count_from_begin=not reading.is_of_some_phases()
            )
            energy_wh = added_wh if energy_wh is None else energy_wh
            meter = meter.exported(reading.export_wh(), (meter.energy_wh or 0) - before_wh)
            if energy_wh is not None:
                energy.append((at, energy_wh))
        return msgspec.structs.replace(transaction, meter=meter), energy

    async def replaces(self, begun: Transaction) -> None:
        """Tell what is known of the transaction that a new one replaces at its connector: its own end was lost.

        It ended at its last reading, or else, where its power and the register at the new begin say so, just before that.
        """
        before, start_wh, at = self.memory.open_at(begun.connector), begun.meter.start_wh, begun.started_at
        if before is None or at is None or (before.started_at or 0) >= at:
            return
        meter, ended_at = before.meter, before.meter.last_at
        if start_wh is not None and before.connector in self.memory.connectors:  # else it was unplugged meanwhile
            last, _ = meter.read([start_wh], at - 1, is_named=True, may_count_from_begin=False)
            added_wh = (last.total_wh or 0) - (meter.total_wh or 0)
            if 0 < added_wh <= (meter.max_power_w or 0) * (at - (ended_at or at)) / 3_600_000:
                meter, ended_at = last, at - 1
        if not meter.total_wh or ended_at is None:
            return
        ended = over(msgspec.structs.replace(self.dated(before), meter=meter), ended_at)
        told = StationMessage(
            action="Heartbeat",
            payload=b"{}",
            vehicle=self.vehicle(before.connector, before.car),
            transaction=ended,
            energy=[(ended_at, meter.total_wh)],
            more={"record": record(self.name, ended)},
        )
        await self.tell(told)

    def car_of(self, id_tag: str | None) -> str | None:
        """Return the car of a card; in all versions capitals do not matter."""
        return None if id_tag is None else self._tags.get(id_tag.casefold())

    def card_of(self, names: frozenset[str]) -> str | None:
        """Return a card of the car that goes by these names."""
        return next((tag for tag, car in self._cards if car in names), None)

    def known_connectors(self) -> set[int]:
        """Return the connectors that this connection has named, or that have a transaction."""
        return {*self._conditions, *(each.connector for each in self.memory.open if each.connector is not None)}

    def admits(self, id_tag: str) -> bool:
        """Tell whether somebody with this card may charge."""
        if self.settings.accept_unknown_tags or id_tag.casefold() in self._tags:
            return True
        _log.info("station %s: a card that ends in %s is not in id_tags", self.name, id_tag[-_TAG_SHOWN:])
        return False

    def only_connector(self) -> int | None:
        """Return the station's connector, where the settings name one and no more."""
        return int(next(iter(self.connectors))) if len(self.connectors) == 1 else None

    def is_own(self, connector: int, names: frozenset[str]) -> bool:
        """Tell whether a connector is always this car's, whatever card is shown there."""
        return self.vehicle(connector, None) in names

    def vehicle(self, connector: int | None, car: str | None) -> str | None:
        """Return the car's name: as the settings fix it, else that of its card, else by the connector it is at."""
        connector = self.only_connector() if connector is None else connector
        fixed = self._context.vehicle if connector is None else self._owner(connector)
        return fixed or car or (None if connector is None else f"{self.name}/{connector}")

    def condition(self, connector: int) -> Condition:
        """Return the condition of a connector, as far as it was reported in this connection."""
        return self._conditions.get(connector, Condition())

    def is_now(self, connector: int | None, condition: Condition, *, begins: bool = False) -> None:
        """Note how a connector is; what was so before something else that is known changes nothing.

        `begins`: a transaction begins there, whatever the status.
        """
        if connector is not None and condition.at >= self.condition(connector).at:
            self._conditions[connector] = condition
            car, is_in_use = self._owner(connector), begins or condition.is_in_use
            if car is not None and is_in_use is not None:
                self._occupancy.note(car, Connector(self.name, connector), condition.at, is_in_use=is_in_use)

    def is_of_nobody(self, connector: int) -> bool:
        """Return whether a connector is idle while the car whose own it is is plugged in elsewhere."""
        car = self._owner(connector)
        return car is not None and self._occupancy.is_elsewhere(car, Connector(self.name, connector))

    def _owner(self, connector: int) -> str | None:
        """Return the car that the settings fix a connector to."""
        return self.connectors.get(str(connector)) or self._context.vehicle

    async def tell(self, said: StationMessage) -> None:
        """Emit a message; return when it is stored."""
        headers = {
            "ocpp": self.version,
            "station": self.name,
            "clock_offset_ms": str(self.clock.offset_ms) if self.clock.offset_ms else None,
            **_about(said.transaction),
            "energy": msgspec.json.encode(said.energy).decode(),
            "earlier": msgspec.json.encode(said.earlier).decode() if said.earlier else None,
            **said.more,
        }
        if "error" not in headers:
            headers["violation"] = violation(self.version, said.action, said.payload)
        at = None if said.at is None else self._in_order(said.vehicle, said.at, said.payload)
        delivery = self._delivery(said.action, said.payload, said.vehicle, at, headers)
        await self._emit([delivery])

    async def is_alive(self) -> None:
        """Confirm the station's last report: it is connected and would have reported any change."""
        received_at = self.now()
        if received_at - self._confirmed_at < _CONFIRMED_EVERY_MS:
            return
        self._confirmed_at = received_at
        if confirmations := self._confirmations(received_at):
            await self._emit(confirmations)

    async def complain(self, subject: str, sentence: str) -> None:
        """Keep an issue about the station itself."""
        headers = {REFUSED: f"station {self.name}: {sentence}"}
        await self._emit([self._delivery(subject, b"{}", None, None, headers)])

    def _confirmations(self, received_at: int) -> list[Delivery]:
        """Return a message for each connector, as a heartbeat means it."""
        found = []
        for connector, (status, state, _) in self._conditions.items():
            if self.is_of_nobody(connector):
                continue
            open_one = self.memory.open_at(connector)
            car = open_one.car if open_one else self.memory.plug(connector).car
            headers = {"ocpp": self.version, "station": self.name, "status": status, "charging_state": state}
            vehicle = self.vehicle(connector, car)
            found.append(self._delivery("Heartbeat", b"{}", vehicle, received_at, headers))
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

    def _in_order(self, vehicle: str | None, at: int, payload: bytes) -> int:
        """Return when it counts: station clocks show whole seconds, so what follows in the same one counts a ms later.

        What is said again counts as it did.
        """
        said_at, counted, before = self._said_at.get(vehicle, (at, at, payload))
        if said_at == at:
            counts = counted + (payload != before)
        else:
            counts = counted + 1 if at % _SECOND_MS == 0 and at <= counted < at + _SECOND_MS else at
        self._said_at[vehicle] = (at, counts, payload)
        return counts


def read(payload: bytes, type_: type[T]) -> T:
    """Decode what we need of a payload; numbers may be texts and texts numbers. Raises Refused, which names the field."""
    try:
        return msgspec.json.decode(payload, type=type_, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(MISSING if "missing required field" in str(error) else MISTYPED, str(error)) from None
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Refused(MISTYPED, str(error)) from None


def is_free(status: str | None) -> bool:
    """Tell whether no car is plugged in at a connector with this status."""
    return status is not None and status.strip().casefold() in ("available", "reserved")


def _about(transaction: Transaction | None) -> dict[str, str | None]:
    if transaction is None:
        return {}
    started_at = transaction.started_at
    return {
        "transaction": transaction.id,
        "started_at": None if started_at is None else str(started_at),
        "id_tag": transaction.id_tag,
        "gives": "yes" if transaction.meter.is_giving else None,
    }
