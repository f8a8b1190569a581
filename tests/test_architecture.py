"""The rules of the house that a machine can check: layers, sizes, names, clocks, and the decisions in docs/adr."""

import ast
import graphlib
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Cadence, Kind, Signal
from chargeport.signals.state import LIVE_FOR_MS, State, stale_at
from chargeport.signals.violation import Rule, Violation

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "src" / "chargeport"

MAX_MODULE_LINES: Final = 400
MAX_FUNCTION_LINES: Final = 60
# Files that hold a table and nothing else may be as long as the table is.
TABLE_FILES: Final = frozenset({"signals/catalogue.py"})

# Who else may ask the system what time it is, and why.
CLOCK_READERS: Final = {
    "clock.py": "the clock itself",
    "client/http.py": "a part of other people's programs, which hand in no clock of ours",
}
CLOCK_CALLS: Final = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}

VAGUE_NAMES: Final = frozenset({"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"})

# What a page may name without fetching anything from there.
NAMESPACES: Final = ("http://www.w3.org/",)
PAGE_SUFFIXES: Final = frozenset({".css", ".html", ".js", ".json", ".svg", ".webmanifest"})

# What belongs to the project, as against what tools leave in a checkout.
COMMITTED: Final = (".ci", ".github", "benchmarks", "docs", "examples", "packages", "requirements", "src", "tests")
LEFT_BY_TOOLS: Final = frozenset({"__pycache__", "data", "node_modules"})

# Written so that this file does not contain what it looks for.
INDEX_HOSTS: Final = re.compile(r"\b(?:py(?:pi|thonhosted)\.(?:org|io)|registry\.npm|registry\.yarn|conda\.anaconda|jfrog\.io)")
MACHINE_PATHS: Final = re.compile(r"(?<![\w.\-:/}])/(?:work|root|Users)/")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text("utf-8"), str(module))


def committed_texts() -> Iterator[tuple[str, str]]:
    """Every text file of the project, by its path."""
    files = [file for file in ROOT.iterdir() if file.is_file() and file.name != ".git"]  # a file in a worktree
    files += [file for folder in COMMITTED for file in (ROOT / folder).rglob("*") if file.is_file()]
    for file in sorted(files):
        path = file.relative_to(ROOT)
        if LEFT_BY_TOOLS.intersection(path.parts[:-1]):
            continue
        try:
            yield path.as_posix(), file.read_text("utf-8")
        except UnicodeDecodeError:  # a picture, a database
            continue


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What is imported: the module, and the name taken from it (empty where it is the module itself)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def listed(offenders: Iterable[str], what: str) -> str:
    return f"{what}:\n  " + "\n  ".join(offenders)


# Layers, sizes, names


def test_every_name_that_a_benchmark_imports_exists() -> None:
    missing = [
        f"{file.name}: {origin}.{name}"
        for file in sorted((ROOT / "benchmarks").glob("*.py"))
        for origin, name in imported(tree_of(file))
        if origin.startswith("chargeport.") and name and not hasattr(importlib.import_module(origin), name)
    ]
    assert not missing, listed(missing, "it does not run")


