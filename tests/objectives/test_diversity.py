"""Diversity against its definition in numpy, and in a search that makes images differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_worlds import rows_of, tiny_module, wrapped

from synth.core import Readout
from synth.core.weighted_sum import WeightedSum
from synth.encodings.fourier import Fourier
from synth.encodings.several_images import SeveralImages
from synth.engine.experiment import Experiment
from synth.objectives.diversity import Diversity
from synth.objectives.scores import Channel
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.transforms.affine import Jitter

LAYER = "relu2"


def cosines(grams: np.ndarray) -> np.ndarray:
    """The cosine of each pair of matrices [m, c, c]."""
    flat = grams.reshape(len(grams), -1)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return flat @ flat.T


@pytest.mark.parametrize("views", [1, 2])
def test_it_is_minus_the_mean_cosine_to_the_other_images(views: int) -> None:
    values = torch.rand(
        2 * 3 * views, 12, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    rows = rows_of(2).repeat(3 * views)
    bound = Diversity("conv2").bind(wrapped(tiny_module()))
    assert bound.layers == (LAYER,)  # after normalisation and ReLU
    images = torch.rand(len(values), 3, 16, 16)
    (scores,) = bound(Readout({LAYER: values}, images, rows, None, 3, views)).values()
    assert scores.shape == (len(values), 1)
    for row in range(2):
        grams = []
        for facet in range(3):
            first = (row * 3 + facet) * views
            each = [
                v.reshape(12, -1) @ v.reshape(12, -1).T
                for v in values[first : first + views].numpy()
            ]
            grams.append(np.mean(each, axis=0))
        matrix = cosines(np.stack(grams))
        for facet in range(3):
            expected = -(matrix[facet].sum() - 1) / 2
            first = (row * 3 + facet) * views
            assert scores[first : first + views, 0].tolist() == pytest.approx(
                [expected] * views, rel=1e-5
            )
        pairs = matrix[np.triu_indices(3, 1)].mean()
        mean = float(scores[row * 3 * views : (row + 1) * 3 * views].mean())
        assert mean == pytest.approx(-pairs, rel=1e-5)


def test_it_is_0_for_one_image_a_genome() -> None:
    bound = Diversity("fc").bind(wrapped(tiny_module()))
    readout = Readout({"fc": torch.rand(4, 5)}, torch.rand(4, 3, 16, 16), rows_of(4))
    assert bound(readout)["diversity"].abs().max() < 1e-6


def test_images_differ_only_where_it_has_weight(tmp_path: Path) -> None:
    network = wrapped(tiny_module(gain=4.0))
    similarities = []
    for weight in (0.0, 3.0):
        objective = WeightedSum(
            {"unit": Channel("conv2", [1, 2]), "diversity": Diversity("conv2", weight)}
        )
        search = Gradient(30, rate=0.1)
        experiment = Experiment(
            network, SeveralImages(Fourier(), 3), objective, search, transform=Jitter(0.1), views=2
        )
        record = FolderRecord(tmp_path / str(weight))
        result = experiment.run(record).to_dict()
        images = torch.stack([record.read_back(item["file"]) for item in result["items"]])
        values = network.read(images, [LAYER])[LAYER].flatten(2).double().numpy()
        grams = values @ values.transpose(0, 2, 1)
        similarities.append(
            np.mean(
                [
                    cosines(grams[first : first + 3])[np.triu_indices(3, 1)].mean()
                    for first in (0, 3)
                ]
            )
        )
    assert similarities[1] < similarities[0] - 0.1
