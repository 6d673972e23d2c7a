"""A walk sets out from what was found, arrives at what was found, and closes where it began."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import tiny_module, wrapped

from synth.data.sheet import GAP
from synth.encodings.dct import Dct
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.encodings.several_images import SeveralImages
from synth.engine.experiment import Experiment
from synth.engine.metric import Outcome
from synth.errors import InputError
from synth.figures.walk import Walk, between
from synth.objectives.scores import ClassScore
from synth.record.record import Record
from synth.searches.gradient import Gradient

NAMES = ["lemon", "teapot", "goldfish"]


def test_the_ends_of_a_way_are_the_genomes_bit_for_bit() -> None:
    one, other = torch.randn(2, 7, 3).unbind()
    shares = torch.tensor([0.0, 0.25, 1.0])
    found = between(one, other, shares)
    assert found[0].equal(one)
    assert found[2].equal(other)
    torch.testing.assert_close(found[1], one + 0.25 * (other - one))


def test_the_film_goes_through_all_that_was_found_and_closes(tmp_path: Path) -> None:
    walk, kept = Walk(frames=4, fps=10, across=3, longest=32), []

    class Seen(Walk):
        def __call__(self, outcome: Outcome) -> dict[str, object]:
            kept.append(outcome)
            return dict(walk(outcome))

    network = wrapped(tiny_module())
    result = Experiment(
        network, Dct(), ClassScore(NAMES), Gradient(3), metrics={"walk": Seen()}
    ).run(Record(tmp_path)).to_dict()
    film, strip = result["figures"]
    assert film == {
        "file": "walk.webp",
        "caption": "12 frames, 1.2 s: lemon, teapot, goldfish, lemon.",
    }
    assert not list(tmp_path.rglob("*.partial"))
    with Image.open(tmp_path / "walk.webp") as opened:
        assert (opened.n_frames, opened.size, opened.info["loop"]) == (12, (32, 32), 0)
    frames = [np.asarray(frame) for frame in walk._film(kept[0])]  # before the film's compression
    saved = []
    for item in result["items"]:
        with Image.open(tmp_path / item["file"]) as opened:
            saved.append(np.asarray(opened.convert("RGB")).repeat(2, 0).repeat(2, 1))
    for place, picture in enumerate(saved):
        assert (
            np.abs(frames[4 * place].astype(int) - picture).max() <= 1
        )  # other batches differ in the last bits
    # the frame after the last would be the first; the one between, eased, is what the formula says
    genome, share = kept[0].course.genome, (1 - math.cos(3 * math.pi / 4)) / 2
    with torch.no_grad():
        image = Dct((16, 16)).decode(
            ((1 - share) * genome[2] + share * genome[0])[None], kept[0].rows
        )[0]
    expected = (image.permute(1, 2, 0) * 255).round().numpy().repeat(2, 0).repeat(2, 1)
    assert np.abs(frames[-1] - expected).max() <= 1
    with Image.open(tmp_path / strip["file"]) as opened:
        sheet = np.asarray(opened.convert("RGB")).astype(int)
    assert np.abs(sheet[GAP : GAP + 32, GAP : GAP + 32] - saved[0]).max() <= 1
    assert np.abs(sheet[GAP : GAP + 32, -GAP - 32 : -GAP] - saved[1]).max() <= 1


def test_what_cannot_be_walked_is_refused(tmp_path: Path) -> None:
    network, classes = wrapped(tiny_module()), ClassScore(NAMES[:2])
    with pytest.raises(InputError, match="there is one; name several"):
        Experiment(network, Pixels(), ClassScore("lemon"), Gradient(2), metrics={"walk": Walk()})
    with pytest.raises(InputError, match="each is several pictures"):
        Experiment(
            network, SeveralImages(Pixels(), 2), classes, Gradient(2), metrics={"walk": Walk()}
        )
    pictures = Perturbation(images=["china", "flower"])
    with pytest.raises(InputError, match="several pictures are changed"):
        Experiment(network, pictures, classes, Gradient(2), metrics={"walk": Walk()})
    for wrong in ({"frames": 1}, {"across": 2}, {"fps": 0.0}, {"longest": 8}, {"longest": 20_000}):
        with pytest.raises(InputError, match=r"figures.walk"):
            Walk(**wrong)  # type: ignore[arg-type]
