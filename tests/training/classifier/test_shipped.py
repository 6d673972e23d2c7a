"""The bundled weights: their descriptions, and their cards against pictures read from the tar."""

from __future__ import annotations

import io
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import synth
from synth.networks.bundled import bundled
from synth.networks.generator import read_generator
from synth.training.classifier.architecture import builder_of
from synth.training.classifier.task import Normalisation, logits_of
from synth.training.classifier.weights import read_weights

FOLDER = Path(synth.__file__).parent / "networks" / "weights"
LIMITS = {"mini_alexnet": 8_000_000, "mini_resnet": 4_000_000}
SHARED = Path(os.environ.get("SYNTH_SHARED", Path(synth.__file__).parents[1] / ".." / "shared"))
TAR = SHARED / "data" / "tiny_imagenet_100_val.tar"


def shipped(name: str) -> Path:
    path = FOLDER / f"{name}.safetensors"
    if not path.exists():
        pytest.skip(f"{path} is not in this checkout")
    return path


@pytest.mark.parametrize("name", LIMITS)
def test_the_shipped_weights_load_and_are_described(name: str) -> None:
    path = shipped(name)
    assert path.stat().st_size <= LIMITS[name]
    tensors, description = read_weights(path)
    assert description is not None
    assert (description.architecture, description.size, len(description.classes)) == (name, 64, 100)
    assert len({label.wnid for label in description.classes}) == 100
    assert all(label.imagenet_index is not None for label in description.classes)
    assert [label.wnid for label in description.classes] == sorted(
        label.wnid or "" for label in description.classes
    )
    assert description.accuracy is not None
    assert description.accuracy >= 0.5
    assert description.command.startswith(f"synth recipe=train_classifier architecture={name}")
    builder_of(name)[1](classes=100, dropout=0.0).load_state_dict(tensors)
    assert f"{description.accuracy:.2%}" in (FOLDER / f"{name}.md").read_text()


@pytest.mark.parametrize("name", LIMITS)
def test_the_card_holds_on_500_pictures(name: str) -> None:
    """Five pictures a class: the standard error of the accuracy is about two percentage points."""
    path = shipped(name)
    if not TAR.exists():
        pytest.skip(
            f"{TAR} is not there; set SYNTH_SHARED to the folder that holds data/{TAR.name}"
        )
    tensors, description = read_weights(path)
    assert description is not None
    assert description.accuracy is not None
    pictures, labels = some_pictures([label.wnid or "" for label in description.classes])
    network = builder_of(name)[1](classes=100, dropout=0.0)
    network.load_state_dict(tensors)
    logits = logits_of(network.eval(), pictures, Normalisation(description.mean, description.std))
    right = (logits.argmax(1) == labels).float().mean().item()
    assert right == pytest.approx(description.accuracy, abs=0.07)


def test_the_shipped_generator_says_what_it_is() -> None:
    path = shipped("mini_alexnet.generator")
    assert path.stat().st_size <= 12_000_000
    module, origin = read_generator(None, "cpu")
    network = bundled("mini_alexnet", device="cpu")
    assert (origin.network, origin.layer, origin.sha256) == (
        "mini_alexnet",
        "relu6",
        network.sha256,
    )
    assert module.code == network.layers["relu6"]
    assert module.size == 64
    assert float(module.least.max()) == 0.0  # after a ReLU every unit is 0 for some picture
    assert origin.command.startswith("synth recipe=train_generator ")
    assert origin.command in (FOLDER / "mini_alexnet.generator.md").read_text()


def test_the_generators_card_holds_on_500_pictures() -> None:
    """Agreement of picture and reconstruction, and the units' statistics, on held-out pictures."""
    shipped("mini_alexnet.generator")
    if not TAR.exists():
        pytest.skip(
            f"{TAR} is not there; set SYNTH_SHARED to the folder that holds data/{TAR.name}"
        )
    module, origin = read_generator(None, "cpu")
    network = bundled("mini_alexnet", device="cpu")
    pictures, _ = some_pictures([name or "" for name in network.classes.synsets])
    images = pictures.float() / 255
    with torch.inference_mode():
        activations = network.read(images, (origin.layer, "output"))
        code = activations[origin.layer]
        drawn = (module(code) * 255).round() / 255
        same = (network(drawn).argmax(1) == activations["output"].argmax(1)).float().mean().item()
    card = (FOLDER / "mini_alexnet.generator.md").read_text()
    (agreement,) = re.findall(r"the same class in picture and reconstruction \| ([\d.]+)%", card)
    assert same == pytest.approx(float(agreement) / 100, abs=0.07)
    standard = (code - module.mean) / module.deviation
    assert float(standard.mean()) == pytest.approx(0.0, abs=0.1)
    assert float(standard.square().mean()) == pytest.approx(1.0, abs=0.2)


def some_pictures(order: list[str]) -> tuple[Tensor, Tensor]:
    """Five validation pictures of each class.

    Args:
        order: synsets, in label order.

    Returns:
        Pictures, uint8 [500, 3, 64, 64], and their labels.
    """
    pixels, labels = [], []
    with tarfile.open(TAR) as archive:
        counts = dict.fromkeys(order, 0)
        for member in archive:
            wnid = Path(member.name).parent.name
            if member.isfile() and counts.get(wnid, 5) < 5:
                counts[wnid] += 1
                file = archive.extractfile(member)
                assert file is not None
                pixels.append(np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB")))
                labels.append(order.index(wnid))
    assert len(labels) == 500
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2), torch.tensor(labels)
