"""Networks of timm: what they carry themselves, by name, without the web."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from console import CONF
from hydra.core.config_store import ConfigStore

from synth.config.networks import loader_of, offer_classifiers, timm_models
from synth.errors import InputError
from synth.networks import timm as loader
from synth.networks.timm import timm

library = pytest.importorskip("timm", reason="timm is an extra")
NAME = "test_vit"  # the smallest transformer, 160x160 pixels


def test_the_names_are_those_that_timm_lists() -> None:
    assert list(timm_models()) == sorted(library.list_models())
    assert loader_of("resnet18") == "torchvision"  # which comes first
    assert loader_of(NAME) == loader_of(f"{NAME}.r160_in1k") == "timm"
    assert loader_of("resnet5") is None


def test_size_normalisation_classes_and_places_are_the_models_own(tmp_path: Path) -> None:
    network = timm(NAME, "random", "cpu")
    assert network.size == (160, 160)
    assert network.mean.flatten().tolist() == [0.5] * 3
    assert network.classes.index("goldfish") == network.classes.index("n01443537") == 1
    assert network.layers["blocks.3"] == network.layers["patch_embed"] == (64, 10, 10)
    assert network.layers["blocks.3.tokens"] == (64, 1, 1)
    assert timm(NAME, "random", "cpu") is network
    images = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    expected = network.read(images, network.layers)
    for name, value in network.read(images, network.layers, fast=True).items():
        assert value.shape[1:] == network.layers[name]
        torch.testing.assert_close(value, expected[name], atol=1e-4, rtol=1e-3)
    # a checkpoint of a parallel training with a head of its own
    module = library.create_model(NAME, num_classes=3)
    state = {f"module.{key}": value for key, value in module.state_dict().items()}
    torch.save({"state_dict": state, "classes": ["a", "b", "c"]}, tmp_path / "w.pth")
    own = timm(NAME, str(tmp_path / "w.pth"), "cpu")
    assert list(own.classes.names) == ["a", "b", "c"]
    with torch.no_grad():
        torch.testing.assert_close(
            own(images), module.eval()((images - 0.5) / 0.5), atol=1e-4, rtol=1e-3
        )


def test_what_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no web here")

    monkeypatch.setattr(loader, "urlopen", offline)
    for name, settings, message in (
        (NAME, {}, r"could not be fetched .*no web here.*; write network\.weights=FILE"),
        ("vit_tini", {}, r"timm has no such model\. Did you mean .*vit_tiny"),
        ("hf-hub:a/b", {}, "timm has no such model"),
        (f"{NAME}.r161_in1k", {}, r"no such weights\. Did you mean test_vit\.r160_in1k"),
        (NAME, {"num_classes": 3}, "no weights of test_vit for another head"),
    ):
        with pytest.raises(InputError, match=message) as error:
            timm(name, device="cpu", **settings)
        assert "\n" not in str(error.value)


def test_its_name_alone_is_an_option() -> None:
    offer_classifiers(CONF, [f"network={NAME}", "network=resnet18"])
    stored = ConfigStore.instance().repo["network"]
    assert stored[f"{NAME}.yaml"].node._target_ == "synth.networks.timm.timm"
    assert stored[f"{NAME}.yaml"].node.name == NAME
    assert stored["resnet18.yaml"].node._target_ == "synth.networks.torchvision.torchvision"
