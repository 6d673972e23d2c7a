"""The networks in the box, loaded from a weights file that says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from synth.errors import InputError
from synth.networks.architectures.mini_resnet import mini_resnet
from synth.networks.bundled import bundled

CLASSES = [
    {"name": name, "wnid": f"n0{i}", "imagenet_index": 7 * i}
    for i, name in enumerate(("cat", "dog", "teapot"))
]


def written(path: Path, **changes: str) -> Path:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        state = mini_resnet(classes=3).state_dict()
    metadata = {
        "classes": json.dumps(CLASSES),
        "size": "32",
        "mean": "[0.4, 0.5, 0.6]",
        "std": "[0.2, 0.3, 0.4]",
    }
    halves = {
        key: value.half() if value.is_floating_point() else value for key, value in state.items()
    }
    save_file(halves, path, {**metadata, **changes})
    return path


def test_a_file_carries_classes_size_and_normalisation(tmp_path: Path) -> None:
    path = written(tmp_path / "w.safetensors")
    network = bundled("mini_resnet", str(path), "cpu")
    assert (len(network.classes), network.size) == (3, (32, 32))
    assert network.classes.indices(["teapot", "n01", 0]) == [2, 1, 0]
    assert list(network.classes.imagenet) == [0, 7, 14]
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = mini_resnet(classes=3).half().float().eval()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, std = (
        torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1),
        torch.tensor([0.2, 0.3, 0.4]).view(1, 3, 1, 1),
    )
    with torch.no_grad():
        torch.testing.assert_close(
            network(images), module((images - mean) / std), atol=1e-5, rtol=1e-4
        )
    assert bundled("mini_resnet", str(path), "cpu") is network
    assert bundled(
        "mini_resnet", str(written(tmp_path / "w.safetensors", size="[64, 64]")), "cpu"
    ).size == (64, 64)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "w.safetensors")
    with pytest.raises(
        InputError, match=r"another network than mini_alexnet: it lacks conv1\.weight"
    ):
        bundled("mini_alexnet", str(path), "cpu")
    with pytest.raises(InputError, match=r"no such architecture\. Did you mean mini_resnet"):
        bundled("miniresnet", str(path), "cpu")
    with pytest.raises(InputError, match="carries no readable 'classes'"):
        bundled("mini_resnet", str(written(tmp_path / "w.safetensors", classes="")), "cpu")
    with pytest.raises(InputError, match="no such file"):
        bundled("mini_resnet", str(tmp_path / "absent.safetensors"), "cpu")
