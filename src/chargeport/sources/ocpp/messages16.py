"""What we need of the messages of OCPP 1.6. Members that are not here are for the dialect, which gets the whole payload."""

import msgspec

from chargeport.sources.ocpp.meter import Short


class Authorize(msgspec.Struct, frozen=True, rename="camel"):
    """Somebody shows a card."""

    id_tag: Short


class StartTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """A session begins; the energy register in Wh."""

    connector_id: int
    id_tag: Short
    meter_start: float
    timestamp: Short


class MeterValues(msgspec.Struct, frozen=True, rename="camel"):
    """What a connector's meter shows."""

    connector_id: int
    meter_value: msgspec.Raw
    transaction_id: int | None = None


class StatusNotification(msgspec.Struct, frozen=True, rename="camel"):
    """How a connector is."""

    connector_id: int
    status: str
    timestamp: Short | None = None


class StopTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """A session ends; the energy register in Wh."""

    transaction_id: int
    meter_stop: float
    timestamp: Short
    id_tag: Short | None = None
