"""Commands to a car that nobody can command."""

from answers import typed_error
from chargeport.store.records import Vehicle
from world import Client, World


async def test_a_car_that_nobody_can_command_says_so(world: World, app: Client, car: Vehicle) -> None:
    answer = await world.client.post(f"/v3/vehicles/{car.id}/commands/charge/start", headers=app.headers)
    error = typed_error(answer, 501, "COMPATIBILITY/VEHICLE_NOT_CAPABLE")
    assert "docs/commands.md" in error["description"]


async def test_a_car_that_is_not_there_has_no_commands(world: World, app: Client) -> None:
    answer = await world.client.post("/v3/vehicles/nobody/commands/charge/stop", headers=app.headers)
    error = typed_error(answer, 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")
    assert error["description"] == "No vehicle with this id is known to this server."
