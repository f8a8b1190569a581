"""What Home Assistant's Smartcar integration (wbyoung/smartcar, its v3) asks while it is set up, and takes from an event.

Written from reading it, in our own words: which requests in which order, which members are looked up and how, and what ends the
set-up. Of an event it indexes `condition` of a charge limit; a missing one in an answer is none. Other members are read
with a default that null does not become.
"""

import hmac
import json
from hashlib import sha256
from typing import Any

import httpx


class SetUpError(Exception):
    """The set-up ends: why."""


class HomeAssistant:
    """An entry of the integration."""

    def __init__(self, client: httpx.AsyncClient, client_id: str, client_secret: str, management_token: str) -> None:
        self.user_id = ""
        self.vehicles: dict[str, dict[str, Any]] = {}
        self.values: dict[str, dict[str, Any]] = {}
        self.reauthentications = 0
        self._client = client
        self._secrets = (client_id, client_secret)
        self._key = management_token
        self._headers: dict[str, str] = {}

    async def set_up(self) -> None:
        """Get a token, list the connections of the one user, and ask for each vehicle's VIN. Raises SetUpError."""
        client_id, client_secret = self._secrets
        asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        token = (await self._client.post("/oauth2/token", json=asked)).json()
        if token["token_type"].lower() != "bearer":
            raise SetUpError(token["token_type"])
        self._headers = {"authorization": f"Bearer {token['access_token']}"}
        connections = (await self._get("connections")).get("data", [])
        related = [each.get("relationships", {}) for each in connections]
        vehicle_ids = [one for each in related if (one := each.get("vehicle", {}).get("data", {}).get("id"))]
        users = {one for each in related if (one := each.get("user", {}).get("data", {}).get("id"))}
        if not vehicle_ids:
            raise SetUpError("no vehicles")
        if len(users) != 1:
            raise SetUpError("not one user")
        self.user_id = users.pop()
        self._headers["sc-user-id"] = self.user_id
        for vehicle_id in vehicle_ids:
            found = await self._get(f"vehicles/{vehicle_id}/signals/vehicleidentification-vin")
            about = found.get("included", {}).get("vehicle", {}).get("attributes", {})
            vin = found.get("data", {}).get("attributes", {}).get("body", {}).get("value")
            self.vehicles[vehicle_id] = {"make": about.get("make"), "model": about.get("model"), "vin": vin}

    async def refresh(self) -> None:
        """Read all signals of each vehicle."""
        for vehicle_id in self.vehicles:
            for each in (await self._get(f"vehicles/{vehicle_id}/signals"))["data"]:
                self._take(vehicle_id, _with_conditions(each["attributes"]))

    def receive(self, raw: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any] | None]:
        """Take a webhook; return the status and the JSON that it is answered with."""
        message = json.loads(raw.decode())
        data = message.get("data", {})
        if message.get("eventType") == "VERIFY":
            return 200, {"challenge": self._digest(data["challenge"].encode())}
        if not hmac.compare_digest(self._digest(raw), headers["SC-Signature"]):
            return 401, None
        if message.get("meta", {}).get("mode") == "TEST":
            return 202, None
        vehicle_id = data.get("vehicle", {}).get("id")
        if vehicle_id not in self.vehicles:
            return 409, None
        for error in data.get("errors", []):
            codes = [each["code"] for each in error.get("signals", [])]  # objects, not texts
            is_ours = not codes or any(code.startswith("charge-") for code in codes)
            resolution = error.get("resolution", {}).get("type")
            self.reauthentications += error.get("type") == "PERMISSION" and resolution == "REAUTHENTICATE" and is_ours
        for signal in data.get("signals", []):
            self._take(vehicle_id, signal)
        return 204, None

    async def _get(self, path: str) -> dict[str, Any]:
        response = await self._client.get(f"/v3/{path}", headers=self._headers)
        if response.status_code >= 400:
            raise SetUpError(f"{path}: {response.status_code}")
        found: dict[str, Any] = response.json()
        return found

    def _digest(self, message: bytes) -> str:
        return hmac.new(self._key.encode(), message, sha256).hexdigest()

    def _take(self, vehicle_id: str, signal: dict[str, Any]) -> None:
        """Keep a signal as its entity shows it: percent as a share of one, power in kW, of the limits the general one."""
        known, code = self.values.setdefault(vehicle_id, {}), signal["code"]
        if signal.get("status", {}).get("value") == "ERROR":
            known[code] = None
            return
        body = signal.get("body", {})
        unit = body.get("unit")
        if code == "charge-chargelimits":
            general = (each for each in body["values"] if each["type"].lower() == "global" and each["condition"] is None)
            known[code] = next((each["limit"] / 100 for each in general), None)
        elif code == "charge-wattage":
            known[code] = round(body["value"] / 1000, 2)
        elif code == "location-preciselocation":
            known[code] = (body["latitude"], body["longitude"])
        else:
            known[code] = body["value"] / 100 if unit == "percent" and "value" in body else body.get("value")


def _with_conditions(signal: dict[str, Any]) -> dict[str, Any]:
    for each in signal.get("body", {}).get("values", ()):
        each.setdefault("condition", None)
    return signal
