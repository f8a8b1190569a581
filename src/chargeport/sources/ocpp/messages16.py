"""The members of OCPP 1.6 messages that we need. Other members are for the dialect, which gets the whole payload."""

from typing import Final

import msgspec

from chargeport.sources.ocpp.samples import Short, Stamp

_MAX_WH: Final = 1e10  # no register shows more, neither NaN nor infinite


class Authorize(msgspec.Struct, frozen=True, rename="camel"):
    """A card is presented."""

    id_tag: Short


class StartTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """A transaction begins; the energy register in Wh."""

    connector_id: int
    id_tag: Short | None = None
    timestamp: Stamp = None
    meter_start: float | None = None

    @property
    def register_wh(self) -> float | None:
        """The energy register, if it was read: stations write -1 where it was not."""
        return _register_wh(self.meter_start)


class MeterValues(msgspec.Struct, frozen=True, rename="camel"):
    """The meter values of a connector. Some stations write other texts than our numbers as the transaction's id."""

    meter_value: msgspec.Raw
    connector_id: int = 0  # the station's; some omit it where they name the transaction
    transaction_id: msgspec.Raw = msgspec.Raw(b"")


class StatusNotification(msgspec.Struct, frozen=True, rename="camel"):
    """The status of a connector."""

    connector_id: int
    status: str
    timestamp: Stamp = None


class StopTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """The end of a transaction; the energy register in Wh."""

    timestamp: Stamp = None
    transaction_id: msgspec.Raw = msgspec.Raw(b"")
    meter_stop: float | None = None
    id_tag: Short | None = None
    transaction_data: msgspec.Raw = msgspec.Raw(b"")

    @property
    def register_wh(self) -> float | None:
        """The energy register, if it was read."""
        return _register_wh(self.meter_stop)


def _register_wh(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= _MAX_WH else None


def id_of(raw: msgspec.Raw) -> str | None:
    """Return the transaction's id as a text; None where the station names none: stations write 0 and -1 for that."""
    text = bytes(raw).decode(errors="replace").strip().strip('"')
    return None if text in ("", "null", "0", "-1") else text[:64]
