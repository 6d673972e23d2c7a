"""All pictures at once: the clamped margin against its definition, and what each picture is to be led away from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import NAMES, rows_of

from synth.core import BoundObjective, Readout
from synth.core.network import OUTPUT, Network
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


def seen(folder: Path, network: Network) -> list[int]:
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])
    return network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).argmax(1).tolist()


def asked(
    bound: BoundObjective, scores: torch.Tensor, source: list[int], item: list[int] | None = None
) -> list[float]:
    rows = rows_of(len(scores))
    if item is not None:
        rows = rows.select(torch.tensor(item))
    readout = Readout(
        {OUTPUT: scores}, torch.zeros(len(scores), 3, 16, 16), rows, torch.tensor(source)
    )
    (value,) = bound(readout).values()
    assert value.shape == (len(scores), 1)
    return value[:, 0].tolist()


def test_a_picture_is_led_away_from_what_is_seen_in_its_source(
    folder: Path, loud_network: Network
) -> None:
    bound = EveryPicture(str(folder), confidence=2.0).bind(loud_network)
    known = seen(folder, loud_network)
    source = [3, 0, 5, 3, 1]
    scores = 3 * rows_of(len(source), "scores").normal(len(NAMES))
    expected = []
    for place, picture in enumerate(source):
        values = scores[place].tolist()
        own = values.pop(known[picture])
        expected.append(min(max(values) - own, 2.0))
    assert asked(bound, scores, source) == pytest.approx(expected, abs=1e-6)
    rate = EveryPicture(str(folder), score="rate").bind(loud_network)
    assert asked(rate, scores, source) == [float(value > 0) for value in expected]
    assert [(target.name, target.index) for target in bound.items or ()] == [("untargeted", None)]


def test_a_target_is_approached_and_what_is_seen_as_it_counts_no_further(
    folder: Path, loud_network: Network
) -> None:
    known = seen(folder, loud_network)
    wanted = known[2]
    bound = EveryPicture(str(folder), target=wanted, confidence=1.5).bind(loud_network)
    source = list(range(COUNT))
    scores = rows_of(COUNT, "scores").normal(len(NAMES)).requires_grad_()
    values = asked(bound, scores, source)
    for place in source:
        others = scores[place].tolist()
        own = others.pop(wanted)
        assert values[place] == pytest.approx(
            1.5 if known[place] == wanted else min(own - max(others), 1.5), abs=1e-6
        )
    readout = Readout(
        {OUTPUT: scores}, torch.zeros(COUNT, 3, 16, 16), rows_of(COUNT), torch.tensor(source)
    )
    (gradient,) = torch.autograd.grad(bound(readout)["margin"].sum(), scores)
    assert not gradient[[place for place in source if known[place] == wanted]].any()
    (target,) = bound.items or ()
    assert (target.name, target.index) == (NAMES[wanted], wanted)


def test_several_targets_are_an_item_each(folder: Path, loud_network: Network) -> None:
    bound = EveryPicture(str(folder), target=["lemon", "teapot"], confidence=50.0).bind(
        loud_network
    )
    scores = torch.zeros(2, len(NAMES))
    scores[:, NAMES.index("lemon")], scores[:, NAMES.index("teapot")] = 2.0, 1.0
    already = [
        place
        for place, index in enumerate(seen(folder, loud_network))
        if NAMES[index] in ("lemon", "teapot")
    ]
    source = next(place for place in range(COUNT) if place not in already)
    assert asked(bound, scores, [source, source], [0, 1]) == pytest.approx([1.0, -1.0])


def test_only_the_pictures_to_learn_from_are_looked_at(folder: Path, loud_network: Network) -> None:
    bound = EveryPicture(str(folder), holdout=2, seed=1).bind(loud_network)
    assert len(bound.seen) == COUNT - 2  # type: ignore[attr-defined]


def test_bad_input_is_said_in_one_line(folder: Path, network: Network) -> None:
    for words, said in (
        ({"score": "ratio"}, "score=ratio: no such score.*rate"),
        ({"confidence": 0.0}, "confidence=0.0: write a margin above 0"),
        ({"target": "goldfisch"}, "target=goldfisch: tiny has no such class.*goldfish"),
        ({"holdout": 6}, "holdout=6: of 6 pictures"),
    ):
        with pytest.raises(InputError, match=said):
            EveryPicture(str(folder), **words).bind(network)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"images: .*write images=FOLDER"):
        EveryPicture()
