"""Whether a run fits the device's memory, estimated before anything of that size is made."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from synth.core import Rows, Search
from synth.core.hardware import total_memory
from synth.core.inference import CONVOLUTIONS
from synth.core.network import OUTPUT, Network
from synth.engine.fitness import ImageProblem
from synth.errors import InputError

BYTES_PER_PIXEL = 24  # of an image and its transformed copy, float32


def check_memory(problem: ImageProblem, search: Search, rows: Rows) -> None:
    """Raises InputError where an image or the genomes of all items need more than there is.

    Both are lower bounds: a run that is refused could not have ended.

    Args:
        problem: of one genome an item, which is the least that is evaluated at once.
        search: whose `individuals` are kept.
        rows: of the items.
    """
    device, views = problem.network.device, problem.views
    images = problem.encoding.images_per_genome
    assert problem.size is not None
    height, width = problem.size
    what = f"encoding.size={height}x{width}: reading one image of that size"
    instead = "write a smaller size"
    if images > 1:
        what = f"encoding: reading the {images} images of one genome"
        instead = "write fewer"
    if views > 1:
        what = f"views={views}: reading one image under so many views"
        instead = "write fewer"
    needed = float(BYTES_PER_PIXEL * height * width)
    if search.gradient:
        needed = max(needed, _gradient_bytes(problem.network, problem.layers, problem.size))
    check_fits(needed * views * images, what, instead, device)
    count = search.individuals * (1 if search.shared_population else len(rows))
    genome = problem.start(rows.select(slice(1)))
    what = f"search: keeping {count} genomes of {genome.numel()} numbers"
    instead = "lower its population (batch, memory), or name fewer targets or smaller images"
    check_fits(count * float(genome.nbytes), what, instead, device)


def _gradient_bytes(network: Network, layers: Sequence[str], size: tuple[int, int]) -> float:
    """The least bytes that are kept for the gradient of `layers` by an image of `size`.

    One for each output of the convolutions and linear layers up to the deepest of `layers`: two in
    bfloat16, and half of them, where two outputs are added and only the sum is kept.
    """
    names = list(network.layers)
    depth = max((names.index(name) + 1 for name in layers), default=0)
    values = sum(
        torch.Size(network.layers[name]).numel()
        for name in names[:depth]
        if name != OUTPUT and isinstance(network.part(name), (*CONVOLUTIONS, nn.Linear))
    )
    height, width = network.size_read(size)
    return values * height * width / (network.size[0] * network.size[1])


def check_fits(needed: float, what: str, instead: str, device: torch.device) -> None:
    """Raises InputError where `what` needs more bytes than `device` has.

    Args:
        needed: bytes.
        what: the operation that needs them, with the user's key and number.
        instead: what to do about it.
        device: where it would be.
    """
    total = total_memory(device)
    if needed > total:
        gigabytes = f"{min(needed, 1e15) / 1e9:,.0f} GB{' or more' * (needed > 1e15)}"
        raise InputError(
            f"{what} takes {gigabytes}, and {device} has {total / 1e9:,.0f} GB; {instead}."
        )
