"""The log: a record is one line, and no text of others begins one or moves a cursor."""

import io
import logging

from chargeport.cli.log_lines import OneLine

FORM = "%(levelname)s %(name)s: %(message)s"
FORGED = "box\n2026 ERROR chargeport: all is lost\r\x1b[2J\u202e\x9b"


def logger() -> tuple[logging.Logger, io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(OneLine(FORM))
    made = logging.getLogger("of a test")
    made.handlers, made.propagate = [handler], False
    return made, written


def fail() -> None:
    raise ValueError(FORGED)


def test_a_text_of_others_makes_no_line_of_its_own() -> None:
    log, written = logger()
    log.warning("station %s is new: größer", FORGED)
    sent = written.getvalue()
    assert sent.count("\n") == 1
    assert sent[:-1].isprintable()
    assert sent.endswith(": größer\n")
    assert r"box\n2026 ERROR" in sent


def test_no_line_of_a_traceback_looks_like_a_record() -> None:
    log, written = logger()
    try:
        fail()
    except ValueError:
        log.exception("failed")
    first, *rest = written.getvalue().splitlines()
    assert first == "ERROR of a test: failed"
    assert rest[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") and line.isprintable() for line in rest)
