"""JSON text of records: valid, also where a number is not finite."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping

from synth.record.result import Json


def dumps(value: Json, indent: int | None = None) -> str:
    """JSON in which a number that is not finite is null, because JSON has no NaN.

    A lone surrogate, which stands for a byte of a file name that is no UTF-8, is escaped.
    """
    text = json.dumps(_finite(value), indent=indent, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode()


def checksum(text: str) -> str:
    """CRC-32 of a text, in hexadecimal."""
    return f"{zlib.crc32(text.encode()):08x}"


def _finite(value: Json) -> Json:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if hasattr(value, "tolist"):  # a tensor; torch is not imported for it
        return _finite(value.tolist())
    return value
