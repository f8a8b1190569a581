"""`chargeport dialect check`: what a dialect makes of a message, field by field, and rows to begin with for the rest."""

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport.cli.options import Json
from chargeport.cli.output import print_json, print_table, say
from chargeport.cli.values import in_words
from chargeport.clock import SystemClock
from chargeport.dialects import user
from chargeport.dialects.all import ALL
from chargeport.dialects.table import Dialect
from chargeport.errors import ChargeportError
from chargeport.ingest.engine import normalise, read
from chargeport.signals.reading import Issue, Reading
from chargeport.sources.base import Delivery, RawMessage

FROM_FILE: Final = "@"
_UNKNOWN: Final = "is not known"

group = typer.Typer(help="Dialects: what the messages of a system mean.", no_args_is_help=True)


class Meant(msgspec.Struct, frozen=True):
    """What one field came to: a signal with its value, or why nothing."""

    field: str | None
    said: Any
    signal: str | None = None
    value: str | None = None
    why: str | None = None


@group.callback()
def dialects() -> None:
    """Dialects: what the messages of a system mean."""


@group.command("check")
def check(
    *,
    dialect: Annotated[
        str, typer.Argument(metavar="FILE", help="A TOML file, or the name of a built-in one.", show_default=False)
    ],
    messages: Annotated[
        list[str] | None,
        typer.Option(
            "--message", metavar="TEXT", help="A payload; @FILE reads one from a file. May be repeated.", show_default=False
        ),
    ] = None,
    topic: Annotated[str, typer.Option("--topic", help="Where it came from, such as an MQTT topic.")] = "",
    as_json: Json = False,
) -> None:
    """Check a dialect, and say what messages would mean in it, row by row. Nothing is stored.

    What is not known is drafted as rows. Exits with 1 when something was not understood.
    """
    known = _dialect(dialect)
    found = [each for text in messages or () for each in _meant(known, _payload(text), topic)]
    if as_json:
        print_json({"name": known.name, "rows": len(known.rows), "fields": found})
    elif messages:
        rows = [(each.field, _short(each.said), each.signal, each.value or each.why) for each in found]
        print_table(("field", "said", "signal", "would be"), rows, "The message says nothing.")
        _draft(found)
    else:
        say(f"{known.name}: {len(known.rows)} rows, {len(known.topics)} topics. --message says what a message would mean.")
    if any(each.why is not None and each.signal is None for each in found):
        raise typer.Exit(1)


def _dialect(name: str) -> Dialect:
    if name in ALL:
        return ALL[name]
    try:
        return user.from_file(Path(name))
    except ValueError as error:
        raise ChargeportError(f"{error}.") from None


def _payload(text: str) -> bytes:
    if not text.startswith(FROM_FILE):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise ChargeportError(f"{text[1:]} can't be read: {error.strerror or error}.") from error


def _meant(dialect: Dialect, payload: bytes, topic: str) -> list[Meant]:
    """Return the meaning of a payload: its fields with the rows that read them, and what is left over."""
    delivery = Delivery(
        source="check", dialect=dialect.name, payload=payload, received_at=SystemClock().now(), topic=topic, vehicle="car"
    )
    parts = read(delivery, dialect)
    if isinstance(parts, Issue):
        return [Meant(None, payload.decode("utf-8", "replace"), why=parts.detail)]
    return [each for message in parts for each in _of_message(dialect, message)]


def _of_message(dialect: Dialect, message: RawMessage) -> list[Meant]:
    result = normalise(message, dialect)
    by_signal = {entry.signal: entry for entry in result.entries}
    issues = {issue.subject: issue.detail for issue in result.issues}
    found, used = [], set()
    for field, said in message.fields.items():
        rows = dialect.by_field.get(field, ())
        for row in rows:
            entry = by_signal.get(row.signal)
            used.add(row.signal)
            if isinstance(entry, Reading):
                found.append(Meant(field, said, row.signal.code, in_words(row.signal, entry.value)))
            else:
                why = issues.get(field) or (f"no value: {entry.reason}" if entry is not None else "says nothing here")
                found.append(Meant(field, said, row.signal.code, why=why) if entry is not None or field not in issues
                             else Meant(field, said, why=why))  # fmt: skip
        if not rows:
            found.append(Meant(field, said, value=None if field in issues else "ignored", why=issues.get(field)))
    rest = (entry for entry in result.entries if entry.signal not in used and isinstance(entry, Reading))
    return found + [Meant(None, None, entry.signal.code, in_words(entry.signal, entry.value)) for entry in rest]


def _short(said: Any) -> str | None:
    return None if said is None else said if isinstance(said, str) else msgspec.json.encode(said).decode()


def _draft(found: list[Meant]) -> None:
    """Print rows to begin with for the fields that no row reads."""
    unknown = [each for each in found if each.field is not None and each.signal is None and _UNKNOWN in (each.why or "")]
    if not unknown:
        return
    say("")
    say("Rows to begin with: name each one's signal and unit, or put the field into ignored.", "bold")
    for each in unknown:
        unit = '\nunit = "?"' if isinstance(each.said, int | float) and not isinstance(each.said, bool) else ""
        say(f'\n[[rows]]\nfield = "{each.field}"  # said {_short(each.said)}\nsignal = "?"{unit}')
