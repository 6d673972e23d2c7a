"""Cost of sweeps, pages and data sets: python -m benchmarks.sweeps [export ...]

Prints one row a figure; each module says what it measures.
"""

from __future__ import annotations

from benchmarks import parts

PARTS = ("export", "gallery")

if __name__ == "__main__":
    parts.run("benchmarks.sweeps", PARTS)
