"""torchvision's classifiers against its own modules and against labelled photographs."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from PIL import Image
from torchvision import models

import synth
from synth.data import Picture
from synth.errors import InputError
from synth.networks.torchvision import _load, torchvision

SHARED = Path(os.environ.get("SYNTH_SHARED", Path(synth.__file__).parents[1] / ".." / "shared"))


def saved(name: str, folder: Path, **options: object) -> tuple[torch.nn.Module, Path]:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = models.get_model(name, weights=None, **options)
    torch.save(module.state_dict(), folder / f"{name}.pth")
    return module.eval(), folder / f"{name}.pth"


def test_a_file_fills_the_module_and_imagenet_normalises_it(tmp_path: Path) -> None:
    module, path = saved("squeezenet1_1", tmp_path)
    network = torchvision("squeezenet1_1", str(path), "cpu")
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    normal = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (normal.mean, normal.std))
    with torch.no_grad():
        torch.testing.assert_close(
            network(images), module((images - mean) / std), atol=1e-5, rtol=1e-4
        )
    assert network.size == (224, 224)
    assert network.classes.label(1) == "goldfish"
    assert network.classes.index("n01443537") == network.classes.index("goldfish") == 1
    assert torchvision("squeezenet1_1", str(path), "cpu") is network  # loaded once


def test_googlenet_sees_inputs_of_mean_and_deviation_one_half(tmp_path: Path) -> None:
    module, path = saved(
        "googlenet", tmp_path, aux_logits=True, init_weights=False, transform_input=False
    )
    for part in module.modules():  # uninitialised convolutions would be anything
        if isinstance(part, (torch.nn.Conv2d, torch.nn.Linear)):
            part.reset_parameters()
    torch.save(module.state_dict(), path)
    network = torchvision("googlenet", str(path), "cpu")
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(
            network(images), module((images - 0.5) / 0.5), atol=1e-5, rtol=1e-3
        )


def test_another_networks_weights_and_unknown_names_are_refused(tmp_path: Path) -> None:
    _, path = saved("squeezenet1_0", tmp_path)
    with pytest.raises(
        InputError, match="the weights of another network than squeezenet1_1"
    ) as error:
        torchvision("squeezenet1_1", str(path), "cpu")
    assert "\n" not in str(error.value)
    with pytest.raises(
        InputError,
        match=r"name=resnet5: torchvision has no such classifier\. Did you mean .*resnet50",
    ):
        torchvision("resnet5")


def test_without_cache_or_web_the_message_says_which_file_to_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no web here")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(
        InputError, match=r"put resnet18-f37072fd\.pth there, or write network\.weights=FILE"
    ):
        torchvision("resnet18")


def test_another_head_and_the_names_of_its_classes(tmp_path: Path) -> None:
    names = ["ant", "bee", "cat", "dog", "eel"]
    module, path = saved("squeezenet1_1", tmp_path, num_classes=5)
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    plain = torchvision("squeezenet1_1", str(path), "cpu")  # as many as the file has
    assert list(plain.classes.names) == ["0", "1", "2", "3", "4"]
    checkpoint = {"model": module.half().state_dict(), "class_to_idx": {}, "epoch": 3}
    checkpoint["class_to_idx"] = {name: place for place, name in enumerate(names)}
    torch.save(checkpoint, tmp_path / "nested.pth")
    named = torchvision("squeezenet1_1", str(tmp_path / "nested.pth"), "cpu", num_classes=5)
    assert list(named.classes.names) == names
    torch.testing.assert_close(named(images), plain(images), atol=1e-2, rtol=1e-2)
    with pytest.raises(
        InputError, match=r"num_classes=5: torchvision's weights of .* are for 1000"
    ):
        torchvision("resnet18", num_classes=5)
    with pytest.raises(InputError, match="another network than squeezenet1_1"):
        torchvision("squeezenet1_1", str(path), "cpu", num_classes=6)


def test_random_weights_are_seeded_and_alive() -> None:
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    images[1] *= 0.2
    settings = {"weights": "random", "device": "cpu", "num_classes": 7}
    state = torch.get_rng_state()
    network = torchvision("shufflenet_v2_x0_5", **settings)
    assert torch.equal(torch.get_rng_state(), state)
    first, second = network(images)
    assert (first - second).std() > 0.01 * first.std()  # not the same scores for every image
    _load.cache_clear()
    again = torchvision("shufflenet_v2_x0_5", **settings)
    assert again is not network
    assert torch.equal(again(images), network(images))
    other = torchvision("shufflenet_v2_x0_5", seed=1, **settings)
    assert other.sha256 != network.sha256 == again.sha256


def test_real_weights_know_real_photographs() -> None:
    weights, tar = (
        SHARED / "weights" / "squeezenet1_1.fp16.safetensors",
        SHARED / "data" / "imagenet_samples_500.tar",
    )
    for path in (weights, tar):
        if not path.exists():
            pytest.skip(f"{path.name} is not below SYNTH_SHARED ({SHARED})")
    network = torchvision("squeezenet1_1", str(weights), "cpu")
    images, labels = [], []
    with tarfile.open(tar) as archive:
        for member in [member for member in archive if member.isfile()][::10]:
            stored = archive.extractfile(member)
            assert stored is not None
            picture = Image.open(io.BytesIO(stored.read())).convert("RGB")
            images.append(Picture(member.name, picture).at((224, 224)))
            labels.append(network.classes.index(member.name.split("/")[1]))
    with torch.inference_mode():
        logits = torch.cat(
            [network(torch.stack(images[i : i + 10])) for i in range(0, len(images), 10)]
        )
    right = (logits.argmax(1) == torch.tensor(labels)).float().mean()
    assert (
        right > 0.5
    )  # 65 % on all of them; a wrong mean, class order or channel order leaves far less
