"""`chargeport app`: secrets are shown once, and what is revoked is over."""

import json

import pytest
from command_line import VIN, CommandLine

from chargeport.signals.definition import USUAL


def test_a_new_application_gets_its_secrets_and_may_read_and_send_readings(chargeport: CommandLine) -> None:
    made = chargeport.app("Fleet board")
    assert set(made) == {"client_id", "client_secret", "management_token"}
    assert len(set(made.values())) == 3
    (listed,) = chargeport("app", "list", "--json").json
    assert listed["client_id"] == made["client_id"]
    assert listed["name"] == "Fleet board"
    assert listed["permissions"] == sorted(USUAL)
    assert listed["connected_only"] is False
    assert listed["revoked_at"] is None


def test_an_application_can_be_given_less(chargeport: CommandLine) -> None:
    chargeport.app("Less", "--permission", "read_charge", "--permission", "READ_BATTERY", "--connected-only")
    (listed,) = chargeport("app", "list", "--json").json
    assert listed["permissions"] == ["read_battery", "read_charge"]
    assert listed["connected_only"] is True
    assert "read_battery, read_charge" in chargeport("app", "list").out


def test_secrets_are_for_people_too_and_never_shown_again(chargeport: CommandLine) -> None:
    ended = chargeport("app", "create", "Board")
    names = [line.split()[0] for line in ended.out.splitlines()]
    assert names == ["client_id", "client_secret", "management_token"]
    assert "not shown again" in ended.err
    token = chargeport("app", "token", ended.out.split()[1]).out.strip()
    for words in (("app", "list"), ("app", "list", "--json")):
        listed = chargeport(*words).out
        assert "Board" in listed
        assert not [secret for secret in (*ended.out.split()[3::2], token) if secret in listed]


def test_rotating_gives_new_secrets_and_keeps_the_id(chargeport: CommandLine) -> None:
    old = chargeport.app()
    new = chargeport("app", "rotate", old["client_id"], "--json").json
    assert new["client_id"] == old["client_id"]
    assert new["client_secret"] != old["client_secret"]
    assert new["management_token"] != old["management_token"]


def test_a_token_is_alone_on_its_line(chargeport: CommandLine) -> None:
    client_id = chargeport.app()["client_id"]
    assert chargeport("app", "token", client_id).out.startswith("cpt_")
    document = chargeport("app", "token", client_id, "--json").json
    assert document | {"access_token": ""} == {"access_token": "", "token_type": "Bearer", "expires_in": 3600}


@pytest.mark.parametrize("command", ["rotate", "revoke", "token"])
def test_a_revoked_application_stays_so(command: str, chargeport: CommandLine) -> None:
    client_id = chargeport.app()["client_id"]
    assert chargeport("app", "revoke", client_id, "--json").json == {"client_id": client_id, "revoked": True}
    assert "revoked" in chargeport("app", command, client_id).refused()
    assert chargeport("app", "list", "--json").json[0]["revoked_at"] is not None


def test_names_are_shown_as_they_are(chargeport: CommandLine) -> None:
    name = "[bold]Käfer[/] :car: 100 %"
    chargeport.app(name)
    assert name in chargeport("app", "list").out
    assert chargeport("app", "list", "--json").json[0]["name"] == name


def test_a_table_in_a_pipe_has_one_line_a_row(chargeport: CommandLine) -> None:
    chargeport.app("x" * 128)
    lines = chargeport("app", "list").out.splitlines()
    assert len(lines) == 2
    assert "x" * 128 in lines[1]


def test_connections_come_and_go(chargeport: CommandLine) -> None:
    client_id = chargeport.app("Board", "--connected-only")["client_id"]
    vehicle_id = chargeport.vehicle("--vin", VIN)
    made = chargeport("connection", "add", "--app", client_id, "--user", " anna ", "--vehicle", VIN.lower(), "--json").json
    assert made | {"id": "", "created_at": ""} == {
        "id": "", "client_id": client_id, "user_id": "anna", "vehicle_id": vehicle_id, "permissions": sorted(USUAL),
        "created_at": "",
    }  # fmt: skip
    assert chargeport("connection", "list", "--json").json == [made]
    for words in (("connection", "list"), ("vehicle", "show", VIN)):
        shown = chargeport(*words).out
        assert all(word in shown for word in (made["id"], "Board", "anna"))
    assert json.loads(chargeport("vehicle", "show", VIN, "--json").out)["connections"] == [
        {"id": made["id"], "client_id": client_id, "user_id": "anna"}
    ]
    assert chargeport("connection", "remove", made["id"], "--json").json == {"id": made["id"], "removed": True}
    assert chargeport("connection", "list", "--json").json == []


def test_connecting_again_changes_the_permissions_and_keeps_the_id(chargeport: CommandLine) -> None:
    words = ("connection", "add", "--app", chargeport.app()["client_id"], "--user", "anna", "--vehicle", chargeport.vehicle())
    first = chargeport(*words).out.strip()
    again = chargeport(*words, "--permission", "read_charge", "--json").json
    assert again["id"] == first
    assert again["permissions"] == ["read_charge"]


def test_a_revoked_application_is_connected_to_nothing_new(chargeport: CommandLine) -> None:
    client_id = chargeport.app()["client_id"]
    chargeport("app", "revoke", client_id)
    words = ("connection", "add", "--app", client_id, "--user", "anna", "--vehicle", chargeport.vehicle())
    assert "revoked" in chargeport(*words).refused()


def test_where_connect_sends_people_back_to_can_be_changed(chargeport: CommandLine) -> None:
    client_id = chargeport.app("Charts", "--redirect", "https://example.org/a")["client_id"]
    more = chargeport("app", "edit", client_id, "--redirect", "scabc://back", "--json").json
    assert more == {"client_id": client_id, "redirects": ["https://example.org/a", "scabc://back"]}
    less = chargeport("app", "edit", client_id, "--remove-redirect", "https://example.org/a", "--json").json
    assert less["redirects"] == ["scabc://back"]
    refused = chargeport("app", "edit", client_id, "--remove-redirect", "https://example.org/b").refused()
    assert "is no redirect of it" in refused


def test_a_renewed_management_token_leaves_the_rest_as_it_is(chargeport: CommandLine) -> None:
    made = chargeport.app()
    renewed = chargeport("webhook", "rotate", "--app", made["client_id"], "--overlap-hours", "1", "--json").json
    assert renewed["client_id"] == made["client_id"]
    assert renewed["management_token"] not in (None, made["management_token"])
    assert renewed["previous_valid_until"].endswith("Z")
