"""An app as somebody might write it: when is the car ready, and what is said to its owner?"""

import json
import urllib.error
import urllib.request
from typing import Any


def signal(url: str, token: str, vehicle: str, code: str) -> dict[str, Any]:
    """Read a signal; an error of the API comes as `{"error": type}`."""
    request = urllib.request.Request(
        f"{url}/v3/vehicles/{vehicle}/signals/{code}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            attributes: dict[str, Any] = json.load(response)["data"]["attributes"]
            return attributes
    except urllib.error.HTTPError as error:
        return {"status": {"value": "ERROR", "error": {"type": json.load(error)["type"]}}}


def sentence(url: str, token: str, vehicle: str) -> str:
    """Say to the owner how the car is."""
    charging = signal(url, token, vehicle, "charge-ischarging")
    if charging["status"]["value"] == "ERROR":
        kind = charging["status"]["error"]["type"]
        return "Please allow us to see your car again." if kind == "PERMISSION" else "Your car can't be reached at the moment."
    if charging["body"]["value"]:
        minutes = signal(url, token, vehicle, "charge-timetocomplete")
        return f"Ready in {minutes['body']['value'] / 60:.0f} hours."
    status = signal(url, token, vehicle, "charge-detailedchargingstatus")["body"]["value"]
    return "Your car is ready." if status == "FULLY_CHARGED" else "Your car is not charging."
