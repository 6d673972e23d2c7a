"""Building from a configuration: keys left over from a part that was exchanged, and old names."""

from __future__ import annotations

from typing import Any

import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from synth.config.building import build
from synth.errors import BrokenModule, InputError
from synth.record.job import Job
from synth.transforms.affine import Chain, Rotate

CHAIN = {
    "_target_": "synth.transforms.affine.chain",
    "rotate": {"_target_": "synth.transforms.affine.Rotate", "degrees": 3.0},
    "jitter": None,
    "share": 0.1,  # of the jitter that stood there before
}


def transform(settings: dict[str, Any], written: list[str]) -> Any:
    return build({"transform": settings}, written)["transform"]


def test_a_chain_takes_its_steps_and_no_number_of_the_transform_before_it() -> None:
    chain = transform(CHAIN, [])
    assert isinstance(chain, Chain)
    assert [type(step) for step in chain.steps] == [Rotate]
    assert transform({"_target_": CHAIN["_target_"], "share": 0.1}, []).steps == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (CHAIN, "transform.share: chain takes no such value. It takes rotate, jitter."),
        (
            {"_target_": CHAIN["_target_"], "share": 0.1},
            "transform.share: chain takes no such value.",
        ),
    ],
)
def test_a_number_that_was_written_for_a_chain_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        transform(settings, ["transform.share"])
    assert str(caught.value) == message


def test_an_old_class_is_refused_with_its_new_name() -> None:
    with pytest.raises(InputError) as caught:
        transform({"_target_": "synth.measures.strip.Strip"}, [])
    assert str(caught.value) == (
        "transform._target_=synth.measures.strip.Strip: "
        "it is called synth.figures.strip.Strip now; write that."
    )


@pytest.mark.parametrize("written", [[], ["encoding.rounded"]], ids=["in a file", "typed"])
def test_an_old_key_of_a_class_is_refused_with_its_new_name(written: list[str]) -> None:
    old = {"_target_": "synth.encodings.perturbation.Perturbation", "rounded": False}
    with pytest.raises(InputError) as caught:
        build({"encoding": old}, written)
    assert str(caught.value) == "encoding.rounded: it is called eight_bit now; write that."


def test_a_key_that_is_old_for_another_class_is_dropped() -> None:
    pixels = {"_target_": "synth.encodings.pixels.Pixels", "rounded": False, "facets": 3}
    assert type(build({"encoding": pixels}, [])["encoding"]).__name__ == "Pixels"


@pytest.mark.parametrize(
    "target", ["synth.encodings.pixels.torch.load", "synth.encodings.canvas.Perturbation"]
)
def test_what_a_module_imports_is_not_built_from_it(target: str) -> None:
    with pytest.raises(InputError, match="there is no such thing in synth"):
        build({"encoding": {"_target_": target}}, [])


PIXELS = {"_target_": "synth.encodings.pixels.Pixels"}
FOREIGN = {
    # a path that leads to no class or function, or to one of another kind
    ("encoding", "my_parts.Scren", ""): "there is no Scren in .*my_parts.py. Did you mean Screen?",
    ("encoding", "my_partz.Screen", ""): "there is no module my_partz, neither installed nor in",
    ("encoding", "my_parts.missing.Screen", ""): "there is no missing in .*my_parts.py",
    ("encoding", "my_parts", ""): "write package.module.Class",
    ("encoding", "my_parts..Screen", ""): "write package.module.Class",
    ("encoding", "my_parts.nn", ""): "it is no class and no function",
    ("encoding", "my_parts.Plain", ""): "it is no Encoding; write a class derived from "
    "synth.core.Encoding, or a function that returns one",
    ("search", "my_parts.Contrast", ""): "it is no Search; write .* synth.core.Search",
    ("search", "os.system", ""): "it is no Search",
    (
        "network",
        "my_parts.Network",
        "mean: 3",
    ): "network.mean: Network takes no such|module: Network",
    ("figures", "my_parts.Mean", ""): "it is no FigureMaker; .* synth.engine.metric.FigureMaker",
    ("encoding", "my_parts.Unfinished", ""): "it does not define at, decode, project, start, which",
    # keys and values
    ("encoding", "my_parts.Screen", "cels: 3"): "encoding.cels: Screen takes no such value. Did "
    "you mean cells?",
    ("encoding", "my_parts.Screen", "cells: .nan"): "encoding.cells=nan: write a finite number",
    ("objective", "my_parts.Contrast", "power: 1.5"): "objective.power=1.5: Contrast takes a whole "
    "number here",
    ("objective", "my_parts.Contrast", "weight: high"): "objective.weight=high: Contrast takes a "
    "number here",
    ("objective", "my_parts.Contrast", "words: [1]"): r"objective.words=\[1\]: Contrast takes",
    ("objective", "my_parts.Contrast", "weight: true"): "objective.weight=true: write a number",
    ("search", "my_parts.Nothing", ""): "it is no Search",
}


