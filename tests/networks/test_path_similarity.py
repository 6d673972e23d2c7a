"""Rank correlations against SciPy's, and means over a part against a loop over its places."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr

from synth.core.network import Network
from synth.networks.path_similarity import path_vectors, rank_correlation


def test_rank_correlations_are_those_of_scipy_with_ties_too() -> None:
    draws = torch.Generator().manual_seed(0)
    first = torch.randn(3, 40, generator=draws).relu()
    second = torch.randint(0, 5, (2, 40), generator=draws).float()
    ours = rank_correlation(first, second)
    assert ours.shape == (3, 2)
    for i in range(3):
        for j in range(2):
            theirs = spearmanr(first[i].numpy(), second[j].numpy()).statistic
            assert ours[i, j].item() == pytest.approx(theirs, abs=1e-6)
    assert rank_correlation(first, torch.ones(1, 40)).isnan().all()
    assert rank_correlation(first, 3 * first.exp()).diagonal().tolist() == pytest.approx([1.0] * 3)


def test_vectors_are_means_over_the_places_in_the_part(network: Network) -> None:
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    boxes = torch.tensor([[0, 0, 16, 16], [-3, 4, 5, 9], [6, 6, 7, 7]])
    vectors = path_vectors(network, images, boxes, ["conv1", "pool1", "fc"])
    activations = network.read(images, ["conv1", "pool1", "fc"])
    maps = activations["conv1"]  # a place a pixel
    means = [maps[0].mean((1, 2)), maps[1, :, :5, 4:9].mean((1, 2)), maps[2, :, 6, 6]]
    assert torch.allclose(vectors["conv1"], torch.stack(means), atol=1e-6)
    # a place for two pixels; a part smaller than a place has the nearest
    assert torch.allclose(vectors["pool1"][2], activations["pool1"][2, :, 3, 3], atol=1e-6)
    assert torch.equal(vectors["fc"], activations["fc"])
