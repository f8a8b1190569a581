"""A station, whichever version it speaks: whose car is at which connector, and how what it said is handed on."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from chargeport.sources.base import Delivery, Emit, SourceContext
from chargeport.sources.ocpp.frames import MISSING, MISTYPED, Refused
from chargeport.sources.ocpp.meter import instant
from chargeport.sources.ocpp.schema import violation
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.sources.ocpp.transactions import Ledger, Transaction

if TYPE_CHECKING:
    from chargeport.sources.ocpp.session import Session

T = TypeVar("T")
_TAG_SHOWN: Final = 4  # of a card's number, in the log: enough to tell cards apart, too little to copy one

_log = logging.getLogger("chargeport.sources.ocpp")


class Station:
    """What is known of a station while it is connected."""

    def __init__(self, name: str, settings: OcppSettings, around: SourceContext, emit: Emit) -> None:
        own = settings.stations.get(name, StationSettings())
        self.name = name
        self.settings = settings
        self._clock = around.clock
        self.connectors: Mapping[str, str] = own.connectors
        self.ledger = Ledger(around.memory, name)
        self.session: Session | None = None
        self.narrowed: dict[str, str] = {}
        """What it took where it did not take all that was wished for, by the name of the setting."""
        self.turn = asyncio.Lock()
        """Held while a message is taken: a newer connection does not overtake the older one."""
        self._tags = {tag.casefold(): car for tag, car in (settings.id_tags | own.id_tags).items()}
        self._around = around
        self._emit = emit
        self._is_loaded = False
        self._said_at: dict[str | None, tuple[int, int, bytes]] = {}

    async def ready(self) -> None:
        """Remember what was kept of it, once."""
        if not self._is_loaded:
            await self.ledger.load()
            self._is_loaded = True

    def time(self) -> str:
        """Our clock, as stations set theirs by it."""
        return datetime.fromtimestamp(self._clock.now() / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def car_of(self, id_tag: str | None) -> str | None:
        """Whose card it is; in both versions capitals do not matter."""
        return None if id_tag is None else self._tags.get(id_tag.casefold())

    def admits(self, id_tag: str) -> bool:
        """Whether somebody with this card may charge."""
        if self.settings.accept_unknown_tags or id_tag.casefold() in self._tags:
            return True
        _log.info("station %s: a card that ends in %s is not in id_tags", self.name, id_tag[-_TAG_SHOWN:])
        return False

    def vehicle(self, connector: int | None, car: str | None) -> str | None:
        """What the car is called: as the settings fix it, else as its card says, else by the connector it is at."""
        if connector is None and len(self.connectors) == 1:
            connector = int(next(iter(self.connectors)))
        fixed = self.connectors.get(str(connector)) or self._around.vehicle
        return fixed or car or (None if connector is None else f"{self.name}/{connector}")

    async def tell(
        self,
        version: str,
        action: str,
        payload: bytes,
        vehicle: str | None,
        *,
        at: str | int | None = None,
        transaction: Transaction | None = None,
        more: Mapping[str, str | None] | None = None,
    ) -> None:
        """Hand on what the station said; returns when it is stored. `at` is its own time, as text or in milliseconds.

        Without a vehicle it is kept as an issue, since it is of a car but nobody knows which.
        """
        said_at = at if isinstance(at, int) else instant(at)
        headers = {"ocpp": version, "station": self.name, **_about(transaction), **(more or {})}
        if "error" not in headers:
            headers["violation"] = violation(version, action, payload)
        delivery = Delivery(
            source=self._around.name,
            dialect=self._around.dialect,
            payload=payload,
            received_at=self._clock.now(),
            topic=action,
            vehicle=vehicle,
            observed_at=None if said_at is None else self._in_order(vehicle, said_at, payload),
            headers={name: value for name, value in headers.items() if value is not None},
        )
        await self._emit([delivery])

    def _in_order(self, vehicle: str | None, at: int, payload: bytes) -> int:
        """When it counts: clocks of stations show whole seconds, so what comes later in the same one counts a ms later.

        What is said again counts as it did.
        """
        last, counted, before = self._said_at.get(vehicle, (at, at, payload))
        counts = at if last != at else counted + (payload != before)
        self._said_at[vehicle] = (at, counts, payload)
        return counts


def read(payload: bytes, type_: type[T]) -> T:
    """What we need of a payload. Raises Refused, which names the field."""
    try:
        return msgspec.json.decode(payload, type=type_)
    except msgspec.ValidationError as error:
        raise Refused(MISSING if "missing required field" in str(error) else MISTYPED, str(error)) from None
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Refused(MISTYPED, str(error)) from None


def plain(number: float) -> int | float:
    """A number without a fraction that says nothing."""
    return int(number) if number == int(number) else number


def record(transaction: Transaction, ended: str, meter_stop_wh: float | None) -> str:
    """The session as a whole, as far as it is known; energy registers in Wh."""
    said = {
        "transaction": transaction.id,
        "startTime": transaction.started,
        "endTime": ended,
        "meterStart": None if transaction.meter_start_wh is None else plain(transaction.meter_start_wh),
        "meterStop": None if meter_stop_wh is None else plain(meter_stop_wh),
        "idTag": transaction.id_tag,
    }
    return msgspec.json.encode({name: value for name, value in said.items() if value is not None}).decode()


def _about(transaction: Transaction | None) -> dict[str, str | None]:
    if transaction is None:
        return {}
    start = transaction.meter_start_wh
    return {
        "transaction": transaction.id,
        "meter_start_wh": None if start is None else str(plain(start)),
        "id_tag": transaction.id_tag,
    }
