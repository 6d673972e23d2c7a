"""The stylizer against the definitions of its parts, its file, and the bundled one."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from small_worlds import overflowing
from torch import nn

from synth.errors import InputError
from synth.networks import weights_io
from synth.networks.stylizer import NEAR, SHIPPED, About, Stylizer, read_stylizer, write_stylizer

ABOUT = About(4, 2, "instance", "waves.png", 64, "tiny", "ab" * 32, "synth recipe=train_stylizer")


def untrained(norm: str = "instance") -> Stylizer:
    """A small one whose normalisations, 1 and 0 at the start, do something."""
    stylizer = Stylizer(4, 2, norm)
    for part in stylizer.modules():
        if isinstance(part, nn.GroupNorm | nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias)
    return stylizer


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (32, 16), (31, 50)])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_any_size_comes_back(size: tuple[int, int], norm: str) -> None:
    images = torch.rand(2, 3, *size)
    output = untrained(norm)(images).detach()
    assert output.shape == images.shape
    assert output.is_contiguous()
    assert float(output.min()) >= 0
    assert float(output.max()) <= 1


def test_it_draws_over_what_it_keeps_of_the_photograph() -> None:
    """sigmoid(d + sigmoid(k) logit(x)): all of x where k is large, none where it is small."""
    stylizer, images = Stylizer(4, 2), torch.rand(2, 3, 20, 24)
    nn.init.zeros_(stylizer.last.weight)
    for output, share, expected in (
        (0.0, 90.0, images.clamp(NEAR, 1 - NEAR)),
        (1.0, -90.0, torch.full_like(images, 1.0).sigmoid()),
        (1.0, 0.0, (1.0 + 0.5 * images.logit(NEAR)).sigmoid()),
    ):
        with torch.no_grad():
            stylizer.last.bias[:3], stylizer.last.bias[3] = output, share
            assert torch.allclose(stylizer(images), expected, atol=1e-5)


def test_instance_norm_is_what_ulyanov_says() -> None:
    """(x - mean) / sqrt(variance + eps) over the places of a channel, scaled and shifted."""
    stylizer = untrained()
    layer = stylizer.down[0]
    values = torch.randn(3, 4, 12, 10) * 5 + 2
    normalised = layer.norm(layer.conv(values)).detach().numpy()
    inputs = layer.conv(values).detach().double().numpy()
    mean, variance = inputs.mean((2, 3), keepdims=True), inputs.var((2, 3), keepdims=True)
    scale, shift = (
        value.detach().double().numpy()[:, None, None]
        for value in (layer.norm.weight, layer.norm.bias)
    )
    np.testing.assert_allclose(
        normalised, (inputs - mean) / np.sqrt(variance + 1e-5) * scale + shift, atol=1e-4
    )
    mine = nn.InstanceNorm2d(8, affine=True)
    mine.load_state_dict(layer.norm.state_dict())
    assert torch.allclose(
        layer.norm(values.repeat(1, 2, 1, 1)), mine(values.repeat(1, 2, 1, 1)), atol=1e-4
    )


def test_a_picture_is_drawn_alike_in_any_company() -> None:
    stylizer, images = untrained(), torch.rand(3, 3, 16, 16)
    assert torch.allclose(stylizer(images)[:1], stylizer(images[:1]), atol=1e-5)
    batch = untrained("batch").train()
    assert not torch.allclose(batch(images)[:1], batch(images[:1]), atol=1e-3)


def test_a_flat_picture_stays_flat() -> None:
    """No checkerboard and no border: a constant image gives a constant image."""
    flat = torch.tensor([0.2, 0.5, 0.7]).view(1, 3, 1, 1).expand(1, 3, 20, 36)
    output = untrained("batch").eval()(flat).detach()
    assert float((output - output[:, :, :1, :1]).abs().max()) < 1e-5
    assert float((output - flat).abs().max()) > 0.01


def test_a_file_gives_back_what_it_was_written_from(tmp_path: Path) -> None:
    stylizer, path = untrained(), tmp_path / "deep" / "waves.safetensors"
    write_stylizer(path, stylizer.state_dict(), ABOUT)
    again, about = read_stylizer(path, "cpu")
    assert about == ABOUT
    assert not again.training
    assert not any(weight.requires_grad for weight in again.parameters())
    for name, value in stylizer.state_dict().items():
        assert torch.equal(again.state_dict()[name], value.half().float()), name


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    def refused(path: Path, message: str) -> None:
        with pytest.raises(
            InputError, match=f"^weights={re.escape(str(path))}: {message}"
        ) as error:
            read_stylizer(path, "cpu")
        assert "\n" not in str(error.value)

    refused(tmp_path / "none.safetensors", "no such file")
    Image.new("RGB", (9, 9)).save(tmp_path / "style.png")
    refused(
        tmp_path / "style.png",
        "a picture, and a style has to be learned first: recipe=train_stylizer",
    )
    (tmp_path / "bytes.safetensors").write_bytes(b"\0" * 99)
    refused(tmp_path / "bytes.safetensors", "not a whole safetensors file")
    refused(SHIPPED.parent / "mini_alexnet.safetensors", "not of a stylizer")
    save_file({"a": torch.ones(1)}, tmp_path / "odd.safetensors", {"stylizer": '{"width": "wide"}'})
    refused(tmp_path / "odd.safetensors", "not of a stylizer")
    torch.save(untrained().state_dict(), tmp_path / "plain.pt")
    refused(tmp_path / "plain.pt", "not of a stylizer")
    write_stylizer(tmp_path / "wider.safetensors", Stylizer(8, 2).state_dict(), ABOUT)
    refused(tmp_path / "wider.safetensors", "the weights of another network")


@pytest.mark.parametrize(
    ("shape", "message"),
    [((0, 1), "^width=0"), ((4, -1), "^blocks=-1"), ((4, 1, "batsch"), "batch")],
)
def test_shapes_that_cannot_be(shape: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Stylizer(*shape)


def test_the_one_in_the_box() -> None:
    stylizer, about = read_stylizer(device="cpu")
    assert SHIPPED.stat().st_size < 1_000_000
    assert SHIPPED.with_suffix(".jpg").stat().st_size < 200_000
    assert about.style == SHIPPED.with_suffix(".jpg").name
    assert about.command in SHIPPED.with_suffix(".md").read_text()
    images = torch.rand(1, 3, 33, 20)
    with torch.inference_mode():
        assert bool((stylizer(images) - images).abs().mean() > 0.1)


@pytest.mark.parametrize(
    "change",
    [{"width": -1}, {"width": 256, "blocks": 64}, {"width": 4.5}, {"blocks": 65}, {"norm": 7}],
)
def test_damaged_metadata_is_refused_without_memory(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "s.safetensors"
    about = json.dumps(asdict(ABOUT) | change)
    weights_io.write(path, untrained().state_dict(), {"stylizer": about})
    with pytest.raises(InputError, match=r"not of a stylizer|the weights of another network"):
        read_stylizer(path, "cpu")


def test_weights_whose_output_is_no_number_are_refused(tmp_path: Path) -> None:
    tensors = overflowing(untrained("batch").state_dict())
    path = tmp_path / "s.safetensors"
    save_file(tensors, path, {"stylizer": json.dumps(asdict(ABOUT) | {"norm": "batch"})})
    with pytest.raises(InputError, match="with these weights the output is NaN or infinite"):
        read_stylizer(path, "cpu")
    for text in ("[" * 100_000, "[]", "{"):
        weights_io.write(path, untrained().state_dict(), {"stylizer": text})
        with pytest.raises(InputError, match="not of a stylizer"):
            read_stylizer(path, "cpu")
