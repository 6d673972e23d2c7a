"""Building from a configuration: keys left over from a part that was exchanged, and old names."""

from __future__ import annotations

from typing import Any

import pytest

from synth.config.building import build
from synth.errors import InputError
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
