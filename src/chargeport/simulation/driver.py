"""Commands to simulated cars as actions."""

from typing import Any

from chargeport.sources.base import Command, CommandError
from chargeport.sources.charge_windows import WEEK, Window, windows
from chargeport.sources.simulator import Reporter
from chargeport.sources.simulator.timers import timers_on_the_wire


def action(command: Command, reporter: Reporter, now: int) -> tuple[str, dict[str, Any]]:
    """Return the name and the body of the action. Raises CommandError."""
    car = reporter.car
    if car.asleep_at is not None or reporter.link.silent_until_at > now:
        raise CommandError("VEHICLE_STATE", "UNREACHABLE", "The vehicle is out of reach.")
    match command.kind:
        case "charge-start":
            _check_start(reporter)
            return "start", {}
        case "charge-stop":
            if car.status not in ("CHARGING", "STARTING"):
                raise CommandError("VEHICLE_STATE", "NOT_CHARGING", "The vehicle is not charging.")
            return "stop", {}
        case "charge-set-limit":
            return "limit", {"percent": command.parameters["percent"]}
        case "charge-schedule-create":
            return "timers", {"values": [*_timers(reporter), _timer(command.parameters)]}
        case "charge-schedule-delete":
            remaining = [timer for timer in _timers(reporter) if timer.get("scheduleId") != command.parameters["scheduleId"]]
            if len(remaining) == len(_timers(reporter)):
                raise CommandError("RESOURCE_NOT_FOUND", "PATH", "The vehicle has no schedule with this id.")
            return "timers", {"values": remaining}
    raise CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", f"The vehicle can't do {command.kind}.")


def _check_start(reporter: Reporter) -> None:
    reasons = {
        "DISCONNECTED": ("CHARGING_PLUG_NOT_CONNECTED", "No cable is plugged in."),
        "CHARGING": ("CHARGING_IN_PROGRESS", "The vehicle is charging already."),
        "FULLY_CHARGED": ("FULLY_CHARGED", "The charge limit is reached."),
        "ERROR": ("CHARGE_FAULT", "The charge port has a fault."),
    }
    if (reason := reasons.get(reporter.car.status)) is not None:
        raise CommandError("VEHICLE_STATE", *reason)


def _timers(reporter: Reporter) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = timers_on_the_wire(reporter.car.timers)["values"]
    return values


def _timer(parameters: Any) -> dict[str, Any]:
    """Return a schedule as an entry of the charge timers."""
    return {
        "type": "LOCATION",
        "condition": parameters["location"],
        "schedules": [_schedule(window) for window in windows(parameters)],
        "scheduleId": parameters["scheduleId"],
        "scheduleType": parameters["scheduleType"].upper(),
    }


def _schedule(window: Window) -> dict[str, Any]:
    """Return a window in the form of the timers: a daily one has no days."""
    days = [] if window.days == WEEK else [day.upper() for day in window.days]
    return {"start": f"{window.start}:00", "end": f"{window.stop}:00", "days": days}
