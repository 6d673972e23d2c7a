"""Results and cost of the gradient family: python -m benchmarks.gradient [projected minimal ...]

Prints one row a figure; peers run in the same process on the same pictures, and speeds are ratios
of medians over interleaved pairs. Pictures and weights are those of the folder that SYNTH_SHARED
names (default ../shared).
"""

from __future__ import annotations

from benchmarks import parts

PARTS = (
    "projected",
    "batch",
    "minimal",
    "universal",
    "ascent",
    "inversion",
    "style",
    "dream",
    "depth",
)

if __name__ == "__main__":
    parts.run("benchmarks.gradient", PARTS)
