"""Takes numbers as they stand in a record (also null, NaN, or not a number at all); gives text for a reader.

What is absent or not finite reads "–" everywhere, so that a page never says "None" or "nan".
"""

from __future__ import annotations

import json
import math
from typing import Any

NOTHING = "\u2013"  # an en dash
MINUS = "\u2212"  # as wide as a plus, unlike the hyphen


def number(value: Any) -> float | None:
    """`value` as a finite float, or None: true and false are not numbers, and neither are texts."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def plain(value: Any, digits: int = 4) -> str:
    """A number with `digits` significant digits, whole ones in full with thousands apart."""
    known = number(value)
    if known is None:
        return NOTHING
    if known == int(known) and abs(known) < 1e15:
        return f"{int(known):,}".replace("-", MINUS)
    if 1e-4 <= abs(known) < 1e9:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(known))))
        text = f"{known:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{known:.{digits - 1}g}"
    return text.replace("-", MINUS)


def percent(value: Any) -> str:
    """A share of one as a percentage; it never rounds to 0 % or 100 % what is not quite that."""
    known = number(value)
    if known is None:
        return NOTHING
    if (
        not 0 <= known <= 1
    ):  # a watched number that is no probability, such as a neuron's activation
        return plain(known)
    if 0 < known < 0.001:
        return "< 0.1 %"
    if 0.9995 <= known < 1:
        return f"{math.floor(known * 10_000) / 100:.2f} %"
    return f"{known * 100:.1f} %" if known < 1 else "100 %"


def duration(value: Any) -> str:
    """Seconds as "0.42 s", "12.3 s", "3 min 05 s" or "2 h 10 min"."""
    known = number(value)
    if known is None or known < 0:
        return NOTHING
    if known < 60:
        return f"{known:.2f} s" if known < 9.995 else f"{known:.1f} s"
    whole = round(known)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def passes(record: dict[str, Any]) -> float | None:
    """Network passes of a record: forwards + 2 * backwards, as one backward costs about two forwards."""
    forwards, backwards = number(record.get("forwards")), number(record.get("backwards"))
    if forwards is None and backwards is None:
        return number(record.get("passes"))
    return (forwards or 0.0) + 2 * (backwards or 0.0)


def anything(value: Any, longest: int = 240) -> str:
    """Any JSON value on one line, cut at `longest` characters."""
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
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def words(value: Any) -> str:
    """A text field as text: what is null or empty gives the empty string."""
    if value is None or (isinstance(value, (list, dict)) and not value):
        return ""
    return anything(value)
