"""Transformers: tokens and maps with the channels last are read as places x channels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import synth
from synth.core.network import OUTPUT, Network
from synth.networks.module import wrap
from synth.networks.style_layers import (
    code_layer,
    content_layer,
    dream_layer,
    penultimate_layer,
    style_layers,
    unit_layer,
)

WIDTH = 12
PATCH = 4


class Block(nn.Module):
    """A block of a transformer, on tokens [n, t, c]."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, 20)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(20, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        normal = self.norm1(tokens)
        tokens = tokens + self.attention(normal, normal, normal, need_weights=False)[0]
        return tokens + self.fc2(self.act(self.fc1(self.norm2(tokens))))


class Transformer(nn.Module):
    """A ViT for pictures of 16x24 pixels, with a class token and `registers` beside it.

    Args:
        registers: further tokens that belong to no place.
        fixed: whether it has a learnt position for each place, and thus reads one size only.
        convolutional: whether a convolution cuts the patches, or a reshaping.
    """

    def __init__(self, registers: int = 1, fixed: bool = True, convolutional: bool = True) -> None:
        super().__init__()
        if convolutional:
            self.patches: nn.Module = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        else:
            self.patches = nn.Linear(3 * PATCH * PATCH, WIDTH)
        self.extra = nn.Parameter(torch.randn(1, 1 + registers, WIDTH))
        self.places = nn.Parameter(torch.randn(1, 24, WIDTH) if fixed else torch.zeros(1, 1, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(4))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, images: Tensor) -> Tensor:
        if isinstance(self.patches, nn.Conv2d):
            tokens = self.patches(images).flatten(2).mT
        else:
            patches = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
            tokens = self.patches(patches.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2))
        tokens = tokens + self.places
        tokens = torch.cat([self.extra.expand(len(images), -1, -1), tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens)[:, 0])


