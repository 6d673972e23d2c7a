"""What a recipe carries for a part that the user exchanged is dropped; what the user wrote himself is refused."""

from __future__ import annotations

from typing import Any

import pytest

from synth.cli.command import build
from synth.errors import InputError
from synth.transforms.affine import Chain, Rotate

CHAIN = {
    "_target_": "synth.transforms.affine.chain",
    "rotate": {"_target_": "synth.transforms.affine.Rotate", "degrees": 3.0},
    "jitter": None,
    "share": 0.1,  # of the jitter that stood there before
}


def transform(settings: dict[str, Any], given: list[str]) -> Any:
    return build({"transform": settings}, given)["transform"]


def test_a_chain_takes_its_steps_and_no_number_of_the_transform_before_it() -> None:
    chain = transform(CHAIN, [])
    assert isinstance(chain, Chain)
    assert [type(step) for step in chain.steps] == [Rotate]
    assert transform({"_target_": CHAIN["_target_"], "share": 0.1}, []).steps == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (CHAIN, "transform.share: chain takes no such value. It takes rotate, jitter."),
        (
            {"_target_": CHAIN["_target_"], "share": 0.1},
            "transform.share: chain takes no such value.",
        ),
    ],
)
def test_a_number_that_was_written_for_a_chain_is_refused(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as told:
        transform(settings, ["transform.share"])
    assert str(told.value) == said
