"""Smartcar's Python SDK, unchanged, reading a car of a Chargeport: pip install smartcar, then see README.md."""

import os

# The SDK reads its address once, when it is imported.
os.environ["SMARTCAR_VEHICLE_API_V3_ORIGIN"] = os.environ["CHARGEPORT_URL"]

import smartcar


def main() -> None:
    """Print every signal of the first car, and what an error looks like."""
    vehicle = smartcar.Vehicle(os.environ["VEHICLE"], os.environ["CHARGEPORT_TOKEN"])
    for signal in vehicle.get_signals()["body"]["data"]:
        attributes = signal["attributes"]
        if attributes["status"]["value"] == "SUCCESS":
            print(f"{attributes['code']:34} {attributes['body']}")
        else:
            error = attributes["status"]["error"]
            print(f"{attributes['code']:34} {error['type']}/{error['code']}")
    try:
        vehicle.get_signal("charge-nothing")
    except smartcar.SmartcarException as error:
        print(f"{error.status_code} {error.type}/{error.code}: {error.description}")


if __name__ == "__main__":
    main()
