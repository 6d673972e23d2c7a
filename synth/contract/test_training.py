"""The contract of conf/training: a builder that gives finite logits for any number of classes."""

from __future__ import annotations

import torch

from synth.config.building import build
from synth.contract.cases import for_each
from synth.contract.parts import composed


@for_each(name="training")
def test_an_architecture(name: str) -> None:
    builder = build(composed(f"+training@architecture={name}")["architecture"], [])
    network = builder(classes=3, dropout=0.0).eval()
    with torch.inference_mode():
        logits = network(torch.rand(2, 3, 64, 64))
    assert logits.shape == (2, 3)
    assert bool(logits.isfinite().all())
    inplace = [part for part in network.modules() if getattr(part, "inplace", False)]
    assert not inplace, "a hook on a convolution would hold the output of the activation"
