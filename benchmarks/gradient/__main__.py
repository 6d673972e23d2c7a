"""What the gradient family reaches and costs: python -m benchmarks.gradient [projected minimal universal ascent ...]

Prints one row a figure; peers run in the same process on the same pictures, and speeds are ratios of medians over
interleaved pairs. Pictures and weights are those of the folder that SYNTH_SHARED names (default ../shared).
"""

from __future__ import annotations

import importlib
import platform
import sys

import torch

PARTS = ("projected", "minimal", "universal", "ascent", "inversion", "style", "dream")


def main(parts: list[str]) -> None:
    """Prints the rows of each of `parts`, all where none is named."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.processor() or platform.machine()}")
    for part in parts or PARTS:
        if part not in PARTS:
            sys.exit(f"{part}: no such part; there are {', '.join(PARTS)}.")
        for name, value in importlib.import_module(f"benchmarks.gradient.{part}").rows():
            print(f"| {name} | {value} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
