"""Random weights: nothing of a training is left, and nothing of the user's own is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import tiny_module
from torch import Tensor, nn
from torchvision.models import vision_transformer

from synth.networks.random_weights import draw

SIZE = (16, 16)


class Block(nn.Module):
    """Attention, with a scale of its own as in ConvNeXt and CaiT, and a shift."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.layer_scale = nn.Parameter(torch.ones(8, 1))
        self.gamma_1 = nn.Parameter(torch.ones(8))
        self.shift = nn.Parameter(torch.ones(8))

    def forward(self, tokens: Tensor) -> Tensor:
        values = self.attention(tokens, tokens, tokens)[0]
        return self.norm(tokens + values * self.layer_scale.T * self.gamma_1 + self.shift)


class Transformer(nn.Module):
    """Patches, a class token and positions, whose parameters belong to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.positions = nn.Parameter(torch.zeros(1, 17, 8))
        self.block = Block()
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images).flatten(2).mT
        tokens = torch.cat([self.class_token.expand(len(patches), -1, -1), patches], 1)
        return self.head(self.block(tokens + self.positions)[:, 0])


def trained(module: nn.Module) -> nn.Module:
    """Every parameter as a training might leave it: none as any layer would begin."""
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(7.0 + torch.rand_like(value))
    return module


def test_no_trained_tensor_remains() -> None:
    vit = vision_transformer.VisionTransformer(16, 4, 1, 2, 8, 8, num_classes=5)
    for own in (Transformer(), vit, tiny_module()):
        drawn = draw(trained(own), SIZE, (0.5,) * 3, (0.5,) * 3, anew=True)
        values = dict(drawn.named_parameters())
        assert all(value.abs().max() < 6 for value in values.values()), values
    own = draw(trained(Transformer()), SIZE, (0.5,) * 3, (0.5,) * 3, seed=3, anew=True)
    same = draw(trained(Transformer()), SIZE, (0.5,) * 3, (0.5,) * 3, seed=3, anew=True)
    for (name, first), second in zip(own.named_parameters(), same.parameters(), strict=True):
        assert torch.equal(first, second), name
    assert 0.01 < own.positions.std() < 0.03
    assert own.class_token.any()
    for scale in (own.block.layer_scale, own.block.gamma_1):
        assert bool((scale == 1).all())
    assert not own.block.shift.any()
    scores = own.eval()(torch.rand(2, 3, *SIZE))
    assert (scores[0] - scores[1]).abs().max() > 1e-3
    # what is asked for without `anew` is left as it is
    own = trained(Transformer())
    draw(own, SIZE, (0.5,) * 3, (0.5,) * 3)
    assert all(bool((value >= 7).all()) for value in own.parameters())


def test_the_current_folder_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn() -> nn.Module:
        own = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        return draw(own, SIZE, (0.5,) * 3, (0.5,) * 3, anew=True)

    expected = drawn()
    (tmp_path / "china").mkdir()
    (tmp_path / "flower").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    assert torch.equal(drawn()[1].running_mean, expected[1].running_mean)
