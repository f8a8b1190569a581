"""The catalogue and the seed document say the same, to the letter and in both directions."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chargeport.signals import units, wire
from chargeport.signals.bodies import body_type
from chargeport.signals.catalogue import BY_CODE, BY_KEY, CATALOGUE
from chargeport.signals.definition import Cadence, Kind, Permission, Signal

ROOT = Path(__file__).parents[2]
SEED = json.loads((ROOT / "tests/data/seed.json").read_text("utf-8"))
SEED_DOCUMENT = ROOT / "../shared/seed/charge-signals.md"
COMPANIONS = {"tractionbattery-stateofcharge", "tractionbattery-nominalcapacity", "tractionbattery-range"}
PERMISSIONS = dict.fromkeys(COMPANIONS, Permission.READ_BATTERY) | {
    "charge-chargerecords": Permission.READ_CHARGE_RECORDS, "location-preciselocation": Permission.READ_LOCATION,
    "vehicleidentification-vin": Permission.READ_VIN,
}  # fmt: skip

by_code = pytest.mark.parametrize("fact", SEED, ids=lambda fact: fact["code"])


def test_the_catalogue_is_the_seed_in_its_order_then_companions_and_what_is_ours() -> None:
    codes = [signal.code for signal in CATALOGUE]
    assert codes[:21] == [fact["code"] for fact in SEED]
    assert set(codes[21:24]) == COMPANIONS
    assert not {fact["code"] for fact in SEED} & set(codes[21:])
    assert not any(signal.is_ours for signal in CATALOGUE[:24])


@by_code
def test_a_signal_is_called_as_the_seed_calls_it(fact: dict[str, Any]) -> None:
    signal = BY_CODE[fact["code"]]
    assert (signal.name, signal.group, signal.unit) == (fact["name"], fact["group"], fact["unit"])


@by_code
def test_a_body_has_the_members_of_the_seed_and_no_other(fact: dict[str, Any]) -> None:
    assert names_and_types(members_of(BY_CODE[fact["code"]])) == names_and_types(fact["members"])


@by_code
def test_what_the_seed_requires_is_required(fact: dict[str, Any]) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(body_type(BY_CODE[fact["code"]]))}
    for name, member in fact["members"].items():
        assert fields[name].required or not member["required"], name


def test_a_choice_is_open_only_where_the_seed_leaves_it_open() -> None:
    """Beyond the seed's own lists, only the charging types and the weekdays are closed."""
    closed = {(fact["code"], *found) for fact in SEED for found in choices(members_of(BY_CODE[fact["code"]]))}
    listed = {(fact["code"], *found) for fact in SEED for found in choices(fact["members"])}
    assert len(listed) == 3
    assert listed < closed
    ours = {(path.rpartition(".")[2], values) for _, path, values in closed - listed}
    week = ("FRIDAY", "MONDAY", "SATURDAY", "SUNDAY", "THURSDAY", "TUESDAY", "WEDNESDAY")
    assert ours == {("chargingType", ("AC", "DC")), ("days", week)}


@by_code
def test_an_example_is_the_seed_s(fact: dict[str, Any]) -> None:
    assert BY_CODE[fact["code"]].example == fact["example"]


def test_the_data_says_what_the_seed_document_says() -> None:
    if not SEED_DOCUMENT.exists():
        pytest.skip("../shared/seed/charge-signals.md is not beside this repository")
    assert read_seed(SEED_DOCUMENT.read_text("utf-8")) == SEED


def test_a_key_names_one_signal_forever() -> None:
    assert [signal.key for signal in CATALOGUE] == list(range(1, len(CATALOGUE) + 1)), "rows are added at the end"
    assert len(BY_KEY) == len(CATALOGUE)
    assert all(BY_KEY[signal.key] is signal is BY_CODE[signal.code] for signal in CATALOGUE)
    assert len({hash(signal) for signal in CATALOGUE}) == len(CATALOGUE)


def test_only_what_describes_this_moment_is_live() -> None:
    live = {signal.name for signal in CATALOGUE[:21] if signal.cadence is Cadence.LIVE}
    assert live == {"Amperage", "ChargeRate", "IsCharging", "TimeToComplete", "Voltage", "Wattage"}


def test_only_limits_timers_and_records_name_places() -> None:
    assert {signal.name for signal in CATALOGUE[:21] if signal.has_places} == {"ChargeLimits", "ChargeTimers", "ChargeRecords"}


