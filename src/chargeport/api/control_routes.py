"""The routes of commands and of the simulator: part of the table in `api.routes`."""

from typing import Final

from chargeport.api import commands, paging, simulator
from chargeport.api.route import USER, Handler, Route, pages
from chargeport.errors import (
    INVALID_PATH,
    MALFORMED,
    PERMISSION,
    TOO_LARGE,
    TOO_SLOW,
    UNSUPPORTED_MEDIA,
    VEHICLE_NOT_FOUND,
)
from chargeport.simulation.actions import ACTIONS
from chargeport.taxonomy import SMARTCAR_KINDS

_SIMULATOR: Final = (PERMISSION, INVALID_PATH)
_CAR: Final = (*_SIMULATOR, VEHICLE_NOT_FOUND)

_COMMAND: Final = (
    MALFORMED, PERMISSION, VEHICLE_NOT_FOUND, SMARTCAR_KINDS["RESOURCE_NOT_FOUND", "PATH"],
    SMARTCAR_KINDS["VEHICLE_STATE", "UNREACHABLE"], SMARTCAR_KINDS["COMPATIBILITY", "VEHICLE_NOT_CAPABLE"],
    SMARTCAR_KINDS["UPSTREAM", "NO_RESPONSE"], TOO_SLOW, TOO_LARGE, UNSUPPORTED_MEDIA,
)  # fmt: skip
_OUTCOME: Final = "The outcome is in `status.value`: SUCCESS, or with 202 PENDING, if the other side has only accepted it."


def _command(path: str, name: str, handler: Handler, summary: str, body: tuple[str, str] | None = None) -> Route:
    answer = "ScheduleDocument" if path.startswith("charge-schedules") else "CommandDocument"
    return Route(
        method="POST", path=f"/vehicles/{{vehicle_id}}/{path}", name=name, tag="Commands", handler=handler, v3=True,
        summary=summary, detail=f"{body[1] if body else ''} {_OUTCOME} Needs the permission control_charge.".strip(),
        answer=answer, or_accepted=True, body=body[0] if body else None, errors=_COMMAND, parameters=(USER,),
        has_own_faults=True,
    )  # fmt: skip


_LOCATION: Final = '"location": {"latitude", "longitude"}'
_WINDOW: Final = '{"startTime": "22:00", "stopTime": "06:00"}'
_COMMANDS: Final = (
    Route(
        method="GET", path="/vehicles/{vehicle_id}/commands", name="listCommands", tag="Commands",
        handler=commands.list_commands, v3=True, summary="List the commands to a vehicle",
        detail="Those of the application, newest first, with `status.value` SUCCESS, PENDING, ERROR, IN_PROGRESS, or UNKNOWN if"
        " the server was stopped before the outcome. Those of all applications with the permission manage."
        " Needs control_charge or read_charge.",
        answer="CommandList", errors=(MALFORMED, PERMISSION, VEHICLE_NOT_FOUND),
        parameters=(USER, *pages(paging.MAX_SIZE)),
    ),
    _command("commands/charge/start", "startCharge", commands.start_charge, "Start charging"),
    _command("commands/charge/stop", "stopCharge", commands.stop_charge, "Stop charging"),
    _command(
        "commands/charge/set-limit", "setChargeLimit", commands.set_limit, "Set the charge limit",
        ("NewChargeLimit", '`{"data": {"attributes": {"percent": 80}}}`, from 50 to 100.'),
    ),
    _command(
        "charge-schedules/daily", "createDailySchedule", commands.create_daily, "Charge in a window of every day",
        ("DailySchedule", f'`{{"data": {{"attributes": {{{_LOCATION}, "startTime": "22:00", "stopTime": "06:00"}}}}}}`.'),
    ),
    _command(
        "charge-schedules/weekly", "createWeeklySchedule", commands.create_weekly, "Charge in windows by weekday",
        ("WeeklySchedule", f'`{{"data": {{"attributes": {{{_LOCATION}, "days": {{"monday": {_WINDOW}}}}}}}}}`.'),
    ),
    _command(
        "charge-schedules/workweek", "createWorkweekSchedule", commands.create_workweek,
        "Charge in a window of the working days, and one of the weekend",
        ("WorkweekSchedule", f'`{{"data": {{"attributes": {{{_LOCATION}, "weekdays": {_WINDOW}, "weekends": {_WINDOW}}}}}}}`.'),
    ),
    Route(
        method="DELETE", path="/vehicles/{vehicle_id}/charge-schedules/{schedule_id}", name="deleteSchedule", tag="Commands",
        handler=commands.delete_schedule, v3=True, summary="Remove a charge schedule", detail=_OUTCOME,
        answer="ScheduleDocument", or_accepted=True, errors=_COMMAND, parameters=(USER,), has_own_faults=True,
    ),
)  # fmt: skip

