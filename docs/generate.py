"""Writes docs/reference from the code: signals, units, settings, routes, errors, commands, coverage. `make docs` runs it.

A test fails where a page and the code have parted, so a page is never written by hand.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import typer.main

from chargeport.api.route import Route
from chargeport.api.routes import ROUTES
from chargeport.cli.examples import EXAMPLES
from chargeport.cli.main import app
from chargeport.config import environment_names
from chargeport.dialects.all import ALL
from chargeport.dialects.simulator import SIMULATOR
from chargeport.dialects.table import Dialect, Gate
from chargeport.errors import ErrorKind
from chargeport.runtime.builder import CommonKeys, source_types
from chargeport.settings import PlaceSettings, PriceSettings, Settings, Table, TariffSettings, VehicleSettings
from chargeport.signals.bodies import PLACEHOLDERS
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Dimension, Signal
from chargeport.signals.units import WIRE_UNIT, spellings
from chargeport.signals.violation import Rule
from chargeport.simulation.actions import ACTIONS, Action, members
from chargeport.simulation.scenario import EventPart, Scenario, library
from chargeport.taxonomy import DOCUMENTED
from chargeport.wire import errors as error_bodies
from chargeport.wire.status import ERROR_STATUSES, MISSING_PERMISSION

FOLDER = Path(__file__).parent / "reference"
NOTICE = "<!-- Written by docs/generate.py from the code. Change the code, then run `make docs`. -->\n"


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table."""
    heads = list(columns)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def code(text: Any) -> str:
    """Text as code."""
    return f"`{text}`"


def signals() -> str:
    """Describe the signals, one section each."""
    overview = table(
        ("code", "body", "unit", "permission", "what it is"),
        (
            (f"[{each.code}](#{each.code})", each.kind, each.unit or "", code(each.permission), each.summary)
            for each in CATALOGUE
        ),
    )
    return "# Signals\n\n" + overview + "".join(map(_signal, CATALOGUE))


def _signal(signal: Signal) -> str:
    facts = [f"{signal.kind.capitalize()}, {signal.cadence}"]
    if signal.minimum is not None:
        facts.append(f"{signal.minimum:g} to {signal.maximum:g} {signal.unit or ''}".strip())
    if signal.known:
        facts.append("seen so far: " + ", ".join(map(code, signal.known)))
    example = msgspec.json.format(msgspec.json.encode(signal.example), indent=2).decode()
    caution = f" {signal.caution}" if signal.caution else ""
    return f"\n## {signal.code}\n\n{signal.summary}{caution}\n\n{'; '.join(facts)}.\n\n```json\n{example}\n```\n"


def units() -> str:
    """List the spellings of units that are taken."""
    rows = ((each, code(WIRE_UNIT[each]), ", ".join(map(code, spellings(each)))) for each in Dimension)
    placeholders = ", ".join(map(code, sorted(PLACEHOLDERS)))
    return (
        "# Units\n\nA body may be sent in any of these; it is kept and answered in the wire's unit. Case does not matter where"
        " it can't change the meaning.\n\n"
        + table(("dimension", "on the wire", "taken"), rows)
        + f"\nTexts that mean that there is no value, in any case and however they are marked (`<nil>`, `[unknown]`, `#N/A`,"
        f" `not available`): {placeholders}; and texts that are nothing but dashes, dots, question marks or asterisks, such as"
        " `--`.\n"
    )


