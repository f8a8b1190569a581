"""`chargeport signals` and `coverage`: what holds with its unit and age, and else a dash and the reason."""

import asyncio
from pathlib import Path

import pytest
from command_line import VIN, CommandLine, absence, reading, store

from chargeport.cli.rows import in_words
from chargeport.cli.times import ago
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Signal
from chargeport.signals.reading import AbsenceReason, Issue
from chargeport.store.sqlite import SqliteStore

IN_WORDS = {
    "charge-amperage": "33 ampere",
    "charge-ischarging": "yes",
    "charge-isfastchargerpresent": "no",
    "charge-chargerphases": "3",
    "charge-detailedchargingstatus": "CHARGING",
    "charge-chargelimits": "80 percent",
    "charge-energyadded": "35.6 kWh",
    "tractionbattery-nominalcapacity": "77 kWh",
    "tractionbattery-range": "290 km",
}


@pytest.fixture
def car(chargeport: CommandLine, database: Path) -> str:
    """A car that was charging until a minute ago; its flap can't be read, its colour does not exist."""
    vehicle_id = chargeport.vehicle("--vin", VIN)
    store(
        database,
        [
            reading(VIN, "charge-voltage", {"value": 231.5, "unit": "volts"}, ago_s=3700),
            reading(VIN, "charge-amperage", {"value": 16, "unit": "ampere"}, ago_s=90),
            reading(VIN, "charge-ischarging", {"value": True}, ago_s=95),
            reading(VIN, "charge-ischarging", {"value": False}, ago_s=60),
            reading(VIN, "charge-energyadded", {"value": 35.6, "unit": "kWh"}, ago_s=60),
            reading(VIN, "charge-chargelimits", BY_CODE["charge-chargelimits"].example, ago_s=60),
            reading(VIN, "charge-ischargingportflapopen", {"value": True}, ago_s=200),
            absence(VIN, "charge-ischargingportflapopen", AbsenceReason.UNREADABLE, ago_s=60),
            absence(VIN, "charge-chargeportstatuscolor", AbsenceReason.NOT_CAPABLE, ago_s=60),
        ],
    )
    return vehicle_id


def table(chargeport: CommandLine, *words: str) -> dict[str, list[str]]:
    """The rows by their first cell."""
    return {row[0]: row[1:] for row in chargeport(*words).rows}


def test_a_valid_value_has_its_unit_its_age_and_its_source(chargeport: CommandLine, car: str) -> None:
    rows = table(chargeport, "signals", car)
    assert rows["charge-energyadded"][0] == "35.6 kWh"
    assert rows["charge-energyadded"][1] in ("60 s ago", "61 s ago", "62 s ago", "63 s ago")
    assert rows["charge-energyadded"][2:] == ["wallbox"]
    assert rows["charge-ischarging"][0] == "no"


def test_what_does_not_hold_is_a_dash_with_the_reason_and_the_last_value(chargeport: CommandLine, car: str) -> None:
    rows = table(chargeport, "signals", car)
    assert rows["charge-amperage"][0] == "—"
    assert rows["charge-amperage"][-1].startswith("NOT_CHARGING: ")
    assert rows["charge-amperage"][-1].endswith("Last: 16 ampere.")
    assert rows["charge-voltage"][0] == "—"
    assert rows["charge-ischargingportflapopen"][0] == "—"
    assert rows["charge-ischargingportflapopen"][2] == "wallbox"
    assert rows["charge-ischargingportflapopen"][-1].endswith("Last: yes.")
    assert rows["charge-chargeportstatuscolor"][0] == "—"
    assert rows["charge-chargeportstatuscolor"][-1] == "NOT_CAPABLE: The vehicle does not have this."


def test_signals_leaves_out_what_was_never_reported_and_coverage_does_not(chargeport: CommandLine, car: str) -> None:
    known, covered = table(chargeport, "signals", car), table(chargeport, "coverage", car)
    del known["signal"], covered["signal"]
    assert known["vehicleidentification-vin"][0] == VIN
    assert len(known) == 8
    assert set(covered) == set(BY_CODE)
    for code in set(covered) - set(known):
        assert covered[code] == ["—", "—", "—", "never reported"]


