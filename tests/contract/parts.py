"""The YAML files of a kind, composed by Hydra and built as the command line builds them.

A new file in ``conf/`` is picked up by its name. Only what cannot be left out (``???``, a picture) is said here.
"""

from __future__ import annotations

from typing import Any

from console import CONF
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from synth.cli.command import build

# what a part cannot do without, by kind/name; SMALL, what makes it quick
NEEDS = {
    "encoding/perturbation": ["+images=[china,flower]", "encoding.epsilon=0.1"],
    "encoding/multifaceted": ["+images=[china,flower]", "encoding.clusters=2"],
    "objective/features": ["+image=china"],
    "objective/gram": ["+style=china"],
    "encoding/universal": ["+images=[china,flower]", "encoding.batch=2", "encoding.mirror=false"],
    "objective/direction": ["objective.terms.it.vector=[" + ",".join(["0.5", "-1"] * 256) + "]"],
    "objective/every_picture": ["+images=[china,flower,china]", "target=null"],
    "objective/guided": ["+guide=flower"],
    "objective/rivals": ["+image=china"],
    "objective/untargeted": ["+image=china"],
    "objective/weighted": [
        "+objective@objective.terms.class=class_logit",
        "+objective@objective.terms.tv=l2",
    ],
    "network/torchvision": ["network.name=squeezenet1_1"],
    "recipe/render": ["run=earlier", "size=8"],
    "recipe/fast_gradient_sign": ["image=china"],
    "recipe/projected_gradient": ["image=china"],
    "recipe/black_box_attack": ["image=china", "budget=20"],
    "recipe/black_box_attack_targeted": ["image=china", "budget=20"],
    "recipe/multifaceted": ["images=pictures", "target=lemon"],
    "recipe/minimal_perturbation": ["image=china"],
    "recipe/critical_samples": ["images=pictures"],
    "recipe/natural_statistics": ["images=pictures"],
    "recipe/texture_nearest": ["size=36", "sample=36"],
    "recipe/stylize": ["image=china", "longest=64"],
    "recipe/train_classifier": ["images=pictures"],
    "recipe/train_generator": ["images=pictures", "width=4"],
    "recipe/train_stylizer": ["style=flower", "images=pictures", "size=64", "crop=48", "width=4"],
    "recipe/universal_perturbation": ["images=pictures", "target=null"],
}
SMALL = {
    "search/genetic": ["search.population=6"],
}
# every name that means "how long", wherever it stands in a recipe, and what is enough for a test
SHORT = {
    "steps": 2,
    "generations": 2,
    "population": 4,
    "epochs": 1,
    "batch": 4,
    "iterations": 2,
    "frames": 2,
}


def names(kind: str) -> list[str]:
    """The names of a kind's YAML files."""
    found = sorted(path.stem for path in (CONF / kind).glob("*.yaml"))
    assert found
    return found


def composed(*overrides: str, config: str = "experiment") -> dict[str, Any]:
    """The resolved configuration of an experiment with `overrides`."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = OmegaConf.to_container(compose(config, overrides=list(overrides)), resolve=True)
    assert isinstance(settings, dict)
    return settings


def unresolved(*overrides: str, config: str = "config") -> dict[str, Any]:
    """The same as it is written, ``${...}`` and ``???`` included."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = OmegaConf.to_container(compose(config, overrides=list(overrides)), resolve=False)
    assert isinstance(settings, dict)
    return settings


def part(kind: str, name: str, *overrides: str) -> Any:
    """The object that ``conf/KIND/NAME.yaml`` describes."""
    words = [*NEEDS.get(f"{kind}/{name}", []), *SMALL.get(f"{kind}/{name}", []), *overrides]
    if kind == "objective" and name != "weighted":
        words = [f"+objective@objective.terms.it={name}", *words]
        return build(composed(*words)["objective"]["terms"]["it"], [])
    if kind == "objective":
        return build(composed(*words)["objective"], [])
    return build(composed(f"{kind}={name}", *words)[kind], [])