def settings() -> str:
    """Describe the settings file, table by table."""
    variables: dict[tuple[str, str], list[str]] = {}
    for name, place in environment_names().items():
        variables.setdefault(place, []).append(name)
    head = (
        "# Settings\n\nThe settings of every command: flags come first, then the environment, then the file that `--config`"
        " names,\nelse `./chargeport.toml`. `serve` says which file it read.\n"
    )
    pages = [head]
    pages += [
        f"\n## [{part.name}]\n\n"
        + _keys(part.type, {key: names for (table, key), names in variables.items() if table == part.name})
        for part in msgspec.structs.fields(Settings)
        if isinstance(part.type, type) and issubclass(part.type, Table)
    ]
    pages.append(f"\n## [[vehicles]]\n\n{VehicleSettings.__doc__}\n\n" + _keys(VehicleSettings))
    pages += [
        f"\n## {title}\n\n{of.__doc__}\n\n" + _keys(of)
        for title, of in (
            ("[[places]]", PlaceSettings),
            ("[[tariffs]]", TariffSettings),
            ("[[tariffs.windows]]", PriceSettings),
        )
    ]
    pages.append("\n## [[sources]]\n\nEvery source has these keys, and those of its type.\n\n" + _keys(CommonKeys))
    pages += [f'\n### type = "{kind.name}"\n\n{kind.summary}\n\n' + _keys(kind.settings) for kind in source_types().values()]
    pages.append(
        '\n## [[dialects]]\n\nTables of your own, or with `dialects = ["mine.toml"]` files of one each:'
        " [adding a source](../adding-a-source.md) tells what is in them.\n"
    )
    return "".join(pages)


def _keys(of: type[msgspec.Struct], variables: Mapping[str, list[str]] | None = None) -> str:
    """Return the table of the keys of a settings table."""
    rows = []
    for field in msgspec.structs.fields(of):
        info = msgspec.inspect.type_info(field.type)
        about = (getattr(info, "extra_json_schema", None) or {}).get("description", "")
        default = "" if field.required else code(msgspec.json.encode(_default(field)).decode())
        row = (code(field.encode_name), default or "(needed)", about)
        rows.append(row if variables is None else (*row, ", ".join(map(code, variables.get(field.name, [])))))
    heads = ("key", "default", "meaning") if variables is None else ("key", "default", "meaning", "environment")
    return table(heads, rows)


def _default(field: Any) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def routes() -> str:
    """List the routes; the document at /openapi.json has the schemas."""
    rows = ((each.method, code(_path(each)), each.summary, "none" if each.open else "bearer") for each in ROUTES)
    return (
        "# Routes\n\nEvery path under `/v3` also answers without the prefix; a slash at the end is taken. `/openapi.json` has"
        " the schemas, `/docs` shows them.\n\n" + table(("method", "path", "what", "token"), rows)
    )


def _path(route: Route) -> str:
    return f"/v3{route.path}" if route.v3 else route.path


def errors() -> str:
    """Errors of requests, reasons of absences, rules of readings."""
    kinds = ((each.status, f"[{code(each.name)}](#{each.slug})", each.title, each.resolution or "") for each in DOCUMENTED)
    wordings = [*((reason.value, each) for reason, each in ERROR_STATUSES.items()), ("(no permission)", MISSING_PERMISSION)]
    reasons = (
        (reason, code(each.type), code(each.code), each.detail, "kept" if each.keeps_body else "none")
        for reason, each in wordings
    )
    return (
        "# Errors\n\n## Of a request\n\n"
        + table(("status", "type and code", "title", "resolution"), kinds)
        + "".join(map(_error, DOCUMENTED))
        + "\n## Of a signal without a value (200, `status.value` is `ERROR`)\n\n"
        + table(("reason", "type", "code", "detail", "last body"), reasons)
        + "\n## Of a reading that is rejected\n\n"
        + ", ".join(code(rule) for rule in Rule)
        + ".\n"
    )


def _error(kind: ErrorKind) -> str:
    """Cause, way out and an example of a kind of error."""
    example = msgspec.json.format(msgspec.json.encode(error_bodies.example(kind)), indent=2).decode()
    return (
        f'\n### <a id="{kind.slug}"></a>{kind.status} {code(kind.name)}\n\n'
        f"Cause: {kind.cause}\n\nWay out: {kind.way_out}\n\n```json\n{example}\n```\n"
    )


def coverage() -> str:
    """Which dialect gives which signal."""
    spoken = [ALL[name] for name in sorted(ALL) if name != SIMULATOR.name]
    charge = [signal for signal in CATALOGUE if not signal.is_ours]
    rows = [(f"[{each.code}](signals.md#{each.code})", *(_given(dialect, each) for dialect in spoken)) for each in charge]
    counts = ("signals", *(len({row.signal.key for row in dialect.rows if not row.signal.is_ours}) for dialect in spoken))
    return (
        "# Coverage\n\nWhich signals the built-in dialects can give, made from their tables: `yes`, or `charging` where"
        " a source is believed only while the car charges. Not every car and every station has what its system can tell:"
        " `chargeport coverage VEHICLE` says what one really gives, and why not the rest. What no source gives may be"
        " derived.\n\n" + table(("signal", *(dialect.name for dialect in spoken)), [*rows, counts])
    )


