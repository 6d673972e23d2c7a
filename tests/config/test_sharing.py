"""Resolving: every contender of a comparison as if it ran alone, with what all have in common."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue

from synth.config.sharing import resolved

SETTINGS = {
    "network": {"name": "a", "fit": False},
    "target": None,
    "start": None,
    "seed": 7,
    "budget": 5,
    "shared": {
        "network": "${network}",
        "target": "${target}",
        "budget": "${budget}",
    },
    "experiments": {
        "one": {"budget": 1, "seed": 2, "target": "lemon", "aim": "${target}", "start": "noise"},
        "two": {
            "network": {"name": "b", "fit": True},
            "start": "${content}",
            "content": "china",
            "norms": {"linf": {"rate": 0.1}},
            "norm": "linf",
            "rate": "${norms.${norm}.rate}",
        },
        "gone": None,
    },
}


def contenders(*written: str, **changes: Any) -> dict[str, Any]:
    return resolved(OmegaConf.create(SETTINGS | changes), written)["experiments"]


def test_keys_of_the_comparison_replace_those_of_every_contender() -> None:
    first, second, gone = contenders().values()
    assert gone is None
    assert first["budget"] == second["budget"] == 5
    assert first["seed"] == second["seed"] == 7
    assert first["network"] == {"name": "a", "fit": False}


def test_null_is_a_value_under_shared_and_leaves_the_contenders_elsewhere() -> None:
    first, second, _ = contenders().values()
    assert first["target"] is None
    assert first["aim"] is None
    assert (first["start"], second["start"]) == ("noise", "china")
    first, second, _ = contenders(start="mean").values()
    assert (first["start"], second["start"]) == ("mean", "mean")


def test_keys_that_a_contender_lists_stay_its_own() -> None:
    experiments = {"photograph": {"own": ["start"], "start": "china", "seed": 1}}
    (contender,) = contenders(start="mean", experiments=experiments).values()
    assert (contender["start"], contender["seed"]) == ("china", 7)


def test_a_contender_finds_what_its_own_recipe_refers_to() -> None:
    assert contenders()["two"]["rate"] == 0.1


def test_a_recipe_that_scales_pictures_to_its_network_still_does() -> None:
    assert contenders()["two"]["network"] == {"name": "a", "fit": True}


def test_what_the_user_wrote_for_one_contender_is_not_replaced() -> None:
    second = contenders("experiments.two.budget", "network@experiments.two.network")["two"]
    assert second["network"] == {"name": "b", "fit": True}
    assert "budget" not in second


def test_what_is_no_comparison_is_resolved_as_it_stands() -> None:
    cfg = OmegaConf.create({"target": "lemon", "search": {"aim": "${target}"}})
    assert resolved(cfg) == {"target": "lemon", "search": {"aim": "lemon"}}
    with pytest.raises(MissingMandatoryValue):
        resolved(OmegaConf.create({"images": "???"}))
    with pytest.raises(InterpolationKeyError):
        resolved(OmegaConf.create({"images": "${pictures}"}))
