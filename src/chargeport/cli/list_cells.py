"""Cells of lists of sessions: numbers, durations and costs in the formats of several countries and programs."""

import re
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final, NamedTuple

from chargeport.signals.instants import duration_ms
from chargeport.signals.violation import Rule, Violation

KM_A_MILE: Final = 1.609344
_UNITS: Final = {"wh": 0.001, "mwh": 1000.0, "mj": 1 / 3.6, "kj": 1 / 3600, "mi": KM_A_MILE, "miles": KM_A_MILE}
_OTHER_UNITS: Final = frozenset({"ah", "mah", "a", "v", "w", "kw", "j", "m", "ft"})  # a column in these has no amount of ours
_RATE: Final = re.compile(r"/|\b(?:per|pro)\b", re.IGNORECASE)
_SECONDS: Final = {"s": 1, "sec": 1, "seconds": 1, "min": 60, "minutes": 60, "h": 3600, "hours": 3600}
_UNIT_OF_CELL: Final = re.compile(r"(?<=[\d\s])(kwh|wh|mwh|km|mi|miles|%)$", re.IGNORECASE)
_CURRENCIES: Final = "eur|usd|gbp|chf|sek|nok|dkk|isk|pln|czk|huf|ron|cad|aud|nzd|jpy|cny|inr"
_UNIT: Final = re.compile(
    r"[(\[]\s*([^)\]]*?)\s*[)\]]\s*$"
    rf"|[_ ](kwh|wh|mwh|km|mi|miles|s|sec|seconds|min|minutes|h|hours|{_CURRENCIES})$",
    re.IGNORECASE,
)
_GROUP_SIGNS: Final = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?!\d))")
_GROUPED: Final = re.compile(r"-?\d{1,3}(?:(?:\.\d{3})+,|(?:,\d{3})+\.)\d+")  # 1.021,55 or 1,021.55
_DECIMAL: Final = re.compile(r"-?(?:\d+([.,])(?:\d{1,2}|\d{4,})|0([.,])\d+)")  # three digits may be a group
_EITHER: Final = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}")
_CLOCK: Final = re.compile(r"(?:(\d+) days?,? )?(\d+):(\d\d):(\d\d)(?:\.\d+)?")
_SPOKEN: Final = re.compile(  # a duration in the format of evcc and TeslaFi: 3h5m10s, 3 hours 5 mins
    r"(?:(\d+(?:[.,]\d+)?)\s*(?:h(?:ours?|rs?)?|std\.?|stunden?))?\s*"
    r"(?:(\d+(?:[.,]\d+)?)\s*m(?:in(?:ute)?[sn]?)?\.?)?\s*(?:(\d+(?:[.,]\d+)?)\s*s(?:ec(?:ond)?s?|ek\.?)?)?",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"^([A-Z]{3})\s*(?=[-\d])|(?<=[\d\s])\s*([A-Z]{3})$")
_SIGNS: Final = {
    "€": ("EUR",), "\u00a3": ("GBP",), "kr": ("SEK", "NOK", "DKK", "ISK"), "z\u0142": ("PLN",), "K\u010d": ("CZK",),
    "Ft": ("HUF",), "Fr.": ("CHF",), "\u00a5": ("JPY", "CNY"), "\u20b9": ("INR",),
}  # fmt: skip
_AROUND: Final = " $\u00a0\u202f"
_FREE: Final = frozenset({"free", "gratis", "kostenlos", "gratuit", "complimentary", "free of charge"})
_HUNDREDTHS: Final = frozenset({"ct", "cent", "cents", "\u00a2", "p", "pence", "\u00f8re", "\u00f6re", "rp."})


class Money(NamedTuple):
    """The cost in a cell; its currency (ISO 4217) is set if the cell or its header names it."""

    amount: float
    currency: str | None


def plain(header: str) -> str:
    """Return a header in lower case without its unit, punctuation and accents.

    The unit of something else is part of the name: a price per kWh is no price, and a charge in Ah no energy.

    >>> [plain(header) for header in ("Energy (kWh)", "Price (EUR/kWh)", "Energy [Ah]")]
    ['energy', 'priceeurperkwh', 'energyah']
    """
    unit = _unit_of_header(header)
    is_other = unit.lower() in _OTHER_UNITS or _RATE.search(unit) is not None
    name = header.strip() if is_other else _UNIT.sub("", header.strip())
    return re.sub(r"[^a-z0-9]", "", name.replace("/", "per").lower())


