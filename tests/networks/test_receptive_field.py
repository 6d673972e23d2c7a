"""Receptive fields: geometry against gradients, and both against the closed form of a chain."""

from __future__ import annotations

import torch
from small_worlds import wrapped
from torch import Tensor, nn
from torch.nn import functional

from synth.networks.receptive_field import receptive_fields, support

SIZE = (41, 30)


class Branched(nn.Module):
    """Shortcuts, concatenations, functions, channels last, and windows of unequal length."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 5, stride=2, padding=1)
        self.wide = nn.Conv2d(4, 4, 3, padding=2, dilation=2, bias=False)
        self.narrow = nn.Conv2d(4, 4, (1, 5), padding=(0, 2))
        self.joined = nn.Conv2d(8, 6, 1)
        self.last = nn.LayerNorm(6)
        self.mix = nn.Linear(6, 8)
        self.shuffled = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.pooled = nn.AdaptiveAvgPool2d((4, 3))
        self.deep = nn.Conv2d(8, 8, 2)
        self.gate = nn.Conv2d(8, 8, 1)
        self.gated = nn.Identity()
        self.fc = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.stem(images)), 3, 2, padding=1)
        x = torch.cat([self.wide(x) + x, functional.relu_(self.narrow(x))], dim=1)
        x = functional.pad(self.joined(x), (2, 0, 1, 1))
        x = functional.gelu(self.mix(self.last(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)
        n, c, h, w = x.shape
        x = self.shuffled(x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))
        x = self.deep(functional.avg_pool2d(self.pooled(x), (2, 1)))
        x = self.gated(x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid())
        return self.fc(x.amax((2, 3)))


def test_geometry_is_where_the_gradient_is_at_every_kind_of_layer() -> None:
    torch.manual_seed(0)
    network = wrapped(Branched(), size=SIZE)
    fields = receptive_fields(network)
    partial = 0
    for layer, shape in network.layers.items():
        if len(shape) != 3 or layer in ("gate", "gated"):
            continue
        field = fields[layer]
        for row, column in ((0, 0), (shape[1] // 2, shape[2] // 2), (shape[1] - 1, shape[2] - 1)):
            seen = support(network, layer, row, column)
            assert seen.shape == SIZE
            if not seen.any():  # a place that was padded
                assert layer in ("last", "mix", "shuffled")
                assert row in (0, shape[1] - 1)
                continue
            rows, columns = (seen.any(axis).nonzero()[:, 0].tolist() for axis in (1, 0))
            top, left, bottom, right = field.box(row, column)
            box = (max(top, 0), max(left, 0), min(bottom, SIZE[0]), min(right, SIZE[1]))
            assert box == (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1), (layer, row)
            assert field.boxes[row, column].tolist() == [top, left, bottom, right]
            partial += box != (0, 0, *SIZE)
    assert partial > 15
    assert fields["gated"].whole  # through the gate each place sees every other
    assert fields["output"].extent == SIZE
    assert not fields["joined"].whole


def test_a_chain_has_the_sizes_of_the_closed_form() -> None:
    kernels, strides = (7, 3, 5, 3), (2, 2, 1, 3)
    parts: list[nn.Module] = []
    for kernel, stride in zip(kernels, strides, strict=True):
        parts += [nn.Conv2d(3, 3, kernel, stride, kernel // 2), nn.ReLU()]
    network = wrapped(
        nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5)),
        size=(96, 96),
    )
    fields = receptive_fields(network)
    size, step = 1, 1
    for number, (kernel, stride) in enumerate(zip(kernels, strides, strict=True)):
        size, step = size + (kernel - 1) * step, step * stride
        field = fields[str(2 * number)]
        assert field.extent == (size, size)
        assert field.stride == (step, step)
        assert field.box(0, 0)[0] <= 0 < field.box(0, 0)[2]


def test_attention_sees_the_whole_image_and_so_does_what_cannot_be_followed(monkeypatch) -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cut = nn.Conv2d(3, 8, 4, 4)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.fc = nn.Linear(8, 5)

        def forward(self, images: Tensor) -> Tensor:
            tokens = self.cut(images).flatten(2).mT
            return self.fc(self.attention(tokens, tokens, tokens)[0].mean(1))

    network = wrapped(Tokens())
    fields = receptive_fields(network)
    assert fields["cut"].extent == (4, 4)
    assert fields["attention"].extent == (16, 16)
    assert support(network, "attention", 1, 2).all()

    def fails(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr("synth.networks.receptive_field._spans_of_layers", fails)
    assert receptive_fields(network)["cut"].extent == (16, 16)