def _experiment(place: str, node: dict[str, Any]) -> dict[str, Any]:
    parts = {
        "encoding": PIXELS,
        "objective": {"_target_": "synth.objectives.priors.TotalVariation"},
        "search": {"_target_": "synth.searches.gradient.Gradient"},
        "network": {"_target_": "my_parts.tiny"},
    }
    node = {"a": node} if place == "figures" else node
    return {"_target_": "synth.engine.experiment.Experiment", **parts, place: node}


@pytest.mark.parametrize(("place", "target", "more"), FOREIGN, ids=lambda text: text or "-")
@pytest.mark.usefixtures("own")
def test_a_mistake_with_a_foreign_part_is_told_in_one_line(
    place: str, target: str, more: str
) -> None:
    node = {"_target_": target, **OmegaConf.to_container(OmegaConf.create(more))}
    with pytest.raises(InputError, match=FOREIGN[place, target, more]) as caught:
        build(_experiment(place, node), [])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(place)


@pytest.mark.usefixtures("own")
def test_a_foreign_part_takes_its_keys_with_and_without_type_hints() -> None:
    screen = {"_target_": "my_parts.Screen", "cells": 6, "size": 16}
    experiment = build(_experiment("encoding", screen), [])
    assert (experiment.problem.encoding.cells, experiment.problem.encoding.size) == (6, (16, 16))
    # fit is what all networks have; none of another's numbers is left where a class is typed
    network = {"_target_": "my_parts.tiny", "fit": True, "classes": 3}
    assert build(_experiment("network", network), []).problem.network.classes.names[2:] == ["2"]
    network = {"_target_": "my_parts.flexible", "a": 1, "b": 2, "old": 3}
    problem = build(_experiment("network", network), []).problem
    assert len(problem.network.classes) == 3
    problem = build(_experiment("network", network), ["network._target_", "network.a"]).problem
    assert len(problem.network.classes) == 1
    search = {"_target_": "my_parts.Ascent", "steps": 3, "momentum": 0.5}
    assert build(_experiment("search", search), ["search._target_"]).search_method.steps == 3
    with pytest.raises(InputError, match=r"search.momentum: Ascent takes no such value"):
        build(_experiment("search", search), ["search._target_", "search.momentum"])
    contrast = {"_target_": "my_parts.Contrast", "weight": 2, "words": ["a"]}
    assert build(_experiment("objective", contrast), []).problem.objective is not None


@pytest.mark.usefixtures("own")
def test_a_foreign_part_that_fails_is_named_and_its_own_refusal_is_kept() -> None:
    failing = {"_target_": "my_parts.flexible", "encoding": {"_target_": "my_parts.Failing"}}
    with pytest.raises(BrokenModule, match=r"encoding: my_parts.Failing failed .*: KeyError: 'a'"):
        build({"network": failing}, [])
    failing["encoding"]["message"] = "search.rate=3: too high."
    with pytest.raises(InstantiationException) as caught:
        build({"network": failing}, [])
    assert repr(caught.value.__cause__) == "InputError('search.rate=3: too high.')"
    with pytest.raises(InputError, match=r"Target 'subprocess.run' is blocklisted"):
        build({"of": {"_target_": "subprocess.run", "args": ["ls"]}}, [])


def test_a_class_without_a_signature_is_built() -> None:
    assert build({"of": {"_target_": "builtins.dict", "a": 1}}, [])["of"] == {"a": 1}


@pytest.mark.usefixtures("own")
def test_a_recipe_that_is_no_job_is_told_the_base_class() -> None:
    with pytest.raises(
        InputError, match=r"_target_=my_parts.Plain: it is no Job; .*record.job.Job"
    ):
        build({"_target_": "my_parts.Plain"}, [], Job)
    assert build({"_target_": "my_parts.Nothing", "message": "x", "word": 1}, ["word"], Job)
