"""The clamped margin of a universal perturbation, targeted and untargeted, by definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import NAMES, rows_of

from synth.core import BoundObjective, Readout
from synth.core.network import OUTPUT, Network
from synth.core.randomness import key_of
from synth.engine.compatibility import items_rows
from synth.errors import InputError
from synth.objectives.every_picture import EveryPicture

COUNT = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of different colours."""
    path = tmp_path_factory.mktemp("six")
    for number in range(COUNT):
        colour = np.random.default_rng(number).integers(0, 256, (1, 1, 3))
        noisy = colour + np.random.default_rng(number).integers(-30, 30, (16, 16, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path / f"{number}.png")
    return path


def predictions(folder: Path, network: Network) -> list[int]:
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])
    return network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).argmax(1).tolist()


def values_of(
    bound: BoundObjective, scores: torch.Tensor, pictures: list[int], item: list[int] | None = None
) -> list[float]:
    rows = rows_of(len(scores))
    if item is not None:
        rows = rows.select(torch.tensor(item))
    readout = Readout(
        {OUTPUT: scores}, torch.zeros(len(scores), 3, 16, 16), rows, torch.tensor(pictures)
    )
    (value,) = bound(readout).values()
    assert value.shape == (len(scores), 1)
    return value[:, 0].tolist()


def test_untargeted_margins_are_against_the_label_of_the_clean_image(
    folder: Path, loud_network: Network
) -> None:
    bound = EveryPicture(str(folder), confidence=2.0).bind(loud_network)
    labels = predictions(folder, loud_network)
    source = [3, 0, 5, 3, 1]
    scores = 3 * rows_of(len(source), "scores").normal(len(NAMES))
    expected = []
    for place, picture in enumerate(source):
        values = scores[place].tolist()
        own_logit = values.pop(labels[picture])
        expected.append(min(max(values) - own_logit, 2.0))
    assert values_of(bound, scores, source) == pytest.approx(expected, abs=1e-6)
    rate = EveryPicture(str(folder), score="rate").bind(loud_network)
    assert values_of(rate, scores, source) == [float(value > 0) for value in expected]
    assert [(target.name, target.index) for target in bound.items or ()] == [("untargeted", None)]


def test_pictures_classified_as_the_target_have_no_gradient(
    folder: Path, loud_network: Network
) -> None:
    labels = predictions(folder, loud_network)
    target_index = labels[2]
    bound = EveryPicture(str(folder), target=target_index, confidence=1.5).bind(loud_network)
    source = list(range(COUNT))
    scores = rows_of(COUNT, "scores").normal(len(NAMES)).requires_grad_()
    values = values_of(bound, scores, source)
    for place in source:
        others = scores[place].tolist()
        own_logit = others.pop(target_index)
        assert values[place] == pytest.approx(
            1.5 if labels[place] == target_index else min(own_logit - max(others), 1.5), abs=1e-6
        )
    readout = Readout(
        {OUTPUT: scores}, torch.zeros(COUNT, 3, 16, 16), rows_of(COUNT), torch.tensor(source)
    )
    (gradient,) = torch.autograd.grad(bound(readout)["margin"].sum(), scores)
    assert not gradient[[place for place in source if labels[place] == target_index]].any()
    (target,) = bound.items or ()
    assert (target.name, target.index) == (NAMES[target_index], target_index)


def test_several_targets_are_an_item_each(folder: Path, loud_network: Network) -> None:
    bound = EveryPicture(str(folder), target=["lemon", "teapot"], confidence=50.0).bind(
        loud_network
    )
    scores = torch.zeros(2, len(NAMES))
    scores[:, NAMES.index("lemon")], scores[:, NAMES.index("teapot")] = 2.0, 1.0
    excluded = [
        place
        for place, index in enumerate(predictions(folder, loud_network))
        if NAMES[index] in ("lemon", "teapot")
    ]
    source = next(place for place in range(COUNT) if place not in excluded)
    assert values_of(bound, scores, [source, source], [0, 1]) == pytest.approx([1.0, -1.0])


def test_held_out_pictures_are_not_classified(folder: Path, loud_network: Network) -> None:
    bound = EveryPicture(str(folder), holdout=2, seed=1).bind(loud_network)
    assert len(bound.labels) == COUNT - 2  # type: ignore[attr-defined]


def test_a_seed_draws_as_before_the_item_was_called_untargeted(
    folder: Path, network: Network
) -> None:
    bound = EveryPicture(str(folder)).bind(network)
    rows = items_rows(bound.items, None, 7, network.device)
    assert rows.key.tolist() == [key_of(7, "not what is there", 0)]


def test_mistakes(folder: Path, network: Network) -> None:
    for words, message in (
        ({"score": "ratio"}, "score=ratio: no such score.*rate"),
        ({"confidence": 0.0}, "confidence=0.0: write a margin above 0"),
        ({"target": "goldfisch"}, "target=goldfisch: tiny has no such class.*goldfish"),
        ({"holdout": 6}, "holdout=6: of 6 pictures"),
    ):
        with pytest.raises(InputError, match=message):
            EveryPicture(str(folder), **words).bind(network)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"images: .*write images=FOLDER"):
        EveryPicture()
