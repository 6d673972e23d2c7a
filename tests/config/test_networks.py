"""Any classifier of torchvision as an option, by names that are read without importing torch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from console import CONF, Synth, result_of
from torchvision import models

from synth.config.networks import classifiers, offer_classifiers

pytest_plugins = "console_fixtures"


def test_the_names_are_those_that_torchvision_lists() -> None:
    assert list(classifiers()) == sorted(models.list_models(module=models))


def test_a_name_is_the_same_as_torchvision_with_that_name(synth: Synth, tmp_path: Path) -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        torch.save(models.squeezenet1_0().state_dict(), tmp_path / "w.pth")
    same = {}
    for place, words in enumerate(
        (["network=squeezenet1_0"], ["network=torchvision", "network.name=squeezenet1_0"])
    ):
        ran = synth("recipe=layers", *words, "network.weights=w.pth", f"folder={place}")
        assert ran.code == 0, ran.err
        same[place] = {**result_of(tmp_path / str(place))["network"]}
        same[place]["configuration"] = result_of(tmp_path / str(place))["configuration"]
    assert same[0] == same[1]
    assert same[0]["name"] == "squeezenet1_0"


@pytest.mark.parametrize("word", ["network=vgg91", "network=vgg19_bm", "network@transfer=vgg91"])
def test_a_typing_mistake_is_answered_with_the_nearest(word: str, synth: Synth) -> None:
    recipe = "fooling_comparison" if "@" in word else "layers"
    assert "vgg19" in synth(f"recipe={recipe}", word).complaint


def test_an_option_of_the_folder_comes_first() -> None:
    from hydra.core.config_store import ConfigStore

    offer_classifiers(CONF, ["network=vgg16,vgg13", "+network@transfer=vgg11", "search=vgg11_bn"])
    stored = ConfigStore.instance().list("network")
    assert {"vgg13.yaml", "vgg11.yaml"} <= set(stored)
    assert not {"vgg16.yaml", "vgg11_bn.yaml"} & set(stored)