CONTROL_ROUTES: Final = (
    *_COMMANDS,
    Route(
        method="GET", path="/simulator", name="getSimulator", tag="Simulator", handler=simulator.read_simulator,
        summary="Read the clock, the simulated cars, and the actions on them", answer="SimulatorState", errors=_SIMULATOR,
        detail="Only if a simulator runs, and with the permission control_simulator; this also applies to all paths below it.",
    ),
    Route(
        method="POST", path="/simulator/clock", name="setSimulatorClock", tag="Simulator", handler=simulator.set_clock,
        summary="Set the clock forward, stop it, or let it run", answer="ClockState", body="ClockWish",
        detail='`{"advanceSeconds": 3600}` or `{"at": "2026-05-01T06:00:00Z"}` simulates all events until then,'
        ' instant by instant, and is answered when they are stored. `{"speed": 60}` sets the speed from then on; 0 or'
        ' `{"isFrozen": true}` stops the clock: then only requests have effects.',
        errors=(*_SIMULATOR, MALFORMED),
    ),
    Route(
        method="GET", path="/simulator/vehicles/{vehicle_id}", name="getSimulatedVehicle", tag="Simulator",
        handler=simulator.read_simulated_vehicle, summary="Read the true state of a simulated car",
        answer="SimulatedVehicle", errors=_CAR,
    ),
    Route(
        method="POST", path="/simulator/vehicles/{vehicle_id}/{action}", name="controlSimulatedVehicle", tag="Simulator",
        handler=simulator.control_vehicle, summary="Apply an action to a simulated car", answer="SimulatedVehicle",
        body="SimulatorAction",
        detail="Answered when the car's report of it is stored. The members of the body, all optional unless noted"
        " otherwise, are on the page about the simulator; most actions accept an empty body: "
        + ", ".join(ACTIONS) + ".",
        errors=(*_CAR, MALFORMED),
    ),
    Route(
        method="GET", path="/simulator/faults", name="listFaults", tag="Simulator", handler=simulator.list_faults,
        summary="List the faults, with their counts", answer="FaultList", errors=_SIMULATOR,
    ),
    Route(
        method="POST", path="/simulator/faults", name="addFault", tag="Simulator", handler=simulator.add_fault,
        summary="Add a fault", answer="FaultEntry", body="NewFault", status=201,
        detail='`{"type": "VEHICLE_STATE", "code": "ASLEEP", "vehicle": …, "signal": …, "rate": 0.5, "times": 1}` answers with'
        ' errors, `{"latencySeconds": 20}` delays answers by the real clock (at most 60), `{"webhook": "DROP"}` drops'
        " events of webhooks; REPEAT, DELAY and REORDER repeat, delay and reorder them. A fault is active"
        " until it has happened `times` times, or is removed.",
        errors=(*_SIMULATOR, MALFORMED),
    ),
    Route(
        method="DELETE", path="/simulator/faults", name="clearFaults", tag="Simulator", handler=simulator.clear_faults,
        summary="Remove all faults", status=204, errors=_SIMULATOR,
    ),
    Route(
        method="DELETE", path="/simulator/faults/{fault_id}", name="removeFault", tag="Simulator",
        handler=simulator.remove_fault, summary="Remove a fault", status=204, errors=_SIMULATOR,
    ),
    Route(
        method="GET", path="/simulator/scenarios", name="listScenarios", tag="Simulator", handler=simulator.list_scenarios,
        summary="List the built-in scenarios", answer="ScenarioList", errors=_SIMULATOR,
    ),
    Route(
        method="POST", path="/simulator/scenarios", name="playScenario", tag="Simulator", handler=simulator.play_scenario,
        summary="Begin a scenario", answer="ScenarioBegun", body="ScenarioWish", status=201,
        detail='`{"name": "night-at-home"}` for a built-in one, or `{"toml": …}`. Its cars are added to the present ones; if'
        " the scenario has a start, the clock is set forward to it.",
        errors=(*_SIMULATOR, MALFORMED),
    ),
    Route(
        method="POST", path="/simulator/tokens/expire", name="expireTokens", tag="Simulator", handler=simulator.expire_tokens,
        summary="Expire tokens now", answer="TokensExpired", body="ExpiryWish",
        detail='Those of `{"clientId": …}`, or all tokens, including the caller\'s.', errors=(*_SIMULATOR, MALFORMED),
    ),
)  # fmt: skip