def test_a_permission_covers_its_group() -> None:
    for signal in CATALOGUE:
        assert signal.permission is PERMISSIONS.get(signal.code, Permission.READ_CHARGE), signal.code


@pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.code)
def test_a_row_has_what_its_kind_needs(signal: Signal) -> None:
    measured = signal.kind in {Kind.QUANTITY, Kind.COUNT}
    assert (signal.minimum is not None and signal.maximum is not None) == measured
    assert (signal.dimension is not None) == (signal.kind is Kind.QUANTITY)
    assert (signal.document is not None) == (signal.kind is Kind.DOCUMENT)
    assert not signal.known or signal.kind is Kind.TEXT
    assert signal.summary.endswith(".")
    if signal.dimension is not None:
        assert signal.unit == units.WIRE_UNIT[signal.dimension]
        assert wire.frame(signal) == ('{"value":', f',"unit":"{signal.unit}"}}')


# What the typed bodies say, in the words of the seed.

_TYPE_NAMES = {
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.StrType: "string",
    msgspec.inspect.LiteralType: "string",
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.ListType: "array",
    msgspec.inspect.StructType: "object",
}


def members_of(signal: Signal) -> dict[str, Any]:
    info = msgspec.inspect.type_info(body_type(signal))
    members = described_members(info, wire.kept_members(signal))
    if signal.kind is Kind.COUNT:
        members["value"]["type"] = "integer"
    return members


def described_members(info: Any, left_out: frozenset[str]) -> dict[str, Any]:
    return {field.encode_name: described(field.type, left_out) for field in info.fields if field.name not in left_out}


def described(info: Any, left_out: frozenset[str]) -> dict[str, Any]:
    if isinstance(info, msgspec.inspect.UnionType):
        (info,) = [part for part in info.types if not isinstance(part, msgspec.inspect.NoneType)]
    member: dict[str, Any] = {"type": _TYPE_NAMES[type(info)]}
    inner = info.item_type if isinstance(info, msgspec.inspect.ListType) else info
    if isinstance(inner, msgspec.inspect.LiteralType):
        member["enum"] = list(inner.values)
    if isinstance(inner, msgspec.inspect.StructType):
        member["members"] = described_members(inner, left_out)
    return member


def names_and_types(members: dict[str, Any]) -> dict[str, Any]:
    return {name: (member["type"], names_and_types(member.get("members", {}))) for name, member in members.items()}


def choices(members: dict[str, Any], path: str = "") -> set[tuple[str, tuple[str, ...]]]:
    found = set()
    for name, member in members.items():
        if "enum" in member:
            found.add((f"{path}.{name}", tuple(sorted(member["enum"]))))
        found |= choices(member.get("members", {}), f"{path}.{name}")
    return found


# The seed document, read.

_MEMBER = re.compile(r'<ParamField path="(?P<name>\w+)" type="(?P<type>\w+)" required=\{(?P<required>true|false)\}')


def read_seed(document: str) -> list[dict[str, Any]]:
    group = re.search(r"^# (\w+) Signals$", document, re.MULTILINE)
    assert group
    return [read_signal(section, group[1]) for section in document.split("\n### ")[1:]]


def read_signal(section: str, group: str) -> dict[str, Any]:
    code = re.search(r"`/vehicles/\{vehicleId\}/signals/([\w-]+)`", section)
    before, fence, after = section.partition("```json Example theme={null}\n")
    assert code
    assert fence
    example = json.loads(after.partition("```")[0])
    return {
        "code": code[1],
        "name": section.partition("\n")[0],
        "group": group,
        "members": read_members(before),
        "unit": example.get("unit"),
        "example": example,
    }


def read_members(text: str) -> dict[str, Any]:
    """Members belong to the one before the `<Expandable>` that they stand in."""
    body: dict[str, Any] = {}
    stack = [body]
    last: dict[str, Any] = {}
    for line in text.splitlines():
        if 'title="body properties"' in line:
            continue
        if "<Expandable" in line:
            stack.append(last.setdefault("members", {}))
        elif "</Expandable>" in line and len(stack) > 1:
            stack.pop()
        elif (found := _MEMBER.search(line)) and found["name"] != "body":
            last = stack[-1][found["name"]] = {"type": found["type"], "required": found["required"] == "true"}
        elif "**Possible values:**" in line:
            last["enum"] = re.findall(r"`(\w+)`", line)
    return body