class Hierarchy(nn.Module):
    """Maps with the channels last, as Swin and ConvNeXt have them; batch normalisation at first."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        self.batch_norm = nn.BatchNorm2d(8)
        self.norm = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 8)
        self.act = nn.GELU()
        self.merge = nn.Linear(32, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.batch_norm(self.patches(images)).permute(0, 2, 3, 1)
        maps = maps + self.act(self.fc(self.norm(maps)))
        corners = [maps[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        return self.head(self.merge(torch.cat(corners, -1)).mean((1, 2)))


def network_of(build, size: tuple[int, int] = (16, 24), **settings: object) -> Network:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = build(**settings)
    return wrap(module, 0.5, 0.25, size, device="cpu", precision="float32")


def images_of(*size: int) -> Tensor:
    return torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "settings", [{}, {"registers": 0}, {"registers": 4}, {"convolutional": False}]
)
def test_tokens_are_places_and_those_of_no_place_stand_apart(settings: dict) -> None:
    network = network_of(Transformer, **settings)
    extra = 1 + settings.get("registers", 1)
    assert network.layers["blocks.1"] == (WIDTH, 4, 6)
    assert network.layers["blocks.1.act"] == (20, 4, 6)
    assert network.layers["blocks.1.attention"] == (WIDTH, 4, 6)
    assert network.layers["blocks.1.tokens"] == (WIDTH, extra, 1)
    tokens: list[Tensor] = []
    network.module.blocks[1].register_forward_hook(lambda _, __, out: tokens.append(out))
    images = images_of(16, 24)
    values = network.read(images, network.layers)
    assert {name: value.shape[1:] for name, value in values.items()} == network.layers
    for place in ((0, 0), (1, 5), (3, 2)):
        row = tokens[0][:, extra + 6 * place[0] + place[1]]
        assert torch.equal(values["blocks.1"][:, :, *place], row)
    assert torch.equal(values["blocks.1.tokens"][..., 0], tokens[0][:, :extra].mT)
    # a patch of the picture is at its place: only there the embedding changes
    changed = images.clone()
    changed[:, :, 4:8, 20:24] = 0
    first = network.read(changed, ["patches"])["patches"] - values["patches"]
    assert first.abs().amax((0, 1)).nonzero().tolist() == [[1, 5]]


def test_any_other_size_has_its_own_grid_where_it_can_be_read() -> None:
    network = network_of(Transformer, fixed=False)
    assert not network.one_size
    for size in ((16, 24), (24, 16), (32, 32), (8, 40)):
        shape = network.read(images_of(*size), ["blocks.2"])["blocks.2"].shape
        assert shape == (3, WIDTH, size[0] // PATCH, size[1] // PATCH)


def test_one_size_is_said_and_pictures_are_fitted() -> None:
    network = network_of(Transformer)
    assert network.one_size
    assert network.reads((40, 40), ["blocks.3"])
    assert network.size_read((40, 40)) == (16, 24)
    images = images_of(40, 50).requires_grad_()
    fitted = nn.functional.interpolate(images, (16, 24), mode="bilinear", antialias=True)
    torch.testing.assert_close(network(images), network(fitted))
    (gradient,) = torch.autograd.grad(
        network.read(images, ["blocks.3"], fast=True)["blocks.3"].sum(), images
    )
    assert bool(gradient.any())


def test_maps_with_the_channels_last() -> None:
    network = network_of(Hierarchy, size=(16, 16))
    expected = {"patches": (8, 8, 8), "norm": (8, 8, 8), "act": (8, 8, 8), "merge": (16, 4, 4)}
    assert {name: network.layers[name] for name in expected} == expected
    outputs: dict[str, Tensor] = {}
    for name in ("norm", "fc", "merge"):

        def keep(_: nn.Module, __: object, out: Tensor, name: str = name) -> None:
            outputs.setdefault(name, out)

        network.part(name).register_forward_hook(keep)
    images = images_of(16, 16)
    with torch.no_grad():
        values = network.read(images, network.layers)
    for name, output in list(outputs.items()):
        assert torch.equal(values[name], output.permute(0, 3, 1, 2)), name
    # folded batch normalisation gives the same, and the grid of another size is its own
    for name, value in network.read(images, network.layers, fast=True).items():
        torch.testing.assert_close(value, values[name], atol=1e-5, rtol=1e-4)
    assert network.read(images_of(24, 32), ["merge"])["merge"].shape == (3, 16, 6, 8)


def test_default_layers_are_its_own() -> None:
    network = network_of(Transformer)
    blocks = [f"blocks.{place}" for place in range(4)]
    assert style_layers(network) == blocks
    assert content_layer(network) == "blocks.2"
    assert dream_layer(network) == unit_layer(network) == "blocks.1"
    # the head reads the class token
    assert penultimate_layer(network) == code_layer(network) == "norm.tokens"


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("neuron_ascent", {"unit": 2}),
        ("neuron_ascent", {"unit": 1, "layer": "blocks.3.tokens"}),
        ("deepdream", {"size": 24, "overrides": ["search.count=1"]}),
        ("deepdream", {"size": 24, "overrides": ["search.count=1", "guide=flower"]}),
        ("diversity", {"unit": 1}),
        ("feature_inversion", {}),
        ("style_transfer", {"size": 24}),
    ],
)
def test_recipes_run_unchanged(recipe: str, settings: dict) -> None:
    result = synth.run(
        recipe, network=network_of(Transformer), steps=2, device="cpu", progress=False, **settings
    )
    assert result.status == "done"
    images = result.images
    assert bool(images.isfinite().all())
    assert images.std() > 0.002


def test_a_direction_is_one_of_channels() -> None:
    network = network_of(Transformer)
    vector = [float(place == 3) for place in range(WIDTH)]
    result = synth.run(
        "neuron_ascent",
        network=network,
        steps=2,
        device="cpu",
        progress=False,
        overrides=["objective@objective.terms.unit=direction", "layer=blocks.2"],
        objective={"terms": {"unit": {"vector": vector}}},
    )
    assert [item.target for item in result.items] == ["blocks.2:direction"]
    assert network.read(result.images, [OUTPUT])[OUTPUT].shape == (1, 5)
