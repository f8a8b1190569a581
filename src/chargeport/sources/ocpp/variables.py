"""Settings of an OCPP 2.x station: variables of components, named "Component.Variable" by us."""

from collections.abc import Mapping, Sequence
from typing import Final

from chargeport.sources.ocpp.frames import Payload
from chargeport.sources.ocpp.session import Session
from chargeport.sources.ocpp.wishes import Outcome

_TAKEN: Final = {"Accepted", "RebootRequired"}


class Variables:
    """Reads and sets a station's variables."""

    async def values(self, session: Session, names: Sequence[str]) -> Mapping[str, str] | None:
        """Return the variables, as far as the station reports them; None where it does not reply."""
        said = await session.call("GetVariables", {"getVariableData": [_named(name) for name in names]})
        if said is None:
            return None
        results = _results(said, "getVariableResult")
        return {_name(one): str(one["attributeValue"]) for one in results if one.get("attributeValue") is not None}

    async def change(self, session: Session, name: str, value: str) -> Outcome | None:
        """Write a variable and return the outcome; None where the station does not reply."""
        said = await session.call("SetVariables", {"setVariableData": [{**_named(name), "attributeValue": value}]})
        if said is None:
            return None
        status = {one.get("attributeStatus") for one in _results(said, "setVariableResult")}
        return Outcome.TAKEN if status & _TAKEN else Outcome.REFUSED if "Rejected" in status else Outcome.UNKNOWN


def _named(name: str) -> dict[str, object]:
    component, _, variable = name.partition(".")
    return {"component": {"name": component}, "variable": {"name": variable}}


def _name(result: Mapping[str, object]) -> str:
    parts = (result.get("component"), result.get("variable"))
    return ".".join(str(part.get("name")) if isinstance(part, dict) else "" for part in parts)


def _results(said: Payload | None, member: str) -> list[dict[str, object]]:
    found = (said or {}).get(member)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
