"""What has to be known of a station over a restart: its transactions, and whose car is plugged in where.

One small text a station, so that what belongs together changes together.
"""

import asyncio
import logging
from typing import Final

import msgspec

from chargeport.sources.base import Memory

_KEY: Final = "ocpp"
_OPEN_KEPT: Final = 32  # more than any station has connectors; what is older was never ended
_PLUGS_KEPT: Final = 64
_ENDED_KEPT: Final = 16  # an end that was not acknowledged is said again

_log = logging.getLogger("chargeport.sources.ocpp")


class Transaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session as far as it has been heard of; `car` is whose it is, if anybody knows, and stays so to the end."""

    id: str
    connector: int | None = None
    started: str | None = None
    meter_start_wh: float | None = None
    id_tag: str | None = None
    car: str | None = None
    has_ended: bool = False


class Plug(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is plugged in: the car, if anybody knows, and in 2.0.1 which of the EVSE's connectors it uses."""

    car: str | None = None
    connector: int | None = None


class Page(msgspec.Struct, omit_defaults=True):
    """All that is kept of one station."""

    transactions: list[Transaction] = []
    plugs: dict[str, Plug] = {}


class Numbering:
    """Transaction ids for stations that want them from us: no two alike, over all stations and restarts."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._turn = asyncio.Lock()

    async def next_id(self) -> str:
        """An id that was never given before."""
        async with self._turn:
            last = await self._memory.get(_KEY)
            number = str(int(last or 0) + 1)
            await self._memory.put(_KEY, number)
            return number


class Ledger:
    """The page of one station. Everything is on disk when a method returns."""

    def __init__(self, memory: Memory, station: str) -> None:
        self._memory = memory
        self._key = f"{_KEY}/{station}"
        self._page = Page()
        self._written = ""

    async def load(self) -> None:
        """Remember what was kept."""
        kept = await self._memory.get(self._key)
        if kept is None:
            return
        try:
            self._page, self._written = msgspec.json.decode(kept, type=Page), kept
        except msgspec.MsgspecError as error:
            _log.warning("what was kept in %s can't be read and is left: %s", self._key, error)

    def find(self, transaction_id: str) -> Transaction | None:
        """A transaction, open or ended not long ago."""
        return next((one for one in self._page.transactions if one.id == transaction_id), None)

    def same_start(self, connector: int, started: str, id_tag: str) -> Transaction | None:
        """The transaction that began just so: a start that was not acknowledged is said again."""
        begun = (connector, started, id_tag)
        return next((one for one in self._page.transactions if (one.connector, one.started, one.id_tag) == begun), None)

    def open_at(self, connector: int) -> Transaction | None:
        """The transaction that goes on at a connector."""
        return next(
            (one for one in reversed(self._page.transactions) if one.connector == connector and not one.has_ended), None
        )

    def plug(self, connector: int) -> Plug:
        """Who is plugged in at a connector."""
        return self._page.plugs.get(str(connector), Plug())

    @property
    def connectors(self) -> set[int]:
        """The connectors at which something was plugged in."""
        return {int(number) for number in self._page.plugs}

    async def begin(self, transaction: Transaction, plug: Plug) -> None:
        """A session begins at its connector; whatever went on there before is over."""
        for one in self._page.transactions:
            if one.connector == transaction.connector and not one.has_ended:
                self._put(msgspec.structs.replace(one, has_ended=True))
        self._put(transaction)
        await self.plugged(transaction.connector or 0, plug)

    async def note(self, transaction: Transaction) -> None:
        """More is known of a session."""
        self._put(transaction)
        await self._write()

    def _put(self, transaction: Transaction) -> None:
        """Keep the newest, so that a page never grows without end."""
        known = [*(one for one in self._page.transactions if one.id != transaction.id), transaction]
        ended = [one.id for one in known if one.has_ended][-_ENDED_KEPT:]
        going_on = [one.id for one in known if not one.has_ended][-_OPEN_KEPT:]
        self._page.transactions = [one for one in known if one.id in ended or one.id in going_on]

    async def plugged(self, connector: int, plug: Plug) -> None:
        """A car is plugged in."""
        others = [(number, one) for number, one in self._page.plugs.items() if number != str(connector)]
        self._page.plugs = dict([*others, (str(connector), plug)][-_PLUGS_KEPT:])
        await self._write()

    async def unplugged(self, connector: int) -> None:
        """Nobody is plugged in."""
        self._page.plugs = {number: plug for number, plug in self._page.plugs.items() if number != str(connector)}
        await self._write()

    async def _write(self) -> None:
        text = msgspec.json.encode(self._page).decode()
        if text != self._written:
            await self._memory.put(self._key, text)
            self._written = text
