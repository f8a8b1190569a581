"""`/simulator/…`: control of simulated cars and their clock, if a simulator runs."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chargeport.api.instants import INSTANT_PATTERN, MILLISECONDS, instant
from chargeport.api.request import Request
from chargeport.api.request_body import json_body
from chargeport.api.response import Response, answer, json_answer
from chargeport.errors import INVALID_PATH, MALFORMED, Problem
from chargeport.signals.definition import Permission
from chargeport.simulation.control import MAX_ADVANCE_S, MAX_SPEED, Simulation
from chargeport.simulation.scenario import library, parsed, ready
from chargeport.wire.envelope import iso

MAX_BYTES: Final = 262_144
_NOWHERE: Final = "No simulator runs here: chargeport demo starts a server that has one."


_At = (
    Annotated[str, Meta(extra_json_schema={"pattern": INSTANT_PATTERN})] | Annotated[int, Meta(extra_json_schema=MILLISECONDS)]
)
_Advance = Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": MAX_ADVANCE_S})]
_Speed = Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": MAX_SPEED})]
_Ready = Annotated[str, Meta(extra_json_schema={"enum": list(library())})]


class ClockWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The change of the clock: set it forward (to an instant, or by seconds), run it at a speed, or stop it."""

    at: Annotated[_At | None, Meta(description="ISO 8601, or milliseconds since 1970.")] = None
    advance_seconds: _Advance | None = None
    speed: Annotated[_Speed | None, Meta(description="Seconds of the clock in a second; 0 stops it.")] = None
    is_frozen: bool | None = None


class ScenarioWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario: the name of a built-in one, or the text of a TOML file."""

    name: _Ready | None = None
    toml: str | None = None


class ExpiryWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The tokens to expire."""

    client_id: Annotated[str | None, Meta(description="An application's id; without it, all tokens expire.")] = None


async def read_simulator(request: Request) -> Response:
    """Return the clock, the faults, the possible errors, the cars, and the actions on them."""
    return json_answer(200, (await simulation(request)).state(), request.request_id)


async def set_clock(request: Request) -> Response:
    """Set the clock forward, then run or stop it; answer when all that happens until then is stored."""
    controlled = await simulation(request)
    wish = await json_body(request, ClockWish, MAX_BYTES, may_be_empty=True)
    if wish.speed is not None and wish.is_frozen is not None:
        raise Problem(MALFORMED, "Name speed or isFrozen, not both: speed 0 stops the clock, isFrozen false is speed 1.")
    if wish.at is not None and wish.advance_seconds is not None:
        raise Problem(MALFORMED, "Name at or advanceSeconds, not both.")
    if wish.at is not None:
        await controlled.set(instant("at", str(wish.at)))
    elif wish.advance_seconds is not None:
        await controlled.advance(wish.advance_seconds)
    speed = wish.speed if wish.is_frozen is None else float(not wish.is_frozen)
    if speed is not None:
        await controlled.run(speed)
    return json_answer(200, controlled.clock_state(), request.request_id)


async def read_simulated_vehicle(request: Request) -> Response:
    """Return the state of a simulated car."""
    return json_answer(200, (await simulation(request)).vehicle(request.path("vehicle_id")), request.request_id)


async def control_vehicle(request: Request) -> Response:
    """Apply an action to a simulated car; answer when its report of it is stored."""
    controlled = await simulation(request)
    body = await json_body(request, dict[str, Any], MAX_BYTES, may_be_empty=True)
    state = await controlled.act(request.path("vehicle_id"), request.path("action"), body)
    return json_answer(200, state, request.request_id)


async def list_faults(request: Request) -> Response:
    """Return the faults, each with the number of times that it happened."""
    return json_answer(200, {"data": (await simulation(request)).faults.state()}, request.request_id)


async def add_fault(request: Request) -> Response:
    """Add a fault."""
    controlled = await simulation(request)
    return json_answer(
        201, controlled.faults.add(await json_body(request, dict[str, Any], MAX_BYTES, may_be_empty=True)), request.request_id
    )


async def clear_faults(request: Request) -> Response:
    """Remove all faults."""
    (await simulation(request)).faults.clear()
    return answer(204, b"", request.request_id)


async def remove_fault(request: Request) -> Response:
    """Remove one fault."""
    if not (await simulation(request)).faults.remove(request.path("fault_id")):
        raise Problem(INVALID_PATH, "There is no fault with this id: GET /simulator/faults lists them.")
    return answer(204, b"", request.request_id)


async def list_scenarios(request: Request) -> Response:
    """Return the built-in scenarios."""
    await simulation(request)
    data = [{"name": scenario.name, "summary": scenario.summary} for scenario in library().values()]
    return json_answer(200, {"data": data}, request.request_id)


async def play_scenario(request: Request) -> Response:
    """Begin a built-in scenario, or the one in the body."""
    controlled = await simulation(request)
    wish = await json_body(request, ScenarioWish, MAX_BYTES, may_be_empty=True)
    if (wish.name is None) == (wish.toml is None):
        raise Problem(MALFORMED, "Name a ready scenario (name), or send one (toml): one of the two.")
    running = await controlled.play(parsed(wish.toml) if wish.toml is not None else ready(wish.name or ""))
    body = {"name": running.scenario.name, "startedAt": iso(running.start_at), "vehicles": running.ids}
    return json_answer(201, body, request.request_id)


async def expire_tokens(request: Request) -> Response:
    """End the tokens of one application, or of all, including the caller's."""
    await simulation(request)
    wish = await json_body(request, ExpiryWish, MAX_BYTES, may_be_empty=True)
    ended = await request.context.access.expire_tokens(wish.client_id)
    return json_answer(200, {"expired": ended}, request.request_id)


async def simulation(request: Request) -> Simulation:
    """Return the simulation, if the caller may control it. Raises Problem (401, 403, 404)."""
    await request.grant()
    if request.context.simulation is None:
        raise Problem(INVALID_PATH, _NOWHERE)
    await request.allowed(Permission.CONTROL_SIMULATOR)
    return request.context.simulation
