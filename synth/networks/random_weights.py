"""Random weights, the sanity control: what a picture owes to training is not there with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from synth.data.pictures import BUNDLED, bundled_path, picture

RANDOM = "random"  # written in place of a weights file
SHIFT = 0.3  # standard deviation of the shifts of batch normalisation
DEVIATION = 0.02  # of matrices that no layer draws itself, such as embeddings of positions
NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d)
RESETS = ("reset_parameters", "_reset_parameters")  # the latter of attention and transformers
SCALE = re.compile(r"(scale|gamma)(_?\d+)?$")  # names of parameters that multiply


def seeded(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """The module of `build`, whose random numbers come from `seed`; others' are left as they are.

    Args:
        build: makes a module on the CPU.
        seed: of torch's random numbers.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


@torch.no_grad()
def draw(
    module: nn.Module,
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    seed: int = 0,
    anew: bool = False,
) -> nn.Module:
    """Makes of an untrained module a network in which images still differ at the last layer.

    Weights that are all zeros, as a head's may begin, are drawn. Batch normalisation measures its
    means and variances, as in a training: without these, deep networks answer every image with the
    same scores. It does so on the bundled photographs, an image of noise and a grey one, where
    searches start, and its shifts are drawn, or every channel that grey leaves below its mean would
    be dead.

    Args:
        module: is changed.
        size: height and width that it reads.
        mean: by which its images are normalised.
        std: likewise.
        seed: of torch's random numbers.
        anew: whether the weights of all layers are drawn, as torch draws them. Parameters that no
            layer draws are normally distributed with deviation 0.02 (position embeddings, class
            tokens); those that multiply (``scale``, ``gamma``, vectors named ``weight``) become 1,
            other vectors 0. Buffers beside those of batch normalisation stay.

    Returns:
        `module` itself.
    """

    def drawn() -> nn.Module:
        before = {name: (value, value._version) for name, value in module.named_parameters()}
        for part in module.modules():
            zeros = isinstance(part, nn.Linear | nn.Conv2d) and not bool(part.weight.any())
            resets = [getattr(part, name) for name in RESETS if hasattr(part, name)]
            if (anew or zeros) and resets:
                resets[0]()
            if isinstance(part, NORMALISATIONS) and part.affine:
                part.weight.fill_(1.0)
                part.bias.normal_(0.0, SHIFT)
        for name, value in module.named_parameters() if anew else ():
            own, version = before.get(name, (None, 0))
            if value is own and value._version == version:
                _fill(name, value)
        return module

    seeded(drawn, seed)
    norms = [part for part in module.modules() if isinstance(part, NORMALISATIONS)]
    if norms:
        _measure(module.eval(), norms, size, mean, std, seed)
    return module


def _fill(name: str, value: Tensor) -> None:
    """Draws a parameter that no layer draws itself."""
    if SCALE.search(name) or (value.ndim < 2 and name.endswith("weight")):
        value.fill_(1.0)
    elif value.ndim < 2:
        value.zero_()
    else:
        value.normal_(0.0, DEVIATION)


def _measure(
    module: nn.Module,
    norms: Sequence[nn.BatchNorm1d | nn.BatchNorm2d],
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    seed: int,
) -> None:
    """Sets the statistics of `norms` to those of photographs, noise and grey."""
    noise = torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))
    photographs = [picture(bundled_path(name) or name).at(size) for name in BUNDLED]
    images = torch.stack([*photographs, noise, torch.full_like(noise, 0.5)])
    shift, scale = (torch.tensor(tuple(values)).view(3, 1, 1) for values in (mean, std))
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().reset_running_stats()
        norm.momentum = None  # the mean of all batches
    module((images - shift) / scale)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
