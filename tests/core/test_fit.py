"""With fit=True images of any size are scaled to the network's."""

from __future__ import annotations

import torch
from small_worlds import tiny_module
from torch.nn import functional

from synth.core.network import Network


def _network(fit: bool) -> Network:
    mean = (0.5, 0.5, 0.5)
    std = (0.2, 0.2, 0.2)
    return Network(tiny_module(), size=(16, 16), mean=mean, std=std, device="cpu", fit=fit)


def test_other_sizes_are_scaled_first() -> None:
    network, plain = _network(True), _network(False)
    images = torch.rand(2, 3, 40, 24, generator=torch.Generator().manual_seed(0)).requires_grad_()
    scaled = functional.interpolate(images, (16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(network(images), plain(scaled))
    assert network.read(images, ["conv2"])["conv2"].shape == (2, 12, 8, 8)
    (gradient,) = torch.autograd.grad(network(images).sum(), images)
    assert bool((gradient != 0).any(1).all())  # no pixel is passed over
    own = scaled.detach()
    assert torch.equal(network(own), plain(own))
