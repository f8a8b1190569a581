"""Read and write the settings of an OCPP 2.x station: variables of components, named "Component.Variable" here."""

from collections.abc import Mapping, Sequence
from typing import Final

from chargeport.sources.ocpp.desired_settings import Outcome
from chargeport.sources.ocpp.frames import Payload
from chargeport.sources.ocpp.station_connection import StationConnection

_TAKEN: Final = {"Accepted", "RebootRequired"}


class Variables:
    """Reads and sets a station's variables."""

    async def values(self, connection: StationConnection, names: Sequence[str]) -> Mapping[str, str] | None:
        """Return the variables, as far as the station reports them; None where it does not reply."""
        reply = await connection.call("GetVariables", {"getVariableData": [_named(name) for name in names]})
        if reply is None:
            return None
        results = _results(reply, "getVariableResult")
        return {_name(one): str(one["attributeValue"]) for one in results if one.get("attributeValue") is not None}

    async def change(self, connection: StationConnection, name: str, value: str) -> Outcome | None:
        """Write a variable and return the outcome; None where the station does not reply."""
        reply = await connection.call("SetVariables", {"setVariableData": [{**_named(name), "attributeValue": value}]})
        if reply is None:
            return None
        status = {one.get("attributeStatus") for one in _results(reply, "setVariableResult")}
        return Outcome.TAKEN if status & _TAKEN else Outcome.REFUSED if "Rejected" in status else Outcome.UNKNOWN


def _named(name: str) -> dict[str, object]:
    component, _, variable = name.partition(".")
    return {"component": {"name": component}, "variable": {"name": variable}}


def _name(result: Mapping[str, object]) -> str:
    parts = (result.get("component"), result.get("variable"))
    return ".".join(str(part.get("name")) if isinstance(part, dict) else "" for part in parts)


def _results(reply: Payload | None, member: str) -> list[dict[str, object]]:
    found = (reply or {}).get(member)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
