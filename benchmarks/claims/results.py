"""What was measured of the claims, in a file beside them."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.claims.claim import Measured
from synth.record.atomic import write_atomically

FILE = Path(__file__).with_name("results.json")


def load() -> dict[str, Measured]:
    """Outcomes by the name of the claim."""
    if not FILE.exists():
        return {}
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: Measured.from_dict(record) for name, record in content.items()}


def save(name: str, measured: Measured) -> None:
    """Adds the outcome of a claim, or replaces it."""
    results = {**load(), name: measured}
    content = {each: results[each].to_dict() for each in sorted(results)}
    write_atomically(FILE, (json.dumps(content, indent=1) + "\n").encode())
