"""The generator's fidelity, results and cost: python -m benchmarks.generator [ascent ...]

Prints one row a figure. Pictures and weights are those of the folder that SYNTH_SHARED names
(default ../shared). The generator is the bundled one, or the file that SYNTH_GENERATOR names;
SYNTH_PIXEL_GENERATOR is one trained with the pixel loss alone, the baseline of `reconstruction`.
"""

from __future__ import annotations

from benchmarks import parts

PARTS = ("reconstruction", "ascent", "diversity", "black_box", "stylizer")

if __name__ == "__main__":
    parts.run("benchmarks.generator", PARTS)