class Cells(NamedTuple):
    """The format of the numbers of a list: `decimal` is the decimal separator, None if no number of the list shows it.

    `has_both` is true if none shows it, and there are numbers with one and with the other separator before three digits.
    """

    decimal: str | None = None
    has_both: bool = False

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Cells":
        """Return the format of the numbers in these cells: 18.919 is 18919 in a list that contains 1,29, else 18.919."""
        texts = [_amount(value) for value in values if isinstance(value, str)]
        found = {sign for text in texts for sign in _decimal_signs(text)}
        if found:
            return cls(found.pop() if len(found) == 1 else None)
        return cls(None, len({text[-4] for text in texts if _EITHER.fullmatch(text)}) > 1)

    def number(self, value: Any, header: str) -> float:
        """Return a number in kWh, km or percent. Raises Violation, also for one that may be a thousand times another."""
        text = _GROUP_SIGNS.sub("", str(value).strip())
        unit = _UNIT_OF_CELL.search(text)
        name = _unit_of_header(header) if unit is None else unit[1]
        if name.lower() in _OTHER_UNITS:
            raise Violation(Rule.BAD_FORMAT, f"{header[:40]}: {name} is none of kWh, Wh, MWh, MJ, km, mi and %", header)
        factor = _UNITS.get(name.lower(), 1.0)
        if not isinstance(value, str):
            return float(value) * factor
        is_either = self.has_both or (self.decimal is None and name.lower() == "wh")
        if is_either and _EITHER.fullmatch(amount := _amount(text)):
            meant = f"{amount[:-4]}{amount[-3:]} or {amount[:-4]}.{amount[-3:]}"
            raise Violation(Rule.BAD_FORMAT, f"{header[:40]}: {amount!r} may mean {meant}: write one of these", header)
        return self._parsed(_UNIT_OF_CELL.sub("", text), header) * factor

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
        """Return a cost, in its own currency, else the `usual` one. Raises Violation for the sign of another currency."""
        text, in_header = _GROUP_SIGNS.sub("", str(value).strip()), _unit_of_header(header)
        code = _CODE.search(text)
        named = next((each for each in code.groups() if each), None) if code else None
        sign = next((sign for sign in _SIGNS if sign in text), in_header)
        of_sign = _SIGNS.get(sign, ())
        named = named or (of_sign[0] if len(of_sign) == 1 else None) or (in_header.upper() if _is_code(in_header) else None)
        is_dollar = "$" in text and not str(named or usual or "D").endswith("D")
        if is_dollar or (named is None and len(of_sign) > 1 and usual not in (*of_sign, None)):
            detail = f"{header}: {text[:40]!r} is in {'dollars' if is_dollar else sign}, not in {named or usual}"
            raise Violation(Rule.NOT_ALLOWED, detail, header)
        if text.lower() in _FREE:
            return Money(0.0, named or usual)
        number = self._parsed(_CODE.sub("", text).replace(sign, "") if of_sign else _CODE.sub("", text), header)
        return Money(number / 100 if in_header.lower() in _HUNDREDTHS else number, named or usual)

    def _parsed(self, text: str, header: str) -> float:
        text = text.strip(_AROUND)
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


def _is_code(text: str) -> bool:
    return re.fullmatch("[A-Z]{3}", text) is not None or text.lower() in _CURRENCIES.split("|")


def _unit_of_header(header: str) -> str:
    found = _UNIT.search(header.strip())
    return "" if found is None else next((each for each in found.groups() if each), "")


def _amount(text: str) -> str:
    """Return the number in a cell, without its unit and its currency."""
    text = _CODE.sub("", _UNIT_OF_CELL.sub("", _GROUP_SIGNS.sub("", text.strip())))
    for sign in _SIGNS:
        text = text.replace(sign, "")
    return text.strip(_AROUND)


def _decimal_signs(text: str) -> list[str]:
    if _GROUPED.fullmatch(text):
        return [max(",.", key=text.rfind)]
    found = _DECIMAL.fullmatch(text)
    return [] if found is None else [sign for sign in found.groups() if sign]