def _given(dialect: Dialect, signal: Signal) -> str:
    """Whether, and when, a dialect gives a signal directly."""
    gates = {row.gate for row in dialect.rows if row.signal.key == signal.key}
    if not gates:
        return ""
    return "yes" if Gate.ALWAYS in gates else "charging"


def commands() -> str:
    """Every command with its options."""
    pages = ["# Commands\n"]
    _describe(typer.main.get_command(app), "chargeport", pages)
    return "".join(pages)


def _describe(command: Any, name: str, pages: list[str]) -> None:
    subcommands = getattr(command, "commands", None)
    if subcommands is not None:
        for part, each in sorted(subcommands.items()):
            _describe(each, f"{name} {part}", pages)
        return
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = " ".join([name, *(each.name.upper() for each in arguments)])
    rows = [
        (", ".join(map(code, each.opts)), each.help or "")
        for each in command.params
        if each.param_type_name == "option" and not each.hidden and "--help" not in each.opts
    ]
    example = EXAMPLES.get(name.removeprefix("chargeport "), "")
    shown = f"\n```sh\n{example}\n```\n" if example else ""
    pages.append(f"\n## {usage}\n\n{command.help}\n{shown}" + (f"\n{table(('option', 'meaning'), rows)}" if rows else ""))


def simulator() -> str:
    """Describe what can be done to a simulated car."""
    return (
        "# Actions of simulated cars\n\n`POST /simulator/vehicles/{id}/{action}`, and options of `chargeport simulator`;"
        " [the simulator](../simulator.md) explains the rest.\n" + "".join(map(_action, ACTIONS.items()))
    )


def _action(named: tuple[str, type[Action]]) -> str:
    name, action = named
    rows = [(code(each.name), each.summary, code(each.default) if each.default else "") for each in members(action)]
    body = table(("member", "meaning", "default"), rows) if rows else "No body.\n"
    return f"\n## {name}\n\n{action.summary()}\n\n{body}"


def scenarios() -> str:
    """Describe the ready scenarios: what happens, and what a client sees."""
    return (
        "# Ready scenarios\n\n`chargeport demo --scenario NAME`, or `POST /simulator/scenarios`. What a client sees is tested;"
        " [the simulator](../simulator.md#scenarios) says how to write one.\n" + "".join(map(_scenario, library().values()))
    )


def _scenario(scenario: Scenario) -> str:
    happens = [(each.at or each.after, code(_event(each))) for each in scenario.events]
    sees = [(each.at or each.after, code(each.signal), each.text) for each in scenario.sees]
    start = f" It begins at {scenario.start}." if scenario.start else ""
    return (
        f"\n## {scenario.name}\n\n{scenario.summary}{start}\n\n"
        + (table(("when", "what happens"), happens) + "\n" if happens else "")
        + table(("when", "signal", "what a client sees"), sees)
    )


def _event(event: EventPart) -> str:
    if event.do is None:
        return "no faults any more" if event.fault is None else f"fault {msgspec.json.encode(event.fault).decode()}"
    return f"{event.do} {msgspec.json.encode(event.body).decode()}" if event.body else event.do


PAGES = {
    "signals.md": signals,
    "units.md": units,
    "settings.md": settings,
    "routes.md": routes,
    "errors.md": errors,
    "commands.md": commands,
    "coverage.md": coverage,
    "simulator.md": simulator,
    "scenarios.md": scenarios,
}


def pages() -> dict[str, str]:
    """Every page by its name."""
    return {name: NOTICE + write() for name, write in PAGES.items()}


if __name__ == "__main__":
    for page, content in pages().items():
        (FOLDER / page).write_text(content, "utf-8")
    sys.stdout.write(f"{len(PAGES)} pages written to docs/reference\n")
