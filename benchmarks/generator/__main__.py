"""What the generator of codes keeps, reaches and costs: python -m benchmarks.generator [reconstruction ascent ...]

Prints one row a figure. Pictures and weights are those of the folder that SYNTH_SHARED names (default ../shared). The
generator is the one in the box, or the file that SYNTH_GENERATOR names; SYNTH_PIXEL_GENERATOR is one trained with the
loss of pixels alone, beside which `reconstruction` sets it.
"""

from __future__ import annotations

import importlib
import platform
import sys

import torch

PARTS = ("reconstruction", "ascent", "diversity", "black_box", "stylizer")


def main(parts: list[str]) -> None:
    """Prints the rows of each of `parts`, all where none is named."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.processor() or platform.machine()}")
    for part in parts or PARTS:
        if part not in PARTS:
            sys.exit(f"{part}: no such part; there are {', '.join(PARTS)}.")
        for name, value in importlib.import_module(f"benchmarks.generator.{part}").rows():
            print(f"| {name} | {value} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
