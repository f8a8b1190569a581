"""The members of OCPP 2.x messages that we need. Other members are for the dialect, which gets the whole payload."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from chargeport.sources.ocpp.samples import Short, Stamp

NO_CARD: Final = "NoAuthorization"
"""The type of token with which a station lets everybody charge."""
_PLACES: Final = ("Connector", "EVSE")


class IdToken(msgspec.Struct, frozen=True, rename="camel"):
    """An identification: a card, or any other token."""

    id_token: Short | int
    type: Short = ""  # some stations leave it out


class Authorize(msgspec.Struct, frozen=True, rename="camel"):
    """A card is presented."""

    id_token: IdToken


class Evse(msgspec.Struct, frozen=True, rename="camel"):
    """An EVSE, which charges one car, and its connector in use."""

    id: int
    connector_id: int | None = None


class TransactionInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The id and the state of a transaction."""

    transaction_id: Short | int
    charging_state: str | None = None


class TransactionEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event of a transaction. `offline`: it waited in the station's queue."""

    event_type: Literal["Started", "Updated", "Ended"]
    transaction_info: TransactionInfo
    timestamp: Stamp = None
    trigger_reason: str | None = None
    offline: bool | None = None
    evse: Evse | None = None
    id_token: IdToken | None = None
    meter_value: msgspec.Raw = msgspec.Raw(b"")

    @property
    def transaction(self) -> str:
        """The transaction's id; stations write numbers, too."""
        return str(self.transaction_info.transaction_id)

    @property
    def tag(self) -> str | None:
        """The card, if there is one."""
        return None if self.id_token is None or self.id_token.type == NO_CARD else str(self.id_token.id_token)


class MeterValues(msgspec.Struct, frozen=True, rename="camel"):
    """Meter values outside of transactions."""

    evse_id: int
    meter_value: msgspec.Raw


class StatusNotification(msgspec.Struct, frozen=True, rename="camel"):
    """The status of a connector."""

    evse_id: int
    connector_id: int
    connector_status: str
    timestamp: Stamp = None


class ChargingNeeds(msgspec.Struct, frozen=True, rename="camel"):
    """The charging needs of a car."""

    evse_id: int


def statuses_of(payload: bytes) -> list[StatusNotification]:
    """Return the statuses of connectors in a NotifyEvent, by which stations may report them; 0 where none is named."""
    try:
        content = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return []
    events = content.get("eventData") if isinstance(content, dict) else None
    found = [_status_of(event) for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    return [each for each in found if each is not None]


def _status_of(event: Mapping[str, Any]) -> StatusNotification | None:
    """Return the status that an event reports; None for any other event."""
    component, variable = event.get("component"), event.get("variable")
    if not isinstance(component, dict) or not isinstance(variable, dict):
        return None
    if component.get("name") not in _PLACES or variable.get("name") != "AvailabilityState":
        return None
    evse = component.get("evse")
    members = {"connectorStatus": event.get("actualValue"), "timestamp": event.get("timestamp")}
    members |= {"evseId": evse.get("id"), "connectorId": evse.get("connectorId") or 0} if isinstance(evse, dict) else {}
    try:
        return msgspec.convert(members, StatusNotification)
    except msgspec.ValidationError:
        return None
