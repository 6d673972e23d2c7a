"""What the generator of codes keeps, reaches and costs: python -m benchmarks.generator [reconstruction ascent ...]

Prints one row a figure. Pictures and weights are those of the folder that SYNTH_SHARED names (default ../shared). The
generator is the one in the box, or the file that SYNTH_GENERATOR names; SYNTH_PIXEL_GENERATOR is one trained with the
loss of pixels alone, beside which `reconstruction` sets it.
"""

from __future__ import annotations

from benchmarks import parts

PARTS = ("reconstruction", "ascent", "diversity", "black_box", "stylizer")

if __name__ == "__main__":
    parts.run("benchmarks.generator", PARTS)
