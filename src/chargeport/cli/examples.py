"""An example of every command, shown below its help. The tests run each of them."""

from typing import Final

import typer

EXAMPLES: Final = {
    "serve": "chargeport serve --port 8080",
    "app create": 'chargeport app create "Home Assistant" --permission read_charge \\\n    --permission read_battery',
    "app edit": 'chargeport app edit "$CLIENT_ID" --redirect \\\n    https://app.example.org/callback',
    "app list": "chargeport app list",
    "app rotate": 'chargeport app rotate "$CLIENT_ID"',
    "app revoke": 'chargeport app revoke "$CLIENT_ID"',
    "app encrypt": "chargeport app encrypt",
    "app token": 'chargeport app token "$CLIENT_ID"',
    "vehicle add": (
        'chargeport vehicle add --make ACME --model "Bolt One" --year 2026 \\\n    --vin 1ACME00000B000001 --alias garage'
    ),
    "vehicle edit": 'chargeport vehicle edit "Voltra Grand" --alias "B-CP 42"',
    "vehicle list": "chargeport vehicle list",
    "vehicle show": 'chargeport vehicle show "Voltra Grand"',
    "vehicle remove": 'chargeport vehicle remove "Voltra Grand" --yes',
    "connection add": 'chargeport connection add --app "$CLIENT_ID" --user ada \\\n    --vehicle "Voltra Grand"',
    "connection list": "chargeport connection list",
    "connection remove": 'chargeport connection remove "$CONNECTION"',
    "user add": "chargeport user add Grace",
    "user link": "chargeport user link Ada",
    "user password": "chargeport user password Ada",
    "user sessions": "chargeport user sessions Ada",
    "user list": "chargeport user list",
    "user remove": "chargeport user remove ada --yes",
    "share add": 'chargeport share add "Voltra Grand" --name Garage --days 30',
    "share list": "chargeport share list",
    "share remove": 'chargeport share remove "$SHARE"',
    "source list": "chargeport source list",
    "source check": "chargeport source check garage",
    "source issues": "chargeport source issues --raw",
    "source record": "chargeport source record garage garage.ndjson --seconds 600",
    "source replay": "chargeport source replay recording.ndjson --dialect teslamate \\\n    --vehicle WVWZZZ00000000000",
    "source forget": 'chargeport source forget wallbox --vehicle "Voltra Grand" --yes',
    "webhook add": ('chargeport webhook add --app "$CLIENT_ID" https://example.org/hook \\\n    --trigger charge-ischarging'),
    "webhook list": "chargeport webhook list",
    "webhook verify": 'chargeport webhook verify "$WEBHOOK"',
    "webhook deliveries": 'chargeport webhook deliveries "$WEBHOOK"',
    "webhook redeliver": 'chargeport webhook redeliver "$WEBHOOK"',
    "webhook rotate": 'chargeport webhook rotate --app "$CLIENT_ID" --overlap-hours 24',
    "webhook listen": 'chargeport webhook listen --management-token "$MANAGEMENT_TOKEN" \\\n    --port 8090',
    "simulator show": "chargeport simulator show",
    "simulator clock": "chargeport simulator clock --advance PT8H",
    "simulator fault": "chargeport simulator fault --type VEHICLE_STATE --code ASLEEP --times 3",
    "simulator plug": "chargeport simulator plug Runabout --kind AC --amps 16 --phases 3",
    "simulator unplug": "chargeport simulator unplug Voltra",
    "simulator limit": "chargeport simulator limit Voltra --percent 80",
    "simulator timers": "chargeport simulator timers Voltra --values '[]'",
    "simulator amps": "chargeport simulator amps Voltra --amps 10",
    "simulator soc": "chargeport simulator soc Runabout --percent 35",
    "simulator start": "chargeport simulator start Voltra",
    "simulator stop": "chargeport simulator stop Voltra",
    "simulator drive": "chargeport simulator drive Runabout --km 40",
    "simulator sleep": "chargeport simulator sleep Runabout",
    "simulator wake": "chargeport simulator wake Runabout",
    "simulator report": "chargeport simulator report Voltra",
    "simulator silence": "chargeport simulator silence Voltra --seconds 3600",
    "simulator reports": "chargeport simulator reports Voltra --drop-rate 0.2 --repeat-rate 0.1",
    "simulator break": "chargeport simulator break Voltra",
    "simulator say": "chargeport simulator say Voltra --source wallbox \\\n    --fields '{\"power_w\": 7200}'",
    "dialect check": ('chargeport dialect check tesla_rest \\\n    --message \'{"charge_state": {"charger_voltage": 231}}\''),
    "signals": 'chargeport signals "Voltra Grand"',
    "coverage": 'chargeport coverage "Voltra Grand"',
    "history": 'chargeport history "Voltra Grand" wattage --resolution PT1H',
    "records": 'chargeport records "Voltra Grand"',
    "record add": (
        'chargeport record add "Voltra Grand" --from 2026-11-20T18:00Z \\\n'
        "    --to 2026-11-20T21:00Z --energy 21.5 --place Home"
    ),
    "record import": 'chargeport record import "Voltra Grand" sessions.csv --zone Europe/Berlin',
    "record split": 'chargeport record split "Voltra Grand" "$RECORD" --at 2026-12-07T20:00Z',
    "record merge": 'chargeport record merge "Voltra Grand" "$RECORD" "$NEXT_RECORD"',
    "record remove": 'chargeport record remove "Voltra Grand" "$RECORD"',
    "record annotate": (
        'chargeport record annotate "Voltra Grand" "$RECORD" \\\n    --note "with the trailer" --cost 4.20 --currency EUR'
    ),
    "record edit": 'chargeport record edit "Voltra Grand" "$RECORD" --place Home --energy 30.5',
    "record edits": 'chargeport record edits "Voltra Grand"',
    "record undo": 'chargeport record undo "Voltra Grand" 1',
    "watch": 'chargeport watch "Voltra Grand"',
    "audit": "chargeport audit --from 2026-12-01 --limit 5",
    "data export": 'chargeport data export --vehicle "Voltra Grand" everything.zip',
    "command list": 'chargeport command list "Voltra Grand"',
    "data erase": 'chargeport data erase --vehicle "Voltra Grand" --yes',
    "export": 'chargeport export december.csv --vehicle "Voltra Grand" \\\n    --from 2026-12-01T00:00Z',
    "import": "chargeport import readings.csv --dry-run",
    "backup": "chargeport backup cars-today.db",
    "restore": "chargeport restore cars-backup.db",
    "migrate": "chargeport migrate",
    "doctor": "chargeport doctor",
    "simulate": "chargeport simulate http://127.0.0.1:8080 --vehicles 1000 --rate 500 \\\n    --seconds 60",
    "mcp": ('chargeport mcp --url http://127.0.0.1:8080 --client-id "$CLIENT_ID" \\\n    --client-secret "$CLIENT_SECRET"'),
    "repair clock": "chargeport repair clock",
    "demo": "chargeport demo --vehicles 20 --speed 10",
}
"""By the command's full name. An id is a variable of the shell."""


def add(part: typer.Typer, group: str = "") -> None:
    """Add an example below the help of each command, on a line that is never wrapped."""
    for command in part.registered_commands:
        example = EXAMPLES.get(f"{group} {command.name}".strip())
        command.epilog = f"Example:\n\n\b\n{example}" if example else None
    for subgroup in part.registered_groups:
        if subgroup.typer_instance is not None:
            add(subgroup.typer_instance, f"{group} {subgroup.name or ''}".strip())
