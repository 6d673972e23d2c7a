"""Mistakes that are refused before torch is imported."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from console import write_weights
from omegaconf import OmegaConf

from synth.config.class_names import BUNDLED, TORCHVISION
from synth.config.early import refuse_early
from synth.errors import InputError


def refused(target: object, written: bool = True, **network: object) -> str:
    network = {"_target_": BUNDLED, "name": "mini_alexnet", **network}
    cfg = OmegaConf.create(
        {"target": target, "network": network, "objective": {"target": "${target}"}}
    )
    settings = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(settings, dict)
    try:
        refuse_early(cfg, settings, ["target"] if written else [])  # type: ignore[arg-type]
    except InputError as error:
        return str(error)
    return ""


def test_classes_of_the_bundled_network_and_of_a_file(tmp_path: Path) -> None:
    weights = str(write_weights(tmp_path / "mine.safetensors"))
    for target in ("goldfish", ["lemon", 3], "all", "random", None, "n01443537"):
        assert not refused(target)
    assert "Did you mean goldfish" in refused("goldfsh")
    assert "classes 0 to 9" in refused(["goldfish", 10], weights=weights)
    assert not refused("goldfsh", written=False)


def test_what_cannot_be_read_is_left_to_the_network(tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"\xff" * 40)
    for weights in ("nowhere", str(tmp_path), str(tmp_path / "cut.safetensors")):
        assert not refused("goldfsh", weights=weights)
    usual = {"_target_": TORCHVISION, "name": "squeezenet1_1", "seed": 0, "num_classes": None}
    assert "Did you mean goldfish" in refused("goldfsh", **usual)
    for other in ({"num_classes": 5}, {"weights": "file.pth"}, {"classes": "names.txt"}):
        assert not refused("goldfsh", **{**usual, **other})


def test_numbers_anywhere() -> None:
    with pytest.raises(InputError, match=r"search.mutate.shares=nan: write a finite number."):
        refuse_early(OmegaConf.create(), {"search": {"mutate": {"shares": [1, math.nan]}}}, [])
