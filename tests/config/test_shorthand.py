"""``steps=`` and ``size=`` under the keys of each recipe."""

from __future__ import annotations

import pytest

from synth.config.shorthand import expanded
from synth.errors import InputError


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("recipe=class_ascent steps=3 size=32", "search.steps=3 encoding.size=32"),
        ("recipe=class_ascent search=genetic steps=3", "search=genetic search.generations=3"),
        ("recipe=deepdream size=96 steps=3", "encoding.longest=96 search.steps=3"),
        ("recipe=deepdream size=[48,96]", "encoding.size=[48,96] encoding.longest=null"),
        (
            "recipe=deepdream image=null size=48",
            "image=null encoding.size=48 encoding.longest=null",
        ),
        ("recipe=deepdream encoding.size=48", "encoding.size=48 encoding.longest=null"),
        (
            "recipe=texture encoding=canvas encoding.longest=48",
            "encoding=canvas encoding.longest=48 encoding.size=null",
        ),
        (
            "recipe=deepdream encoding.size=48 encoding.longest=null",
            "encoding.size=48 encoding.longest=null",
        ),
        ("recipe=black_box_attack steps=9", "search.generations=9 budget=null"),
        ("recipe=black_box_attack steps=9 budget=50", "search.generations=9 budget=50"),
        (
            "recipe=multifaceted steps=4",
            "search.stages.first.steps=4 search.stages.second.steps=4 search.stages.third.steps=4",
        ),
        ("recipe=onemax steps=3", "generations=3"),
        ("recipe=stylize size=64", "longest=64"),
        ("recipe=texture_nearest size=64", "size=64"),
        ("recipe=fooling_cma,fooling_genetic steps=3,4", "++search.generations=3,4"),
        ("recipe=layers network=mini_resnet", "network=mini_resnet"),
        ("recipe=neuron_ascent target=direction:0..2 directions=a", "unit=[0,1,2] directions=a"),
        (
            "recipe=neuron_ascent directions=a target=['direction:0..1',direction:7] steps=3",
            "directions=a unit=[0,1,7] search.steps=3",
        ),
        ("recipe=occlusion target=direction:3,direction:5 directions=a", "unit=3,5 directions=a"),
        ("recipe=class_ascent target=a_direction", "target=a_direction"),
    ],
)
def test_the_recipe_s_own_keys(typed: str, written: str) -> None:
    recipe, *words = typed.split()
    assert expanded([recipe, *words]) == [recipe, *written.split()]


def test_every_contender_of_a_comparison() -> None:
    names = ("gradient", "genetic", "cma", "cppn")
    keys = ["steps", "generations", "generations", "generations"]
    steps = [f"experiments.{n}.search.{key}=3" for n, key in zip(names, keys, strict=True)]
    sizes = [f"experiments.{n}.encoding.size=32" for n in names]
    assert expanded(["steps=3", "size=32"]) == [*steps, "budget=null", *sizes]


@pytest.mark.parametrize(
    ("typed", "fragment"),
    [
        ("recipe=stylize steps=3", "steps=3: stylize has no steps to choose."),
        ("recipe=train_classifier steps=3", "write epochs="),
        ("recipe=fast_gradient_sign steps=3", "no steps"),
        ("recipe=layers size=3", "layers has no size"),
        ("recipe=class_ascent steps=3 search.steps=4", "search.steps= is written too"),
        ("recipe=class_ascent steps=3 steps=4", "steps= is written too"),
        ("recipe=texture,texture_nearest size=3", "sweep over one recipe at a time"),
        ("recipe=neuron_ascent target=direction:0", "write directions=FILE too"),
        ("recipe=class_ascent target=direction:0 directions=a", "class_ascent has no units"),
        ("recipe=neuron_ascent target=direction:3..1 directions=a", "the lower number first"),
        ("recipe=neuron_ascent target=[direction:1,lemon] directions=a", "or a list of these"),
        ("recipe=multifaceted steps=3,4", "write one, such as search.stages.first.steps="),
    ],
)
def test_where_there_is_no_such_thing(typed: str, fragment: str) -> None:
    with pytest.raises(InputError, match=fragment.replace("(", r"\(")) as error:
        expanded(typed.split())
    assert "\n" not in str(error.value)
