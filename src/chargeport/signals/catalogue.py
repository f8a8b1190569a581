"""The 21 charge signals, their companions and Chargeport's own signals: one row each, the seed's first and in its order.

Everything about a signal in the server (routes, OpenAPI, checks, bounds, docs, columns) is derived from its row. Codes, names,
units and examples are exactly the seed's; a test compares both in both directions.
"""

from typing import Final

from chargeport.signals.battery import NominalCapacity, Range
from chargeport.signals.definition import Cadence, Dimension, Kind, Permission, Signal
from chargeport.signals.limits import ChargeLimits
from chargeport.signals.position import PreciseLocation
from chargeport.signals.records import ChargeRecords
from chargeport.signals.timers import ChargeTimers

_WORKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]

CHARGE: Final = "Charge"
BATTERY: Final = "TractionBattery"
OURS: Final = "Chargeport"
LOCATION: Final = "Location"
IDENTIFICATION: Final = "VehicleIdentification"

# Bounds: 3,000 A, 1,250 V and 3.75 MW are those of the Megawatt Charging System (CharIN), the largest standard; the others are
# above those of all cars on sale. Discharging into the grid is not delivery to the car and has no reading here.
CATALOGUE: Final[tuple[Signal, ...]] = (
    Signal(
        key=1, code="charge-amperage", name="Amperage", group=CHARGE, kind=Kind.QUANTITY, cadence=Cadence.LIVE,
        permission=Permission.READ_CHARGE, unit="ampere", dimension=Dimension.CURRENT, minimum=0, maximum=3000,
        summary="Current flowing to the car now.",
        caution="Per phase on AC; on DC the current of the pack.",
        example={"value": 33, "unit": "ampere"},
    ),
    Signal(
        key=2, code="charge-amperagemax", name="AmperageMax", group=CHARGE, kind=Kind.QUANTITY, cadence=Cadence.LASTING,
        permission=Permission.READ_CHARGE, unit="ampere", dimension=Dimension.CURRENT, minimum=0, maximum=3000,
        summary="The maximum current that is available for charging.",
        example={"value": 48, "unit": "ampere"},
    ),
    Signal(
        key=3, code="charge-amperagerequested", name="AmperageRequested", group=CHARGE, kind=Kind.QUANTITY,
        cadence=Cadence.PLUGGED, permission=Permission.READ_CHARGE, unit="ampere", dimension=Dimension.CURRENT,
        minimum=0, maximum=3000,
        summary="The current that was requested for charging.",
        example={"value": 48, "unit": "ampere"},
    ),
    Signal(
        key=4, code="charge-chargelimits", name="ChargeLimits", group=CHARGE, kind=Kind.DOCUMENT, cadence=Cadence.LASTING,
        permission=Permission.READ_CHARGE, unit="percent", document=ChargeLimits, has_places=True,
        summary="State of charge at which charging stops: in general, by place, and by charging type.",
        caution="activeLimit is the one in effect; places need read_charge_locations.",
        example={
            "activeLimit": 80,
            "values": [
                {"type": "GLOBAL", "limit": 80},
                {
                    "type": "LOCATION",
                    "condition": {"name": "Home", "address": "123 2nd street", "latitude": 90, "longitude": 90},
                    "limit": 72,
                },
                {"type": "CHARGING_TYPE", "condition": {"chargingType": "AC"}, "limit": 52},
            ],
            "unit": "percent",
        },
    ),
    Signal(
        key=5, code="charge-chargeportstatuscolor", name="ChargePortStatusColor", group=CHARGE, kind=Kind.TEXT,
        cadence=Cadence.LASTING, permission=Permission.READ_CHARGE,
        known=("Green", "Blue", "White", "Orange", "Red"),
        summary="Colour of the light at the charging port.",
        caution="Case differs between makers: compare without it. Never derived: colours differ between makers.",
        example={"value": "Green"},
    ),
    Signal(
        key=6, code="charge-chargerate", name="ChargeRate", group=CHARGE, kind=Kind.QUANTITY, cadence=Cadence.LIVE,
        permission=Permission.READ_CHARGE, unit="km/h", dimension=Dimension.SPEED, minimum=0, maximum=10_000,
        summary="Range gained per hour at the present power.",
        caution="A rate of range, not of energy.",
        example={"value": 48, "unit": "km/h"},
    ),
    Signal(
        key=7, code="charge-chargerecords", name="ChargeRecords", group=CHARGE, kind=Kind.DOCUMENT, cadence=Cadence.LASTING,
        permission=Permission.READ_CHARGE_RECORDS, document=ChargeRecords, has_places=True,
        summary="Past charging sessions: time, energy, place and cost.",
        caution="Places need read_charge_locations.",
        example={
            "values": [
                {
                    "startTime": "2023-10-15T19:30:00.000Z",
                    "endTime": "2023-10-16T06:45:00.000Z",
                    "startStateOfCharge": 25,
                    "endStateOfCharge": 90,
                    "energyAdded": 65.2,
                    "isPublicCharger": False,
                    "chargingType": "DC",
                    "cost": {"currency": "GBP", "energyAmount": 12.56, "otherAmount": 0},
                    "location": {
                        "latitude": 51.5014,
                        "longitude": -0.1419,
                        "name": "Home",
                        "address": "123 Park Lane, London SW1A 1AA",
                    },
                    "id": "CHG-20231015-A39B",
                }
            ]
        },
    ),
    Signal(
        key=8, code="charge-chargerphases", name="ChargerPhases", group=CHARGE, kind=Kind.COUNT, cadence=Cadence.PLUGGED,
        permission=Permission.READ_CHARGE, minimum=1, maximum=3,
        summary="Number of phases of the connected charger.",
        caution="Most sources report the phases in use.",
        example={"value": 3},
    ),
    Signal(
        key=9, code="charge-chargetimers", name="ChargeTimers", group=CHARGE, kind=Kind.DOCUMENT, cadence=Cadence.LASTING,
        permission=Permission.READ_CHARGE, document=ChargeTimers, has_places=True,
        summary="When charging may run and when the car must be ready: in general, by place, and by charging type.",
        caution="Times are the car's local time; a window may cross midnight. Places need read_charge_locations.",
        example={
            "values": [
                {
                    "type": "GLOBAL",
                    "isOEMOptimizationEnabled": True,
                    "schedules": [{"days": _WORKDAYS, "start": "23:00:00", "end": "07:00:00"}],
                    "departureTimers": [{"days": _WORKDAYS, "time": "08:30:00"}],
                },
                {
                    "type": "LOCATION",
                    "condition": {
                        "latitude": 51.5014,
                        "longitude": -0.1419,
                        "name": "Home",
                        "address": "123 Main St, London",
                    },
                    "isOEMOptimizationEnabled": True,
                    "schedules": [{"days": _WORKDAYS, "start": "22:00:00", "end": "06:00:00"}],
                    "departureTimers": [{"days": _WORKDAYS, "time": "08:00:00"}],
                    "scheduleId": "f47ac10b-58cc-4372-a567-0e02b2c3d479",
                    "scheduleType": "DAILY",
                },
                {
                    "type": "CHARGING_TYPE",
                    "condition": {"chargingType": "DC"},
                    "isOEMOptimizationEnabled": True,
                    "schedules": [{"days": _WORKDAYS, "start": "22:00:00", "end": "06:00:00"}],
                    "departureTimers": [{"days": ["MONDAY", "TUESDAY"], "time": "08:00:00"}],
                },
            ]
        },
    ),
    Signal(
        key=10, code="charge-chargingconnectortype", name="ChargingConnectorType", group=CHARGE, kind=Kind.TEXT,
        cadence=Cadence.LASTING, permission=Permission.READ_CHARGE,
        known=("J1772", "Type 2", "CCS1", "CCS2", "NACS", "CHAdeMO", "GB/T"),
        summary="The type of the car's inlet.",
        example={"value": "J1772"},
    ),
    Signal(
        key=11, code="charge-detailedchargingstatus", name="DetailedChargingStatus", group=CHARGE, kind=Kind.TEXT,
        cadence=Cadence.LASTING, permission=Permission.READ_CHARGE,
        known=(
            "DISCONNECTED", "CONNECTED", "STARTING", "CHARGING", "CONSERVING", "SCHEDULED", "SUSPENDED_BY_CAR",
            "SUSPENDED_BY_STATION", "NO_POWER", "STOPPED", "NOT_CHARGING", "FULLY_CHARGED", "DISCHARGING", "ERROR",
        ),
        summary="The detailed state of charging.",
        caution="An open list: Smartcar itself reports CHARGING, NOT_CHARGING and FULLY_CHARGED only.",
        example={"value": "CHARGING"},
    ),
    Signal(
        key=12, code="charge-energyadded", name="EnergyAdded", group=CHARGE, kind=Kind.QUANTITY, cadence=Cadence.LASTING,
        permission=Permission.READ_CHARGE, unit="kWh", dimension=Dimension.ENERGY, minimum=0, maximum=2000,
        summary="Energy delivered in this session, or in the last one.",
        caution="Battery side if the source distinguishes the two; the value is retained after the session.",
        example={"value": 35.6, "unit": "kWh"},
    ),
    Signal(
        key=13, code="charge-fastchargertype", name="FastChargerType", group=CHARGE, kind=Kind.TEXT, cadence=Cadence.PLUGGED,
        permission=Permission.READ_CHARGE,
        known=("CCS", "CHADEMO", "SUPERCHARGER", "GBT", "OTHER"),
        summary="The DC standard of the connected fast charger.",
        example={"value": "CCS"},
    ),
    Signal(
        key=14, code="charge-ischarging", name="IsCharging", group=CHARGE, kind=Kind.FLAG, cadence=Cadence.LIVE,
        permission=Permission.READ_CHARGE,
        summary="Whether the battery is receiving energy.",
        example={"value": True},
    ),
    Signal(
        key=15, code="charge-ischargingcableconnected", name="IsChargingCableConnected", group=CHARGE, kind=Kind.FLAG,
        cadence=Cadence.LASTING, permission=Permission.READ_CHARGE,
        summary="Whether a cable is connected to the port.",
        example={"value": True},
    ),
    Signal(
        key=16, code="charge-ischargingcablelatched", name="IsChargingCableLatched", group=CHARGE, kind=Kind.FLAG,
        cadence=Cadence.PLUGGED, permission=Permission.READ_CHARGE,
        summary="Whether the cable is locked to the port.",
        caution="Many cars unlock it at the end while it is still connected.",
        example={"value": True},
    ),
    Signal(
        key=17, code="charge-ischargingportflapopen", name="IsChargingPortFlapOpen", group=CHARGE, kind=Kind.FLAG,
        cadence=Cadence.LASTING, permission=Permission.READ_CHARGE,
        summary="Whether the door of the port is open.",
        example={"value": True},
    ),
    Signal(
        key=18, code="charge-isfastchargerpresent", name="IsFastChargerPresent", group=CHARGE, kind=Kind.FLAG,
        cadence=Cadence.PLUGGED, permission=Permission.READ_CHARGE,
        summary="Whether the car is connected to a DC fast charger.",
        example={"value": False},
    ),
    Signal(
        key=19, code="charge-timetocomplete", name="TimeToComplete", group=CHARGE, kind=Kind.QUANTITY, cadence=Cadence.LIVE,
        permission=Permission.READ_CHARGE, unit="min", dimension=Dimension.TIME, minimum=0, maximum=20_160,
        summary="Minutes until the active limit is reached.",
        example={"value": 100, "unit": "min"},
    ),
    Signal(
        key=20, code="charge-voltage", name="Voltage", group=CHARGE, kind=Kind.QUANTITY, cadence=Cadence.LIVE,
        permission=Permission.READ_CHARGE, unit="volts", dimension=Dimension.VOLTAGE, minimum=0, maximum=1500,
        summary="Voltage supplied to the car.",
        caution="Line to neutral on AC; on DC the voltage of the pack.",
        example={"value": 240, "unit": "volts"},
    ),
    Signal(
        key=21, code="charge-wattage", name="Wattage", group=CHARGE, kind=Kind.QUANTITY, cadence=Cadence.LIVE,
        permission=Permission.READ_CHARGE, unit="watts", dimension=Dimension.POWER, minimum=0, maximum=4_000_000,
        summary="Power delivered to the car.",
        caution="True watts, although the seed's example looks like kilowatts: a recorded Polestar has 4683 at 223 V and 7 A.",
        example={"value": 10.7, "unit": "watts"},
    ),
    Signal(
        key=22, code="tractionbattery-stateofcharge", name="StateOfCharge", group=BATTERY, kind=Kind.QUANTITY,
        cadence=Cadence.LASTING, permission=Permission.READ_BATTERY, unit="percent", dimension=Dimension.RATIO,
        minimum=0, maximum=100,
        summary="The battery's state of charge.",
        example={"value": 62, "unit": "percent"},
    ),
    Signal(
        key=23, code="tractionbattery-nominalcapacity", name="NominalCapacity", group=BATTERY, kind=Kind.DOCUMENT,
        cadence=Cadence.LASTING, permission=Permission.READ_BATTERY, unit="kWh", document=NominalCapacity,
        summary="The capacity of the new battery.",
        example={
            "capacity": 77,
            "source": "SMARTCAR",
            "availableCapacities": [{"capacity": 77, "description": "Long range"}],
            "unit": "kWh",
        },
    ),
    Signal(
        key=24, code="tractionbattery-range", name="Range", group=BATTERY, kind=Kind.DOCUMENT, cadence=Cadence.LASTING,
        permission=Permission.READ_BATTERY, unit="km", document=Range,
        summary="The distance that the car can drive with the present charge.",
        example={"value": 290, "type": "DEFAULT", "additionalValues": [], "unit": "km"},
    ),
    Signal(
        key=25, code="chargeport-energytotal", name="EnergyTotal", group=OURS, kind=Kind.QUANTITY, cadence=Cadence.LASTING,
        permission=Permission.READ_CHARGE, unit="kWh", dimension=Dimension.ENERGY, minimum=0, maximum=100_000_000,
        is_ours=True,
        summary="Energy charged in all known sessions.",
        caution="Ours, not Smartcar's: for energy dashboards. It decreases only if a correction removes energy.",
        example={"value": 1234.5, "unit": "kWh"},
    ),
    Signal(
        key=26, code="location-preciselocation", name="PreciseLocation", group=LOCATION, kind=Kind.DOCUMENT,
        cadence=Cadence.LASTING, permission=Permission.READ_LOCATION, document=PreciseLocation,
        summary="The location of the car.",
        caution="WGS 84, in degrees. Charging records get their places from it, for applications with read_charge_locations.",
        example={"latitude": 51.5014, "longitude": -0.1419, "heading": 270},
    ),
    Signal(
        key=27, code="chargeport-energyregister", name="EnergyRegister", group=OURS, kind=Kind.QUANTITY,
        cadence=Cadence.LASTING, permission=Permission.READ_CHARGE, unit="kWh", dimension=Dimension.ENERGY,
        minimum=0, maximum=10_000_000, is_ours=True,
        summary="A meter's register, which only increases.",
        caution="Ours, not Smartcar's. From a car: energy into the battery; from a station: energy drawn from the grid. "
        "Sessions use its differences; it is never shown as energy added.",
        example={"value": 6211.03, "unit": "kWh"},
    ),
    Signal(
        key=28, code="vehicleidentification-vin", name="VIN", group=IDENTIFICATION, kind=Kind.TEXT,
        cadence=Cadence.LASTING, permission=Permission.READ_VIN,
        summary="The vehicle identification number.",
        caution="The server's own VIN of the car takes precedence, with only ingestedAt in meta; else the reported one.",
        example={"value": "WVWZZZE1ZMP010101"},
    ),
)  # fmt: skip

BY_CODE: Final = {signal.code: signal for signal in CATALOGUE}
BY_KEY: Final = {signal.key: signal for signal in CATALOGUE}

IS_CHARGING: Final = BY_CODE["charge-ischarging"]
CABLE_CONNECTED: Final = BY_CODE["charge-ischargingcableconnected"]
VIN: Final = BY_CODE["vehicleidentification-vin"]
