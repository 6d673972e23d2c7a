"""Results and cost of probes: python -m benchmarks.probes [patches ...]

Prints one row a figure; peers run in the same process on the same pictures, and speeds are ratios
of medians over interleaved pairs. Pictures and weights are those of the folder that SYNTH_SHARED
names (default ../shared).
"""

from __future__ import annotations

from benchmarks import parts

PARTS = (
    "dissection",
    "embedding",
    "filters",
    "memorization",
    "occlusion",
    "patches",
    "saliency",
    "shortcut",
)

if __name__ == "__main__":
    parts.run("benchmarks.probes", PARTS)
