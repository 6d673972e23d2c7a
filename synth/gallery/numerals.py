"""Formatting of the JSON values of a record as text: numbers, percentages, durations, any value.

A value may be null, NaN or of an unexpected type. Whatever is absent or not finite is written "–"
everywhere, so that a page never contains "None" or "nan".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from synth.errors import printable
from synth.record.result import Json

NOTHING = "\u2013"  # an en dash
MINUS = "\u2212"  # as wide as a plus, unlike the hyphen


def number(value: Json) -> float | None:
    """`value` as a finite float, else None. Booleans and strings are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def boolean(value: Json) -> bool | None:
    """`value` where it is true or false, else None."""
    return value if isinstance(value, bool) else None


def plain(value: Json, digits: int = 4) -> str:
    """A number with `digits` significant digits; integers in full, with thousands separators."""
    amount = number(value)
    if amount is None:
        return NOTHING
    if amount == int(amount) and abs(amount) < 1e15:
        return f"{int(amount):,}".replace("-", MINUS)
    if 1e-4 <= abs(amount) < 1e9:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(amount))))
        text = f"{amount:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{amount:.{digits - 1}g}"
    return text.replace("-", MINUS)


def percent(value: Json) -> str:
    """A fraction of one as a percentage, never rounded to 0 % or 100 % unless it is exactly that.

    A number outside [0, 1] is no probability (a neuron's activation, for example) and is written
    as it is.
    """
    amount = number(value)
    if amount is None:
        return NOTHING
    if not 0 <= amount <= 1:
        return plain(amount)
    if 0 < amount < 0.001:
        return "< 0.1 %"
    if 0.9995 <= amount < 1:
        return f"{math.floor(amount * 10_000) / 100:.2f} %"
    return f"{amount * 100:.1f} %" if amount < 1 else "100 %"


def duration(value: Json) -> str:
    """Seconds as "0.42 s", "12.3 s", "3 min 05 s" or "2 h 10 min"."""
    amount = number(value)
    if amount is None or amount < 0:
        return NOTHING
    if amount < 60:
        return f"{amount:.2f} s" if amount < 9.995 else f"{amount:.1f} s"
    whole = round(amount)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def passes(record: Mapping[str, Json]) -> float | None:
    """Network passes, forwards + 2 * backwards: a backward costs about as much as two forwards."""
    forwards, backwards = number(record.get("forwards")), number(record.get("backwards"))
    if forwards is None and backwards is None:
        return number(record.get("passes"))
    return (forwards or 0.0) + 2 * (backwards or 0.0)


def anything(value: Json, longest: int = 240) -> str:
    """Any JSON value as printable text on one line, cut at `longest` characters."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return plain(value)
    if isinstance(value, list) and all(not isinstance(part, (list, dict)) for part in value):
        text = ", ".join(anything(part) for part in value) or NOTHING
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = printable(" ".join(text.split()))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def words(value: Json) -> str:
    """A text field as text; null and empty values give the empty string."""
    if value is None or (isinstance(value, (list, dict)) and not value):
        return ""
    return anything(value)
