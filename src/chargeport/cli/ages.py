"""How long ago something was, as a person would say it."""

from typing import Final

# From so many seconds on, in units of so many seconds.
_UNITS: Final = ((86_400 * 2, 86_400, "d"), (3600 * 2, 3600, "h"), (60 * 2, 60, "min"), (1, 1, "s"))


def ago(at: int | None, now: int) -> str | None:
    """Return the age of an instant; None where there is none. A car's clock may run ahead of ours.

    >>> ago(0, 12_000), ago(0, 250_000), ago(0, 26 * 3_600_000), ago(5000, 4900), ago(None, 0)
    ('12 s ago', '4 min ago', '26 h ago', 'just now', None)
    """
    if at is None:
        return None
    age_s = (now - at) // 1000
    return "just now" if age_s < 1 else f"{long(age_s)} ago"


def long(length_s: float) -> str:
    """Return a length of time in words.

    >>> long(250), long(26 * 3600), long(0.2)
    ('4 min', '26 h', 'under 1 s')
    """
    for least, unit_s, name in _UNITS:
        if length_s >= least:
            return f"{int(length_s // unit_s)} {name}"
    return "under 1 s"
