"""`chargeport user` and `chargeport share`: who signs in to the page, from the command line."""

import io
import re
import sys

import pytest
from command_line import CommandLine


def test_a_user_gets_a_link_to_the_page_and_is_listed(chargeport: CommandLine) -> None:
    made = chargeport("user", "add", "Ada", "--json").json
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/#sign-in=cpl_[\w-]{43}", made["link"])
    assert made["expires_in"] == 86_400
    assert "there is a user 'ada' already" in chargeport("user", "add", "Ada").refused().lower()
    assert chargeport("user", "link", "Ada").out.startswith("http://127.0.0.1:8080/#sign-in=cpl_")
    assert "chargeport user list" in chargeport("user", "link", "Nobody").refused()
    (user,) = chargeport("user", "list", "--json").json
    assert (user["user_id"], user["signs_in"], user["has_password"], user["sessions"]) == ("Ada", True, False, 0)


def test_links_begin_where_the_settings_say_the_page_is(chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARGEPORT_SERVER_BASE_URL", "https://cars.example.org/")
    assert chargeport("user", "add", "Ada").out.startswith("https://cars.example.org/#sign-in=")
    car = chargeport.vehicle()
    assert chargeport("share", "add", car).out.startswith("https://cars.example.org/#share=")


def test_a_password_is_read_from_standard_input(chargeport: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    chargeport("user", "add", "Ada")
    for typed, code in (("short\n", 1), ("long enough\n", 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert chargeport("user", "password", "Ada").code == code
    assert chargeport("user", "list", "--json").json[0]["has_password"]
    assert "No user who signs in" in chargeport("user", "password", "Nobody").refused()


def test_a_user_who_only_signs_in_can_be_removed(chargeport: CommandLine) -> None:
    chargeport("user", "add", "Ada")
    assert chargeport("user", "remove", "Ada", "--yes").code == 0
    assert chargeport("user", "list", "--json").json == []


def test_unknown_sessions_are_an_error(chargeport: CommandLine) -> None:
    chargeport("migrate")
    assert chargeport("user", "sessions").out == "Nobody is signed in.\n"
    assert "No session has the id 'abc'" in chargeport("user", "sessions", "--end", "abc").refused()
    assert chargeport("user", "sessions", "--end-all", "--json").json == {"ended": 0}


def test_share_links_are_listed_and_removed(chargeport: CommandLine) -> None:
    car = chargeport.vehicle()
    made = chargeport("share", "add", car, "--name", "For the neighbour", "--days", "7", "--json").json
    (listed,) = chargeport("share", "list", "--json").json
    assert (listed["id"], listed["vehicle_id"], listed["name"]) == (made["id"], car, "For the neighbour")
    assert listed["expires_at"] == made["expires_at"] is not None
    assert chargeport("share", "remove", made["id"]).code == 0
    assert chargeport("share", "list", "--json").json == []
    assert "share list" in chargeport("share", "remove", made["id"]).refused()
