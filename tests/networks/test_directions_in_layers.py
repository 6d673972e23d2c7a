"""Directions of a layer: the layer that they are, against a sum over channels, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from synth.core.layers import Layer, along
from synth.core.network import Network
from synth.errors import InputError
from synth.networks.directions import directed, directions_of
from synth.networks.receptive_field import receptive_fields


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 16, 16)


@pytest.mark.parametrize("layer", ["conv2", "fc", "output"])
def test_directions_are_a_layer_of_projections(
    network: Network, images: Tensor, layer: str
) -> None:
    vectors = torch.randn(4, network.layers[layer][0])
    view, name = directed(network, layer, vectors)
    assert name == "direction"
    assert "direction" not in network.layers
    assert view.layers[name] == (4, *network.layers[layer][1:])
    assert view.layers.keys() - network.layers.keys() == {name}
    with torch.no_grad():
        own = network.read(images, [layer])[layer]
        expected = torch.einsum("nc...,kc->nk...", own.double(), vectors.double()).float()
        values = view.read(images, [name, layer, "conv1"])
        fast = view.read(images, [name], fast=True)[name]
    assert torch.allclose(values[name], expected, atol=1e-4)
    assert torch.equal(values[layer], own)
    assert torch.allclose(fast, expected, atol=0.05 * float(expected.abs().max()))
    fields = receptive_fields(view)
    assert torch.equal(fields[name].boxes, fields[layer].boxes)
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(view.read(leaf, [name])[name].sum(), leaf)
    assert bool(gradient.any())


def test_directions_in_tokens() -> None:
    tokens, vectors = torch.randn(2, 7, 5), torch.randn(3, 5)  # a class token and 2 x 3 places
    layer = Layer("block", (3, 2, 3), layout="tokens", extra=1, directions=vectors)
    expected = (tokens[:, 1:] @ vectors.mT).mT.unflatten(2, (2, 3))
    assert torch.allclose(layer.read(tokens), expected, atol=1e-5)
    assert torch.allclose(along(tokens[:, 0], vectors), tokens[:, 0] @ vectors.mT, atol=1e-5)


def test_files_and_arrays_hold_the_same_vectors(tmp_path: Path) -> None:
    vectors = torch.randn(3, 12)
    np.save(tmp_path / "v.npy", vectors.double().numpy())
    save_file({"directions": vectors, "other": torch.ones(2, 2)}, tmp_path / "v.safetensors")
    save_file({"basis": vectors.half(), "mean": torch.ones(12)}, tmp_path / "w.safetensors")
    for source in (tmp_path / "v.npy", str(tmp_path / "v.safetensors"), vectors, vectors.numpy()):
        assert torch.equal(directions_of(source), vectors)
    assert torch.equal(directions_of(tmp_path / "w.safetensors"), vectors.half().float())
    assert torch.equal(directions_of(vectors[0]), vectors[:1])


def test_mistakes_are_refused_in_one_line(network: Network, tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([print], dtype=object), allow_pickle=True)
    (tmp_path / "empty.npy").touch()
    (tmp_path / "torn.safetensors").write_bytes(b"\xff" * 40)
    (tmp_path / "words.txt").write_text("1 2 3")
    both = {"a": torch.ones(2, 3), "b": torch.ones(2, 3)}
    save_file(both, tmp_path / "two.safetensors")
    save_file({"a": torch.ones(2)}, tmp_path / "none.safetensors")
    save_file({"directions": torch.ones(2, 2, 2)}, tmp_path / "cube.safetensors")
    for name, message in {
        "objects.npy": "damaged, or no vectors .*Python objects",
        "empty.npy": "damaged, or no vectors",
        "torn.safetensors": "damaged, or no vectors",
        "two.safetensors": "2 matrices in it and none is called directions",
        "none.safetensors": "no matrix in it",
        "cube.safetensors": "2 x 2 x 2; write vectors",
        "words.txt": r"write a \.safetensors or \.npy file",
        "missing.npy": "no such file",
    }.items():
        with pytest.raises(InputError, match=rf"directions=.*{name}: {message}"):
            directions_of(tmp_path / name)
    for values, message in (
        (torch.full((1, 3), torch.nan), "NaN or infinity"),
        (np.full((1, 3), 1e300), "NaN or infinity"),
        (torch.tensor([[1.0, 0.0], [0.0, 0.0]]), "direction 1 is all zeros"),
        (torch.zeros(0, 3), "0 x 3; write vectors"),
        (np.array(["a"]), "write numbers"),
    ):
        with pytest.raises(InputError, match=message):
            directions_of(values)
    with pytest.raises(InputError, match="of 3 numbers each, but conv2 has 12 channels"):
        directed(network, ["conv2"], torch.ones(1, 3))
    for layers in (None, ["conv1", "conv2"]):
        with pytest.raises(InputError, match="write layer=NAME, the one layer"):
            directed(network, layers, torch.ones(1, 12))
    network._shapes = {**network._shapes, "odd": (5, 7)}
    with pytest.raises(InputError, match="its output is 5 x 7, of which no axis is known"):
        network.with_directions("odd", torch.ones(1, 5))