def test_no_two_signals_share_a_short_name() -> None:
    assert len({signal.code.partition("-")[2] for signal in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("code", ["charge-chargelimits", "chargelimits", "Charge-ChargeLimits"])
def test_one_signal_is_shown_whole(code: str, chargeport: CommandLine, car: str) -> None:
    shown = chargeport("signals", car, code).out
    assert "charge-chargelimits (ChargeLimits)" in shown
    assert "80 percent" in shown
    assert '"123 2nd street"' in shown
    assert "why not" not in shown


@pytest.mark.parametrize(
    ("code", "why"),
    [("voltage", "NOT_CHARGING"), ("wattage", "never reported"), ("chargeportstatuscolor", "NOT_CAPABLE")],
)
def test_one_signal_without_a_value_says_why_not(code: str, why: str, chargeport: CommandLine, car: str) -> None:
    lines = chargeport("signals", car, code).out.splitlines()
    assert ["value", "—"] in [line.split() for line in lines]
    assert [line for line in lines if line.startswith("why not") and why in line]


def test_a_car_of_which_nothing_is_known_says_so(chargeport: CommandLine) -> None:
    vehicle_id = chargeport.vehicle()
    assert chargeport("signals", vehicle_id).out == f"Nothing was reported of ACME One 2026 ({vehicle_id}) yet.\n"
    assert chargeport("signals", vehicle_id, "--json").json["data"] == []


def test_json_has_the_apis_documents(chargeport: CommandLine, car: str) -> None:
    every = chargeport("signals", VIN, "--json").json
    assert [each["id"] for each in every["data"]] == sorted(each["id"] for each in every["data"])
    assert every["meta"] == {"totalCount": 8, "pageSize": 8, "pageNumber": 1}
    one = chargeport("signals", VIN, "energyadded", "--json").json
    assert one["data"]["attributes"]["body"] == {"value": 35.6, "unit": "kWh"}
    assert one["data"] in every["data"]
    assert one["included"] == every["included"]
    assert one["data"]["links"]["self"] == f"/v3/vehicles/{car}/signals/charge-energyadded"
    covered = chargeport("coverage", VIN, "--json").json
    assert [each["code"] for each in covered["data"]] == [signal.code for signal in CATALOGUE]


def test_coverage_counts_for_every_car(chargeport: CommandLine, car: str) -> None:
    other = chargeport.vehicle()
    by_id = {each["id"]: each for each in chargeport("coverage", "--json").json}
    unheard = len(CATALOGUE) - 8
    assert by_id[car]["counts"] == {
        "NOT_CAPABLE": 1, "NOT_CHARGING": 2, "NOT_REPORTED": unheard, "SUCCESS": 4, "UNREADABLE": 1
    }  # fmt: skip
    assert by_id[other]["counts"] == {"NOT_REPORTED": len(CATALOGUE)}
    assert by_id[other]["heard_at"] is None
    rows = table(chargeport, "coverage")
    assert rows[car][:4] == ["ACME One 2026", "4", "1 NOT_CAPABLE, 2 NOT_CHARGING, 1 UNREADABLE", str(unheard)]
    assert rows[other] == ["ACME One 2026", "0", "0", str(len(CATALOGUE)), "—"]


def test_coverage_of_a_car_that_never_reported_points_to_the_issues_that_may_be_about_it(
    chargeport: CommandLine, database: Path, car: str
) -> None:
    other, idle = chargeport.vehicle(), chargeport.vehicle()
    issues = [
        Issue("wallbox", "MeterValues", "is in the future", "{}", 1, other),
        Issue("wallbox", "vehicle", "is not known", "{}", 1),
    ]

    async def keep() -> None:
        opened = SqliteStore.open(database)
        await opened.issues.add_issues(issues)
        await opened.close()

    asyncio.run(keep())
    assert "2 issues may be about this vehicle: chargeport source issues shows them." in chargeport("coverage", other).out
    assert "1 issue may be about this vehicle" in chargeport("coverage", idle).out, "an issue that names nobody"
    assert "issue" not in chargeport("coverage", car).out
    assert chargeport("coverage").out.count("has never reported, and") == 2
    assert {each["id"]: each["issues"] for each in chargeport("coverage", "--json").json} == {car: 0, other: 2, idle: 1}


@pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.code)
def test_every_value_fits_on_one_line(signal: Signal) -> None:
    sent = in_words(signal, bodies.parse(signal, signal.example))
    assert sent.isprintable()
    assert 0 < len(sent) < 60
    assert IN_WORDS.get(signal.code, sent) == sent


def test_a_document_without_a_main_number_says_how_much_it_has() -> None:
    limits = BY_CODE["charge-chargelimits"]
    body = {
        "values": [{"type": "GLOBAL", "limit": 80}, {"type": "CHARGING_TYPE", "condition": {"chargingType": "AC"}, "limit": 5}]
    }
    assert in_words(limits, bodies.parse(limits, body)) == "2 limits"


@pytest.mark.parametrize(
    ("age_s", "sent"),
    [(-4, "just now"), (0, "just now"), (1, "1 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7199, "119 min ago"),
     (7200, "2 h ago"), (172_799, "47 h ago"), (172_800, "2 d ago"), (86_400 * 400, "400 d ago")],
)  # fmt: skip
def test_ages_are_printed_in_the_unit_that_fits(age_s: int, sent: str) -> None:
    assert ago(0, age_s * 1000) == sent
