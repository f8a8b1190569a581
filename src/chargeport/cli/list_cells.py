"""Cells of lists of sessions: numbers, durations and costs in the formats of several countries and programs."""

import re
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final, NamedTuple

from chargeport.signals.instants import duration_ms
from chargeport.signals.violation import Rule, Violation

KM_A_MILE: Final = 1.609344
_UNITS: Final = {"wh": 0.001, "mwh": 1000.0, "mi": KM_A_MILE, "miles": KM_A_MILE}
_SECONDS: Final = {"s": 1, "sec": 1, "seconds": 1, "min": 60, "minutes": 60, "h": 3600, "hours": 3600}
_UNIT_OF_CELL: Final = re.compile(r"(?<=[\d\s])(kwh|wh|mwh|km|mi|miles|%)$", re.IGNORECASE)
_UNIT: Final = re.compile(
    r"[(\[]\s*([^)\]]*?)\s*[)\]]\s*$|[_ ](kwh|wh|mwh|km|mi|miles|s|sec|seconds|min|minutes|h|hours)$", re.IGNORECASE
)
_GROUP_SIGNS: Final = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?!\d))")
_GROUPED: Final = re.compile(r"-?\d{1,3}(?:(?:\.\d{3})+,|(?:,\d{3})+\.)\d+")  # 1.021,55 or 1,021.55
_DECIMAL: Final = re.compile(r"-?(?:\d+([.,])(?:\d{1,2}|\d{4,})|0([.,])\d+)")  # three digits may be a group
_CLOCK: Final = re.compile(r"(?:(\d+) days?,? )?(\d+):(\d\d):(\d\d)(?:\.\d+)?")
_SPOKEN: Final = re.compile(  # a duration in the format of evcc and TeslaFi: 3h5m10s, 3 hours 5 mins
    r"(?:(\d+(?:[.,]\d+)?)\s*(?:h(?:ours?|rs?)?|std\.?|stunden?))?\s*"
    r"(?:(\d+(?:[.,]\d+)?)\s*m(?:in(?:ute)?[sn]?)?\.?)?\s*(?:(\d+(?:[.,]\d+)?)\s*s(?:ec(?:ond)?s?|ek\.?)?)?",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"^([A-Z]{3})\s*(?=[-\d])|(?<=[\d\s])\s*([A-Z]{3})$")
_CODES: Final = {"€": "EUR", "\u00a3": "GBP"}


class Money(NamedTuple):
    """The cost in a cell; its currency (ISO 4217) is set if the cell or its header names it."""

    amount: float
    currency: str | None


def plain(header: str) -> str:
    """Return a header in lower case without its unit, punctuation and accents."""
    return re.sub(r"[^a-z0-9]", "", _UNIT.sub("", header.strip()).lower())


class Cells(NamedTuple):
    """The format of the numbers of a list: `decimal` is the decimal separator, None if no number of the list shows it."""

    decimal: str | None = None

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Cells":
        """Return the format of the numbers in these cells: 18.919 is 18919 in a list that contains 1,29, else 18.919."""
        found = {sign for value in values if isinstance(value, str) for sign in _decimal_signs(value)}
        return cls(found.pop() if len(found) == 1 else None)

    def number(self, value: Any, header: str) -> float:
        """Return a number in kWh, km or percent. Raises Violation."""
        text = _GROUP_SIGNS.sub("", str(value).strip())
        unit = _UNIT_OF_CELL.search(text)
        name = _unit_of_header(header) if unit is None else unit[1]
        return self._parsed(_UNIT_OF_CELL.sub("", text), header) * _UNITS.get(name.lower(), 1.0)

    def seconds(self, value: Any, header: str) -> float:
        """Return a duration in seconds. A number alone needs its unit in the header. Raises Violation."""
        text = str(value).strip()
        if (clock := _CLOCK.fullmatch(text)) is not None:
            days, *parts = (int(part or 0) for part in clock.groups())
            return float(days * 86_400 + parts[0] * 3600 + parts[1] * 60 + parts[2])
        if (iso := duration_ms(text)) is not None:
            return iso / 1000
        if text and (spoken := _SPOKEN.fullmatch(text)) is not None:
            parts_s = zip(spoken.groups(), (3600, 60, 1), strict=True)
            return sum(float(part.replace(",", ".")) * factor for part, factor in parts_s if part)
        unit = _SECONDS.get(_unit_of_header(header).lower())
        if unit is None:
            detail = f"{header}: {text[:40]!r} is no duration: write 2:15:00 or 2h15m, or name its unit, as {header[:40]} (min)"
            raise Violation(Rule.BAD_FORMAT, detail, header)
        return self._parsed(text, header) * unit

    def money(self, value: Any, header: str, usual: str | None) -> Money:
        """Return a cost, in its own currency, else the `usual` one. Raises Violation for the symbol of another currency."""
        text = _GROUP_SIGNS.sub("", str(value).strip())
        code = _CODE.search(text)
        named = next((each for each in code.groups() if each), None) if code else None
        named = named or next((own for sign, own in _CODES.items() if sign in text), None)
        in_header = _unit_of_header(header)
        named = named or _CODES.get(in_header) or (in_header if re.fullmatch("[A-Z]{3}", in_header) else None)
        if "$" in text and not str(named or usual or "D").endswith("D"):
            raise Violation(Rule.NOT_ALLOWED, f"{header}: {text[:40]!r} is in dollars, not in {named or usual}", header)
        return Money(self._parsed(_CODE.sub("", text), header), named or usual)

    def _parsed(self, text: str, header: str) -> float:
        text = text.strip(" $" + "".join(_CODES))
        plain_text = text
        if self.decimal is not None:
            group = "," if self.decimal == "." else "."
            if re.fullmatch(rf"-?\d{{1,3}}(?:\{group}\d{{3}})+(?:\{self.decimal}\d+)?", text):
                plain_text = text.replace(group, "")
        elif _GROUPED.fullmatch(text):  # the last separator, which occurs once, is the decimal separator
            plain_text = text.replace(min(",.", key=text.rfind), "")
        if re.fullmatch(r"-?\d+,\d+", plain_text):
            plain_text = plain_text.replace(",", ".")
        try:
            number = float(plain_text)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            raise Violation(Rule.BAD_FORMAT, f"{header}: {text[:40]!r} is no number", header)
        return number


def _unit_of_header(header: str) -> str:
    found = _UNIT.search(header.strip())
    return "" if found is None else next((each for each in found.groups() if each), "")


def _decimal_signs(text: str) -> list[str]:
    text = _CODE.sub("", _UNIT_OF_CELL.sub("", _GROUP_SIGNS.sub("", text.strip()))).strip(" $" + "".join(_CODES))
    if _GROUPED.fullmatch(text):
        return [max(",.", key=text.rfind)]
    found = _DECIMAL.fullmatch(text)
    return [] if found is None else [sign for sign in found.groups() if sign]
