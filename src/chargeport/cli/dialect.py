"""`chargeport dialect check`: the meaning of a message in a dialect, field by field, and draft rows for the other fields."""

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport.cli.options import Json
from chargeport.cli.output import print_json, print_table, say
from chargeport.cli.rows import in_words
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


class Meaning(msgspec.Struct, frozen=True):
    """The meaning of one field: a signal with its value, or why there is none."""

    field: str | None
    content: Any
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
    topic: Annotated[str, typer.Option("--topic", help="The address of its receipt, such as an MQTT topic.")] = "",
    as_json: Json = False,
) -> None:
    """Check a dialect, and print the meaning of messages in it, row by row. Nothing is stored.

    Rows are drafted for unknown fields. Exits with 1 when something was not understood.
    """
    known = _dialect(dialect)
    found = [meaning for text in messages or () for meaning in _meanings(known, _payload(text), topic)]
    if as_json:
        print_json({"name": known.name, "rows": len(known.rows), "fields": found})
    elif messages:
        rows = [(meaning.field, _short(meaning.content), meaning.signal, meaning.value or meaning.why) for meaning in found]
        print_table(("field", "said", "signal", "would be"), rows, "The message has no fields.")
        _draft(found)
    else:
        say(f"{known.name}: {len(known.rows)} rows, {len(known.topics)} topics. --message shows the meaning of a message.")
    if any(meaning.why is not None and meaning.signal is None for meaning in found):
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


def _meanings(dialect: Dialect, payload: bytes, topic: str) -> list[Meaning]:
    """Return the meaning of a payload: its fields with the rows that read them, and the fields that no row reads."""
    delivery = Delivery(
        source="check", dialect=dialect.name, payload=payload, received_at=SystemClock().now(), topic=topic, vehicle="car"
    )
    parts = read(delivery, dialect)
    if isinstance(parts, Issue):
        return [Meaning(None, payload.decode("utf-8", "replace"), why=parts.detail)]
    return [meaning for message in parts for meaning in _of_message(dialect, message)]


def _of_message(dialect: Dialect, message: RawMessage) -> list[Meaning]:
    result = normalise(message, dialect)
    by_signal = {entry.signal: entry for entry in result.entries}
    issues = {issue.subject: issue.detail for issue in result.issues}
    found, used = [], set()
    for field, content in message.fields.items():
        rows = dialect.by_field.get(field, ())
        for row in rows:
            entry = by_signal.get(row.signal)
            used.add(row.signal)
            if isinstance(entry, Reading):
                found.append(Meaning(field, content, row.signal.code, in_words(row.signal, entry.value)))
            else:
                why = issues.get(field) or (f"no value: {entry.reason}" if entry is not None else "says nothing here")
                found.append(Meaning(field, content, row.signal.code, why=why) if entry is not None or field not in issues
                             else Meaning(field, content, why=why))  # fmt: skip
        if not rows:
            found.append(Meaning(field, content, value=None if field in issues else "ignored", why=issues.get(field)))
    rest = (entry for entry in result.entries if entry.signal not in used and isinstance(entry, Reading))
    return found + [Meaning(None, None, entry.signal.code, in_words(entry.signal, entry.value)) for entry in rest]


def _short(content: Any) -> str | None:
    return None if content is None else content if isinstance(content, str) else msgspec.json.encode(content).decode()


def _draft(found: list[Meaning]) -> None:
    """Print draft rows for the fields that no row reads."""
    unknown = [
        meaning for meaning in found if meaning.field is not None and meaning.signal is None and _UNKNOWN in (meaning.why or "")
    ]
    if not unknown:
        return
    say("")
    say("Draft rows: name each one's signal and unit, or add the field to ignored.", "bold")
    for meaning in unknown:
        unit = '\nunit = "?"' if isinstance(meaning.content, int | float) and not isinstance(meaning.content, bool) else ""
        say(f'\n[[rows]]\nfield = "{meaning.field}"  # said {_short(meaning.content)}\nsignal = "?"{unit}')
