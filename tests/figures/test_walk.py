"""A walk leads through the genomes of all items and closes at the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from synth.figures.walk import Walk, interpolate
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.record.result import Figure
from synth.searches.gradient import Gradient

NAMES = ["lemon", "teapot", "goldfish"]


def test_the_ends_of_an_interpolation_are_the_genomes_bit_for_bit() -> None:
    first, second = torch.randn(2, 7, 3).unbind()
    shares = torch.tensor([0.0, 0.25, 1.0])
    genomes = interpolate(first, second, shares)
    assert genomes[0].equal(first)
    assert genomes[2].equal(second)
    torch.testing.assert_close(genomes[1], first + 0.25 * (second - first))


def test_the_film_leads_through_all_items_and_closes(tmp_path: Path) -> None:
    walk = Walk(frames=4, fps=10, across=3, longest=32)
    outcomes: list[Outcome] = []

    class RecordingWalk(Walk):
        def __call__(self, outcome: Outcome) -> Sequence[Figure]:
            outcomes.append(outcome)
            return walk(outcome)

    network = wrapped(tiny_module())
    result = (
        Experiment(
            network, Dct(), ClassScore(NAMES), Gradient(3), figures={"walk": RecordingWalk()}
        )
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    film, strip = result["figures"]
    assert film == {
        "file": "walk.webp",
        "caption": "12 frames, 1.2 s: lemon, teapot, goldfish, lemon.",
    }
    assert not list(tmp_path.rglob("*.partial"))
    with Image.open(tmp_path / "walk.webp") as opened:
        assert (opened.n_frames, opened.size, opened.info["loop"]) == (12, (32, 32), 0)
    frames = [
        np.asarray(frame) for frame in walk._film(outcomes[0])
    ]  # before the film's compression
    saved = []
    for item in result["items"]:
        with Image.open(tmp_path / item["file"]) as opened:
            saved.append(np.asarray(opened.convert("RGB")).repeat(2, 0).repeat(2, 1))
    for place, picture in enumerate(saved):
        # other batches differ in the last bits
        assert np.abs(frames[4 * place].astype(int) - picture).max() <= 1
    # the last frame is before the first again, at the eased share of the formula
    genome = outcomes[0].state.genome
    share = (1 - math.cos(3 * math.pi / 4)) / 2
    with torch.no_grad():
        image = Dct((16, 16)).decode(
            ((1 - share) * genome[2] + share * genome[0])[None], outcomes[0].rows
        )[0]
    expected = (image.permute(1, 2, 0) * 255).round().numpy().repeat(2, 0).repeat(2, 1)
    assert np.abs(frames[-1] - expected).max() <= 1
    with Image.open(tmp_path / strip["file"]) as opened:
        sheet = np.asarray(opened.convert("RGB")).astype(int)
    assert np.abs(sheet[GAP : GAP + 32, GAP : GAP + 32] - saved[0]).max() <= 1
    assert np.abs(sheet[GAP : GAP + 32, -GAP - 32 : -GAP] - saved[1]).max() <= 1


def test_runs_without_a_walk_are_refused(tmp_path: Path) -> None:
    network = wrapped(tiny_module())
    classes = ClassScore(NAMES[:2])
    with pytest.raises(InputError, match="there is one; name several"):
        Experiment(network, Pixels(), ClassScore("lemon"), Gradient(2), figures={"walk": Walk()})
    with pytest.raises(InputError, match="each is several pictures"):
        Experiment(
            network, SeveralImages(Pixels(), 2), classes, Gradient(2), figures={"walk": Walk()}
        )
    pictures = Perturbation(images=["china", "flower"])
    with pytest.raises(InputError, match="several pictures are changed"):
        Experiment(network, pictures, classes, Gradient(2), figures={"walk": Walk()})
    for options in (
        {"frames": 1},
        {"across": 2},
        {"fps": 0.0},
        {"longest": 8},
        {"longest": 20_000},
    ):
        with pytest.raises(InputError, match=r"figures.walk"):
            Walk(**options)  # type: ignore[arg-type]
