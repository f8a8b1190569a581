"""What is in deploy/ can be read, and names commands, settings, routes and files that there are."""

import configparser
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from chargeport import config
from chargeport.api.routes import ROUTES

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
UNIT = DEPLOY / "systemd" / "chargeport@.service"
VARIABLES = {*config.environment_names(), "CHARGEPORT_DATABASE"}
PATHS = {route.path for route in ROUTES}


def documents() -> Iterator[dict[str, Any]]:
    for file in MANIFESTS:
        yield from yaml.safe_load_all(file.read_text("utf-8"))


def commands() -> Iterator[list[str]]:
    """Every command line that starts a process of ours."""
    for service in COMPOSE["services"].values():
        if "build" in service:
            yield service["command"]
    for document in documents():
        if document["kind"] == "Deployment":
            yield document["spec"]["template"]["spec"]["containers"][0]["args"]


def test_every_process_is_started_with_a_role_that_there_is() -> None:
    found = [command[command.index("--role") + 1] for command in commands()]
    assert set(found) == set(get_args(config.Role)) - {"all"}
    assert all(command[:2] == ["chargeport", "serve"] for command in commands())


def test_every_variable_is_one_that_is_read() -> None:
    text = "\n".join(file.read_text("utf-8") for file in [DEPLOY / "compose.yaml", UNIT, *MANIFESTS])
    named = set(re.findall(r"CHARGEPORT_[A-Z_]+", text))
    assert named >= {"CHARGEPORT_DATABASE", "CHARGEPORT_BUS_URL"}
    assert named <= VARIABLES


def test_every_probe_requests_a_route_that_there_is() -> None:
    probes = []
    for document in documents():
        if document["kind"] == "Deployment":
            container = document["spec"]["template"]["spec"]["containers"][0]
            probes += [container[each]["httpGet"]["path"] for each in ("readinessProbe", "livenessProbe")]
    assert set(probes) == {"/readyz", "/healthz"} <= PATHS


def test_nothing_runs_as_root_or_with_privileges() -> None:
    for document in documents():
        if document["kind"] != "Deployment":
            continue
        pod = document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert f"--uid {pod['securityContext']['runAsUser']}" in DOCKERFILE
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert DOCKERFILE.rindex("USER chargeport") < DOCKERFILE.index("\nCMD")
    assert DOCKERFILE.count("\nFROM ") == 2  # what builds is not what runs


def test_selectors_find_their_pods() -> None:
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in documents() if each["kind"] == "Deployment"]
    for document in documents():
        selector = document["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= each.items() for each in labels), document["metadata"]["name"]


@pytest.mark.parametrize("copied", re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE))
def test_what_the_image_copies_is_there(copied: str) -> None:
    assert all((ROOT / name).exists() for name in copied.split())


def test_the_unit_can_be_read() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    assert unit["Service"]["ExecStart"].endswith("chargeport serve --role %i")
    assert unit["Service"]["User"] != "root"
    target = (DEPLOY / "systemd" / "chargeport.target").read_text("utf-8")
    assert set(re.findall(r"chargeport@(\w+)\.service", target)) == set(get_args(config.Role)) - {"all"}


def test_the_scripts_of_the_checks_are_shell(tmp_path: Path) -> None:
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False, cwd=tmp_path).returncode == 0
