"""`chargeport command list`: what cars were made to do."""

import asyncio
from pathlib import Path

from command_line import CommandLine

from chargeport.clock import SystemClock
from chargeport.store.command_log import StoredCommand
from chargeport.store.sqlite import SqliteStore


def keep(database: Path, vehicle_id: str, client_id: str) -> None:
    async def run() -> None:
        store = SqliteStore.open(database)
        begun = SystemClock().now() - 120_000
        for number, (kind, parameters, outcome) in enumerate([
            ("charge-set-limit", '{"percent":80}', "SUCCESS"),
            ("charge-start", "{}", None),
        ]):  # fmt: skip
            kept = StoredCommand(
                id=f"exec_{number}", vehicle_id=vehicle_id, client_id=client_id, kind=kind, parameters=parameters,
                started_at=begun + number * 60_000,
            )  # fmt: skip
            await store.commands.begin(kept)
            if outcome is not None:
                ended = {"source": "box", "ended_at": begun + 1000, "outcome": outcome}
                await store.commands.end(
                    StoredCommand(**{name: getattr(kept, name) for name in kept.__struct_fields__} | ended)
                )
        await store.close()

    asyncio.run(run())


def test_commands_are_listed_newest_first_and_one_without_an_end_is_unknown(chargeport: CommandLine, database: Path) -> None:
    vehicle_id = chargeport.vehicle()
    client_id = chargeport("app", "create", "Garage", "--json").json["client_id"]
    keep(database, vehicle_id, client_id)
    started, limited = chargeport("command", "list").rows
    assert started[1:] == ["ACME One", "charge-start", "—", "Garage", "—", "unknown"]
    assert limited[1:] == ["ACME One", "charge-set-limit", "80 %", "Garage", "box", "SUCCESS"]
    first, second = chargeport("command", "list", vehicle_id, "--json").json
    assert (first["outcome"], first["endedAt"]) == (None, None)
    assert (second["parameters"], second["application"]) == ({"percent": 80}, client_id)
    assert len(chargeport("command", "list", "--limit", "1", "--json").json) == 1


def test_where_none_was_given_the_list_says_how(chargeport: CommandLine) -> None:
    chargeport.vehicle()
    assert "docs/commands.md" in chargeport("command", "list").out
    assert "is called" in chargeport("command", "list", "nobody").refused()
