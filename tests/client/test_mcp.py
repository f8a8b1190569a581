"""`chargeport mcp` with the protocol's own client: what an assistant finds, and what it may not see."""

import asyncio
import sys
from typing import Any

import pytest

from chargeport.signals.definition import Permission
from serving import served
from world import T0, World

mcp = pytest.importorskip("mcp")

SOC = "tractionbattery-stateofcharge"


async def asked(world: World, app: Any, *calls: tuple[str, dict[str, Any]]) -> tuple[list[str], list[Any]]:
    """The tools there are, and what calls of them give, over standard input and output of a process of its own."""
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async with served(world.served) as server:
        arguments = ["-m", "chargeport", "mcp", "--url", f"http://127.0.0.1:{server.port}", "--client-id", app.id]
        parameters = StdioServerParameters(command=sys.executable, args=[*arguments, "--client-secret", app.secret])
        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            results = [await session.call_tool(name, values) for name, values in calls]
    return tools, [each if each.is_error else each.structured_content["result"] for each in results]


@pytest.mark.service
async def test_an_assistant_lists_vehicles_and_reads_signals_history_and_sessions(world: World) -> None:
    car = await world.car(model="Spoken")
    await world.report(car, SOC, {"value": 40}, T0 - 120_000)
    await world.report(car, SOC, {"value": 41}, T0 - 60_000)
    app = await world.application()
    tools, (vehicles, signals, history, sessions) = await asyncio.wait_for(
        asked(
            world, app, ("list_vehicles", {}), ("read_signals", {"vehicle": car.id}),
            ("read_history", {"vehicle": car.id, "signal": SOC, "start": "2026-05-01T00:00:00Z"}),
            ("list_charging_sessions", {}),
        ), 60,
    )  # fmt: skip
    assert tools == ["list_vehicles", "read_signals", "read_history", "list_charging_sessions"]
    assert vehicles[0]["model"] == "Spoken"
    assert next(one for one in signals if one["code"] == SOC)["body"]["value"] == 41
    assert [one["body"]["value"] for one in history] == [40, 41]
    assert sessions == []


@pytest.mark.service
async def test_it_may_read_what_the_application_may_read(world: World) -> None:
    car = await world.car()
    await world.report(car, SOC, {"value": 40})
    app = await world.application(frozenset({Permission.READ_CHARGE}))
    _, (signals, sessions) = await asyncio.wait_for(
        asked(world, app, ("read_signals", {"vehicle": car.id}), ("list_charging_sessions", {})), 60
    )
    assert all("body" not in one for one in signals if one["code"] == SOC)
    assert "read_charge_records" in sessions.content[0].text
