"""Sweeps, and what is made of their runs: python -m benchmarks.sweeps [folding points ...]

Prints one row a figure. Times are processor time of one thread where it says so; run it with
OMP_NUM_THREADS=1.
"""

from __future__ import annotations

from benchmarks import parts

PARTS = ("folding", "points", "kills", "export", "gallery", "compare")

if __name__ == "__main__":
    parts.run("benchmarks.sweeps", PARTS)
