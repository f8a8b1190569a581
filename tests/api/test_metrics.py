"""What `/metrics` counts, and that the alert rules and the dashboard name nothing else."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from chargeport.settings import DatabaseSettings, MetricsSettings, Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.webhooks import Event, Webhook, WebhookFields
from world import T0, Client, World

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
RULES: Final = DEPLOY / "prometheus" / "chargeport.rules.yml"
DASHBOARDS: Final = (DEPLOY / "grafana" / "chargeport.json", DEPLOY.parent / "examples" / "grafana" / "cars.json")
BY_HEART: Final = {"up"}  # Prometheus' own
WORDS: Final = {"sum", "rate", "increase", "by", "label_values", "vehicle", "status", "credential", "outcome", "signal", "job"}


@pytest.fixture
async def shown(tmp_path: Path) -> dict[str, dict[tuple[str, ...], float]]:
    """The samples of a server with a car, a webhook and an event that waits, by name and labels."""
    world = World(
        tmp_path,
        Settings(database=DatabaseSettings(f"sqlite:///{tmp_path / 'world.db'}"), metrics=MetricsSettings(vehicle_values=True)),
    )
    client, car = await world.application(), await world.car("car")
    await world.report(car, "charge-wattage", {"value": 7200})
    await world.report(car, "charge-ischarging", {"value": True})
    await world.report(car, "charge-energyadded", {"value": 3.5})
    await waiting_event(world, client)
    world.clock.move(10)
    await world.client.get("/v3/vehicles", headers={"Authorization": "Bearer wrong"})
    text = (await world.client.get("/metrics")).text
    await world.close()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


async def waiting_event(world: World, client: Client) -> None:
    fields = WebhookFields(name="x", callback_uri="https://example.org", triggers=("charge-voltage",), data=("charge-voltage",))
    hook = Webhook(id="hook", client_id=client.id, fields=fields, created_at=T0, updated_at=T0, failing_at=T0)
    await world.store.webhooks.put_webhook(hook)
    made = await world.store.webhooks.subscribe("hook", "car", "user", T0)
    assert made is not None
    event = Event(id="event", webhook_id="hook", kind="VEHICLE_STATE", body="{", created_at=T0, due_at=T0)
    await world.store.webhooks.enqueue(made, [event], "{}", None)


async def test_the_backlog_of_derivation_is_shown_where_it_runs(shown: dict[str, dict[tuple[str, ...], float]]) -> None:
    assert shown["chargeport_derivation_waiting"] == {(): 0}


async def test_webhooks_are_counted_with_their_queue_and_lag(shown: dict[str, dict[tuple[str, ...], float]]) -> None:
    assert shown["chargeport_webhook_pending"] == {("hook",): 1}
    assert shown["chargeport_webhook_lag_seconds"] == {("hook",): 10}
    assert shown["chargeport_webhook_failing_seconds"] == {("hook",): 10}
    assert shown["chargeport_webhook_disabled"] == {("hook",): 0}
    assert set(shown["chargeport_webhook_attempts_total"]) == {("delivered",), ("failed",), ("dead",)}


async def test_values_are_shown_where_configured(shown: dict[str, dict[tuple[str, ...], float]]) -> None:
    assert shown["chargeport_signal_value"][("charge-wattage", "watts", "car")] == 7200
    assert shown["chargeport_signal_value"][("charge-ischarging", "", "car")] == 1


async def test_values_are_not_shown_otherwise(world: World) -> None:
    car = await world.car()
    await world.report(car, "charge-wattage", {"value": 7200})
    assert car.id not in (await world.client.get("/metrics")).text


async def test_a_value_that_went_stale_has_no_sample(tmp_path: Path) -> None:
    database = DatabaseSettings(f"sqlite:///{tmp_path / 'world.db'}")
    world = World(tmp_path, Settings(database=database, metrics=MetricsSettings(vehicle_values=True)))
    car = await world.car("car")
    await world.report(car, "charge-wattage", {"value": 7200})
    world.clock.move(86_400)
    assert "charge-wattage" not in (await world.client.get("/metrics")).text
    await world.close()


def expressions() -> list[str]:
    rules = yaml.safe_load(RULES.read_text("utf-8"))
    found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    for file in DASHBOARDS:
        dashboard: dict[str, Any] = json.loads(file.read_text("utf-8"))
        found += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        found += [each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    return found


async def test_the_rules_and_the_dashboard_name_metrics_that_exist(shown: dict[str, dict[tuple[str, ...], float]]) -> None:
    for expression in expressions():
        bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', "", expression)
        named = set(re.findall(r"[a-z_]\w*", bare)) - WORDS
        assert named, expression
        assert named <= shown.keys() | BY_HEART, expression
        labels = set(re.findall(r'(\w+)=~?"', expression))
        assert labels <= WORDS, expression
        assert set(re.findall(r'signal="([^"]+)"', expression)) <= BY_CODE.keys(), expression


def test_every_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    for rule in yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]:
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["labels"]["severity"] in ("warning", "critical")


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_the_panels_have_room_of_their_own(dashboard: Path) -> None:
    panels = json.loads(dashboard.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [(x, y) for panel in panels for x, y in places(panel["gridPos"])]
    assert len(set(cells)) == len(cells)


def places(grid: dict[str, int]) -> list[tuple[int, int]]:
    return [(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])]
