"""Configurations as YAML: the text of OmegaConf, and the same values where an emoji is escaped."""

from __future__ import annotations

import pytest
from console import CONF
from omegaconf import OmegaConf

from synth.config.yaml_text import yaml_of

TEXTS = [
    "yes",
    "1e3",
    "金魚",
    "a b: c",
    "x" * 300 + " y" * 80,
    "a\nb",
    "\x1b[0m",
    "${x.y}",
    "😀",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_read_back(text: str) -> None:
    cfg = OmegaConf.create({"a": [text, {text: 1.5}]})
    assert OmegaConf.to_container(OmegaConf.create(yaml_of(cfg)), resolve=False) == {
        "a": [text, {text: 1.5}]
    }


def test_it_is_the_text_of_omegaconf() -> None:
    for path in sorted(CONF.glob("recipe/f*.yaml")):
        cfg = OmegaConf.load(path)
        assert yaml_of(cfg) == OmegaConf.to_yaml(cfg)
