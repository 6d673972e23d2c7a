"""The networks in the box, loaded from a weights file that says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from console import write_weights
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_worlds import overflowing

from synth.errors import InputError
from synth.networks.architectures.mini_resnet import mini_resnet
from synth.networks.bundled import bundled
from synth.networks.metadata import classifier_metadata

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


DAMAGES = {
    "size": ["0", "-5", "7", "8193", "1e6", "Infinity", "NaN", "64.0", '"64"', "true", "[64]"],
    "classes": ["[", "[" * 100_000, "{}", "[]", "[1]", "null", '[{"name": 7}]', '[{"wnid": "n1"}]'],
    "mean": ["[NaN, 0, 0]", "[0, 0]", "[Infinity, 0, 0]", '["a", 0, 0]', "[1e999, 0, 0]", "0.5"],
    "std": ["[0, 1, 1]", "[-1, 1, 1]", "[NaN, 1, 1]", "[1, 1, 1, 1]", "null", "[true, 1, 1]"],
}


@pytest.mark.parametrize("key", DAMAGES)
def test_damaged_metadata_is_refused_in_one_line(tmp_path: Path, key: str) -> None:
    usual = {"classes": json.dumps(CLASSES), "size": "32", "mean": "[0, 0, 0]", "std": "[1, 1, 1]"}
    path = tmp_path / "w.safetensors"
    assert classifier_metadata(usual, path).size == (32, 32)
    for value in DAMAGES[key]:
        with pytest.raises(InputError, match=r"cannot be used|carries no readable") as error:
            classifier_metadata({**usual, key: value}, path)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 300


@pytest.mark.parametrize("entry", [{"wnid": 7}, {"wnid": ["n1"]}, {"imagenet_index": "1"}])
def test_synsets_and_indices_of_another_kind_are_refused(tmp_path: Path, entry: object) -> None:
    classes = json.dumps([{**CLASSES[0], **entry}, *CLASSES[1:]])  # type: ignore[dict-item]
    with pytest.raises(InputError, match=r"metadata .* cannot be used"):
        bundled("mini_resnet", str(written(tmp_path / "w.safetensors", classes=classes)), "cpu")


def test_classes_of_one_name_are_told_apart_by_index(tmp_path: Path) -> None:
    classes = json.dumps([{"name": "crane", "wnid": w} for w in ("n1", "n2", None)])
    network = bundled(
        "mini_resnet", str(written(tmp_path / "w.safetensors", classes=classes)), "cpu"
    )
    assert network.classes.indices(["crane", "n2", 2]) == [0, 1, 2]


def test_a_size_that_the_architecture_cannot_read_takes_no_memory(tmp_path: Path) -> None:
    for size in ("16", "8192"):
        path = write_weights(tmp_path / "w.safetensors", size=size)
        with pytest.raises(InputError, match=f"{size}x{size} pixels, which mini_alexnet cannot"):
            bundled("mini_alexnet", str(path), "cpu")


def test_weights_whose_output_is_no_number_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "w.safetensors")
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(overflowing(tensors), path, metadata)
    with pytest.raises(InputError, match="with these weights the output is NaN or infinite"):
        bundled("mini_resnet", str(path), "cpu")


def test_more_classes_than_the_weights_have_take_no_memory(tmp_path: Path) -> None:
    classes = json.dumps([{"name": str(place)} for place in range(20_000)])
    with pytest.raises(InputError, match="the weights of another network"):
        bundled("mini_resnet", str(written(tmp_path / "w.safetensors", classes=classes)), "cpu")