def test_imports_keep_to_the_layers() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [command, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_architecture_page_shows_the_layers_that_are_checked() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    shown = page.partition("Imports point downwards only:\n\n```\n")[2].partition("```")[0].splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    tower = project["tool"]["importlinter"]["contracts"][0]
    assert [line.split() for line in shown] == [layer.split(" | ") for layer in tower["layers"]]
    assert tower["exhaustive"]


def dotted(module: Path) -> str:
    """The name under which a file of the package, or of the benchmarks, is imported."""
    path = module.relative_to(PACKAGE.parent if module.is_relative_to(PACKAGE) else ROOT).with_suffix("")
    return ".".join(path.parts).removesuffix(".__init__")


def test_no_modules_import_each_other_in_a_circle() -> None:
    trees = {dotted(module): tree_of(module) for module in [*modules(), *(ROOT / "benchmarks").glob("*.py")]}
    imports = {
        name: {f"{origin}.{taken}" if f"{origin}.{taken}" in trees else origin for origin, taken in imported(tree)}
        & trees.keys() - {name}
        for name, tree in trees.items()
    }  # those within functions, too
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


def test_no_module_is_longer_than_the_limit() -> None:
    lengths = {name_of(module): len(module.read_text("utf-8").splitlines()) for module in modules()}
    long = [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > MAX_MODULE_LINES and name not in TABLE_FILES]
    assert not long, listed(long, f"more than {MAX_MODULE_LINES} lines: split it by subject")


def test_no_function_is_longer_than_the_limit() -> None:
    long = []
    for module in modules():
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{name_of(module)}:{node.lineno} {node.name}: {lines} lines")
    assert not long, listed(long, f"more than {MAX_FUNCTION_LINES} lines: find the parts and name them")


def test_no_module_has_a_name_that_says_nothing() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    vague = [str(file.relative_to(ROOT)) for file in files if VAGUE_NAMES & {file.stem, file.parent.name}]
    assert not vague, listed(vague, "name it after what is in it")


def reads_clock(module: Path) -> list[str]:
    """Each place in a module that asks the system what time it is."""
    tree = tree_of(module)
    found = [f"from time import {name}" for origin, name in imported(tree) if origin == "time" and name in CLOCK_CALLS["time"]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if node.attr in CLOCK_CALLS.get(name, ()):
                found.append(f"line {node.lineno}: {name}.{node.attr}")
    return found


def test_nothing_but_the_clock_reads_the_systems_time() -> None:
    readers = {name_of(module): places for module in modules() if (places := reads_clock(module))}
    unexpected = [f"{name}: {', '.join(places)}" for name, places in readers.items() if name not in CLOCK_READERS]
    assert not unexpected, listed(unexpected, "take a chargeport.clock.Clock, or say in CLOCK_READERS why not")
    assert set(CLOCK_READERS) <= set(readers), "an exception that nothing needs any more"


# What a checkout must not contain


def test_no_page_loads_anything_from_another_host() -> None:
    calls = []
    for file in sorted(PACKAGE.rglob("*")):
        if file.suffix not in PAGE_SUFFIXES:
            continue
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            urls = re.findall(r"https?://[^\s\"'<>)]+|(?:src|href|url)\s*[=(]\s*[\"']?//[^\s\"'<>)]+", line)
            calls += [f"{name_of(file)}:{number} {url}" for url in urls if not url.startswith(NAMESPACES)]
    assert not calls, listed(calls, "bring it along, or leave it out")


def test_no_file_names_a_package_index_or_a_folder_of_one_machine() -> None:
    found = []
    for path, text in committed_texts():
        for number, line in enumerate(text.splitlines(), 1):
            if match := INDEX_HOSTS.search(line) or MACHINE_PATHS.search(line):
                found.append(f"{path}:{number} {match[0]}")
    assert not found, listed(found, "it works on one machine only")


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    loose = [line[:60] for line in lines if not re.match(r"[a-z0-9][a-z0-9._-]*(?:\[[a-z,-]+\])?==\S+ .*--hash=sha256:", line)]
    assert not loose, listed(loose, "make lock writes these files")


def test_what_is_tested_is_what_runs() -> None:
    runtime, dev = (pins(ROOT / "requirements" / name) for name in ("runtime.txt", "dev.txt"))
    everywhere = {(name, version) for name, version, where in dev if not where}
    otherwise = sorted(" ".join(pin) for pin in runtime if pin not in dev and pin[:2] not in everywhere)
    assert not otherwise, listed(otherwise, "pinned otherwise for the tests")


def pins(file: Path) -> set[tuple[str, ...]]:
    return set(re.findall(r"^([a-z0-9][^=\s]*)==(\S+)(?: ; ([^\\\n]+?))? \\$", file.read_text("utf-8"), re.MULTILINE))


# The decisions of docs/adr


def test_sqlite_is_reached_through_apsw_alone() -> None:
    origins = [(name_of(module), origin) for module in modules() for origin, _ in imported(tree_of(module))]
    wrong = [f"{name} imports {origin}" for name, origin in origins if origin.partition(".")[0] == "sqlite3"]
    wrong += [
        f"{name} imports apsw"
        for name, origin in origins
        if origin.partition(".")[0] == "apsw" and not name.startswith("store/sqlite/")
    ]
    assert not wrong, listed(wrong, "ADR 0001")


def test_no_table_stores_a_unit_or_a_body() -> None:
    for backend in ("sqlite", "postgres"):
        steps = sorted((PACKAGE / "store" / backend / "schema").glob("*.sql"))
        assert steps
        for step in steps:
            sql = re.sub(r"--.*", "", step.read_text("utf-8"))
            assert not re.search(r"\b\w*(?:unit|body)\w*\b", sql), f"{backend}/{step.name}: ADR 0002"


def test_what_time_brings_about_is_never_stored() -> None:
    below = [module for part in ("store", "ingest", "dialects") for module in (PACKAGE / part).rglob("*.py")]
    knowing = [
        name_of(module)
        for module in below
        for origin, name in imported(tree_of(module))
        if origin == "chargeport.signals.state"
        and name in {"stale_at", "LIVE_FOR_MS"}
        and name_of(module) != "store/history/folding.py"  # an hour's weights are of the day on which it was folded: ADR 0011
    ]
    assert not knowing, listed(knowing, "ADR 0004: decided when somebody reads")


@pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.code)
def test_every_body_refuses_members_it_does_not_have(signal: Signal) -> None:
    bodies.parse(signal, signal.example)
    with pytest.raises(Violation) as found:
        bodies.parse(signal, signal.example | {"surprise": 1})
    assert found.value.rule is Rule.UNKNOWN_MEMBER
    open_structs = [
        one.__name__ for one in structs_in(bodies.body_type(signal)) if not one.__struct_config__.forbid_unknown_fields
    ]
    assert not open_structs, listed(open_structs, "ADR 0005")


def structs_in(root: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    """The struct and every struct that its fields can hold."""
    seen: set[type[msgspec.Struct]] = set()
    waiting: list[msgspec.inspect.Type] = [msgspec.inspect.type_info(root)]
    while waiting:
        found = waiting.pop()
        if isinstance(found, msgspec.inspect.StructType):
            if found.cls in seen:
                continue
            seen.add(found.cls)
            waiting += [field.type for field in found.fields]
        elif isinstance(found, msgspec.inspect.UnionType):
            waiting += found.types
        elif isinstance(found, msgspec.inspect.ListType):
            waiting.append(found.item_type)
    return seen


@pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.code)
def test_every_signal_refuses_placeholders_and_foreign_units(signal: Signal) -> None:
    wrong = [{"value": None}, {"value": float("nan")}, signal.example | {"unit": "furlongs"}]
    if signal.kind is Kind.TEXT:
        wrong += [{"value": text} for text in ("unknown", "N/A", " ", "null", "")]
    elif signal.kind is not Kind.DOCUMENT:
        wrong += [{"value": "unknown"}]
    for body in wrong:
        with pytest.raises(Violation):
            bodies.parse(signal, body)


def test_a_live_value_stands_for_as_long_as_the_decision_says() -> None:
    page = (ROOT / "docs" / "adr" / "0006-live-values-go-stale.md").read_text("utf-8")
    sent = re.match(r"# 0006\. .* (\d+) minutes\n", page)
    assert sent
    assert int(sent[1]) * 60_000 == LIVE_FOR_MS
    for signal in CATALOGUE:
        state = State(signal, value=1, observed_at=0, changed_at=0, received_at=5, source="test")
        assert stale_at(state) == (LIVE_FOR_MS if signal.cadence is Cadence.LIVE else None)
    assert BY_CODE["charge-wattage"].cadence is Cadence.LIVE
    assert BY_CODE["charge-chargelimits"].cadence is Cadence.LASTING
