"""A column for each class or niche, against numpy on single images."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_worlds import NAMES, rows_of
from torch import Tensor

from synth.core import Readout
from synth.core.network import OUTPUT, Network
from synth.core.weighted_sum import WeightedSum
from synth.errors import InputError
from synth.objectives.every_class import EveryClass
from synth.objectives.niches import (
    DESCRIPTORS,
    RANGES,
    Niches,
    brightness,
    colourfulness,
    detail,
    symmetry,
)


def readout(network: Network, images: Tensor) -> Readout:
    with torch.no_grad():
        return Readout({OUTPUT: network(images)}, images, rows_of(len(images)))


def plain_score(scores: np.ndarray, score: str) -> np.ndarray:
    logs = scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())
    return {"logit": scores, "log_probability": logs, "probability": np.exp(logs)}[score]


def assorted(count: int, spread: float = 1.0) -> Tensor:
    """Images from dark to bright and from noise to one colour."""
    noise = rows_of(count, "niches").uniform(3, 16, 16)
    level = torch.linspace(0, 1, count)[:, None, None, None]
    return (
        level + spread * (noise - 0.5) * torch.linspace(0, 1, count).flip(0)[:, None, None, None]
    ).clamp(0, 1)


@pytest.mark.parametrize("score", ["logit", "log_probability", "probability"])
def test_a_column_is_its_class(network: Network, score: str) -> None:
    bound = EveryClass(["lemon", 0, "teapot"], score).bind(network)
    images = assorted(4)
    (columns,) = bound(readout(network, images)).values()
    assert columns.shape == (4, bound.columns) == (4, 3)
    with torch.no_grad():
        scores = network(images).double().numpy()
    for row, values in zip(columns, scores, strict=True):
        np.testing.assert_allclose(row, plain_score(values, score)[[3, 0, 2]], rtol=1e-4, atol=1e-6)
    assert [(target.name, target.index) for target in bound.items] == [
        ("lemon", 3),
        ("goldfish", 0),
        ("teapot", 2),
    ]
    assert EveryClass().bind(network).columns == len(NAMES)


PLAIN = {
    "brightness": lambda p: p.mean(),
    "colourfulness": lambda p: (p.max(0) - p.min(0)).mean(),
    "detail": lambda p: min(
        1.0, np.abs(np.diff(p, axis=1)).mean() + np.abs(np.diff(p, axis=2)).mean()
    ),
    "symmetry": lambda p: min(
        1.0,
        max(
            0.0,
            1
            - np.abs(p - p[:, :, ::-1]).mean()
            / max(1e-6, 2 * np.abs(p - p.mean((1, 2), keepdims=True)).mean()),
        ),
    ),
}


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_descriptors_are_those_of_numpy(name: str) -> None:
    images = torch.cat(
        [assorted(12), torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).round()]
    )
    expected = [PLAIN[name](image) for image in images.double().numpy()]
    np.testing.assert_allclose(DESCRIPTORS[name](images), expected, atol=1e-5)
    assert RANGES.keys() == DESCRIPTORS.keys()


def test_descriptors_of_simple_images() -> None:
    black, white = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    red = black.clone()
    red[:, 0] = 1
    board = torch.from_numpy(np.indices((8, 8)).sum(0) % 2).float().expand(1, 3, 8, 8)
    half = black.clone()
    half[..., :4] = 1
    assert [float(brightness(image)) for image in (black, white)] == [0, 1]
    assert [float(colourfulness(image)) for image in (black, white, red)] == [0, 0, 1]
    assert [float(detail(image)) for image in (black, white, board)] == [0, 0, 1]
    assert [float(symmetry(image)) for image in (white, board, half, half.flip(2))] == [1, 0, 0, 0]
    assert float(symmetry(half.mT)) == 1


@given(
    st.lists(st.sampled_from(sorted(DESCRIPTORS)), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(1, 6), min_size=3, max_size=3),
    st.sampled_from(["probability", "logit"]),
)
def test_an_image_has_a_score_in_its_own_niche_of_each_class_only(
    network_once: Network, names: list[str], steps: list[int], score: str
) -> None:
    grid = dict(zip(names, steps, strict=False))
    bound = Niches(["lemon", "teapot"], grid, score).bind(network_once)
    images = assorted(9)
    batch = readout(network_once, images)
    (columns,) = bound(batch).values()
    cells = [*itertools.product(*[range(count) for count in grid.values()])]
    assert columns.shape == (9, bound.columns) == (9, 2 * len(cells))
    wanted_names = [
        (name, ", ".join(f"{word} {place + 1}" for word, place in zip(grid, cell, strict=True)))
        for name, cell in itertools.product(["lemon", "teapot"], cells)
    ]
    assert [(target.name, target.niche) for target in bound.items] == wanted_names
    for picture, row, scores in zip(
        images.double().numpy(), columns, batch.activations[OUTPUT].double().numpy(), strict=True
    ):
        shares = {
            word: (PLAIN[word](picture) - RANGES[word][0])
            / (RANGES[word][1] - RANGES[word][0])
            * count
            for word, count in grid.items()
        }
        cell = tuple(
            min(max(math.floor(share), 0), grid[word] - 1) for word, share in shares.items()
        )
        finite = {place for place, value in enumerate(row.tolist()) if value != -math.inf}
        if all(abs(share - round(share)) > 1e-3 for share in shares.values()):
            assert finite == {cells.index(cell), len(cells) + cells.index(cell)}
        else:
            assert len(finite) == 2
        values = plain_score(scores, score)
        np.testing.assert_allclose(
            sorted(row[sorted(finite)].tolist()), sorted([values[3], values[2]]), rtol=1e-4
        )


@pytest.fixture(scope="module")
def network_once() -> Network:
    from small_worlds import tiny_module, wrapped

    return wrapped(tiny_module())


def test_mistakes(network: Network) -> None:
    grid = {"brightness": 2}
    for wrong, message in (
        (lambda: EveryClass(score="probabilty"), "probability"),
        (lambda: EveryClass("random"), "target=random"),
        (lambda: EveryClass("goldfsh").bind(network), "goldfish"),
        (lambda: Niches("lemon", grid, "confidence"), "score=confidence"),
        (lambda: Niches("random", grid), "target=random"),
        (lambda: Niches("lemon", {}), "descriptors: empty"),
        (lambda: Niches("lemon", {"brightnes": 2}), "brightness"),
        (lambda: Niches("lemon", {"size": 2}), "Write one of brightness"),
        (lambda: Niches("lemon", {"detail": 0}), r"descriptors\.detail=0"),
        (lambda: Niches("lemn", grid).bind(network), "lemon"),
    ):
        with pytest.raises(InputError, match=message):
            wrong()
    both = WeightedSum({"a": EveryClass("all"), "b": EveryClass("all", "logit", weight=0.5)}).bind(
        network
    )
    assert both.columns == len(NAMES)
