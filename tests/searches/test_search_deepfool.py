"""DeepFool against linear classifiers, whose minimal perturbation is known, and Foolbox."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from small_worlds import Analytic, Rounded, evolved, noisy_pictures, rows_of
from torch import Tensor

from synth.core import Rows
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.alternatives import Alternatives
from synth.objectives.scores import ClassScore
from synth.objectives.untargeted import Untargeted
from synth.record.folder_record import FolderRecord
from synth.searches import deepfool
from synth.searches._norms import NORMS
from synth.searches.deepfool import DeepFool

COUNT, LENGTH, WAYS = 4, 12, 5
ORDER = {"l2": 2, "linf": np.inf}
DUAL = {"l2": 2, "linf": 1}


def linear(columns: int, seed: int = 0) -> tuple[Analytic, Tensor, Tensor]:
    """Scores w_j . x + b_j, all below 0 at the start; w [r, k, n], and the first scores."""
    draws = torch.Generator().manual_seed(seed)
    weights = torch.randn(COUNT, columns, LENGTH, generator=draws, dtype=torch.float64)
    weights *= torch.rand(COUNT, columns, 1, generator=draws, dtype=torch.float64) + 0.2
    begin = torch.randn(COUNT, LENGTH, generator=draws, dtype=torch.float64)
    first = -torch.rand(COUNT, columns, generator=draws, dtype=torch.float64) - 0.5
    offsets = first - torch.einsum("rkn,rn->rk", weights, begin)

    def score(genome: Tensor, rows: Rows) -> Tensor:
        return torch.einsum("rkn,rn->rk", weights[rows.item], genome) + offsets[rows.item]

    return Analytic(score, lambda rows: begin[rows.item]), weights, first


@pytest.mark.parametrize("columns", [1, WAYS])
@pytest.mark.parametrize("norm", NORMS)
def test_over_a_flat_boundary_the_way_is_the_shortest(norm: str, columns: int) -> None:
    problem, weights, first = linear(columns)
    reports, _ = evolved(DeepFool(2, norm, overshoot=0.0), problem, rows_of(COUNT))
    distances = -first / torch.linalg.vector_norm(weights, ord=DUAL[norm], dim=2)
    change = (reports[-1].genome - reports[0].genome).numpy()
    result = np.linalg.norm(change, ord=ORDER[norm], axis=1)
    np.testing.assert_allclose(result, distances.amin(1), rtol=2e-4)
    assert bool((reports[-1].score > 0).all())
    if columns > 1:  # and the nearest is not always the one that scores highest
        assert not torch.equal(distances.argmin(1), first.argmax(1))


def test_the_whole_way_is_overshot() -> None:
    problem, weights, first = linear(1)
    reports, _ = evolved(DeepFool(2, overshoot=0.5), problem, rows_of(COUNT))
    length = (reports[-1].genome - reports[0].genome).norm(dim=1)
    torch.testing.assert_close(
        length, 1.5 * -first[:, 0] / weights[:, 0].norm(dim=1), rtol=2e-4, atol=0
    )


def test_of_more_scores_than_candidates_the_highest_are_followed() -> None:
    problem, weights, first = linear(WAYS)
    reports, _ = evolved(DeepFool(2, overshoot=0.0, candidates=2), problem, rows_of(COUNT))
    distances = -first / weights.norm(dim=2)
    expected = distances.gather(1, first.topk(2, 1).indices).amin(1)
    torch.testing.assert_close(
        (reports[-1].genome - reports[0].genome).norm(dim=1), expected, rtol=2e-4, atol=0
    )
    assert reports[0].backwards.tolist() == [2] * COUNT
    assert DeepFool(candidates=2).passes(stochastic=False) == 5


def test_a_row_that_is_over_stays_there_and_asks_for_no_gradient() -> None:
    begin = torch.tensor([[0.0, 0.0], [0.9, 0.1]], dtype=torch.float64)
    problem = Analytic(
        lambda genome, rows: genome[:, 0].log1p() - 0.3, lambda rows: begin[rows.item]
    )
    reports, _ = evolved(DeepFool(8), problem, rows_of(2))
    assert [entry.backwards.tolist() for entry in reports[:2]] == [[1, 1], [1, 0]]
    assert all(torch.equal(entry.genome[1], begin[1]) for entry in reports)
    distance = math.exp(0.3) - 1  # a slope that falls: each step but the last is too short
    assert distance < reports[-1].genome[0].norm() < 1.03 * distance
    assert reports[-1].backwards.tolist() == [0, 0]
    assert reports[-1].forwards.tolist() == [1, 1]


@pytest.mark.parametrize("norm", NORMS)
def test_a_gradient_that_vanishes_is_survived(norm: str) -> None:
    problem = Analytic(
        lambda genome, rows: genome.clamp_max(0).sum(1) - 1.0, lambda rows: rows.uniform(3) + 1.0
    )
    reports, _ = evolved(DeepFool(3, norm), problem, rows_of(COUNT))
    assert torch.equal(reports[-1].genome, reports[0].genome)
    assert bool(reports[-1].score.isfinite().all())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return noisy_pictures(tmp_path / "pictures", COUNT)


@pytest.mark.parametrize("norm", NORMS)
def test_lengths_are_those_of_foolbox(norm: str, loud_network: Network, folder: Path) -> None:
    foolbox = pytest.importorskip("foolbox")
    images = str(folder)
    experiment = Experiment(
        loud_network,
        Perturbation(images=images, eight_bit=False),
        Alternatives(images=images, count=4),
        DeepFool(20, norm),
        monitor=Untargeted(images=images),
    )
    reports, _ = evolved(experiment.search_method, experiment.problem, experiment.rows)
    originals = experiment.problem.encoding.originals(experiment.rows)
    with torch.no_grad():
        labels = loud_network(originals).argmax(1)
    name = {"l2": "L2DeepFoolAttack", "linf": "LinfDeepFoolAttack"}[norm]
    model = foolbox.PyTorchModel(loud_network.eval(), bounds=(0, 1), device="cpu")
    _, theirs, _ = getattr(foolbox.attacks, name)(steps=20)(model, originals, labels, epsilons=None)
    lengths = [
        np.linalg.norm(entry.flatten(1).numpy(), ord=ORDER[norm], axis=1)
        for entry in (reports[-1].genome, theirs - originals)
    ]
    np.testing.assert_allclose(*lengths, rtol=0.05)


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_saved_fools(
    norm: str, loud_network: Network, folder: Path, tmp_path: Path
) -> None:
    images = str(folder)
    experiment = Experiment(
        loud_network,
        Perturbation(images=images, levels=True),
        Alternatives(images=images, count=3),
        DeepFool(30, norm),
        monitor=Untargeted(images=images),
    )
    result = experiment.run(FolderRecord(tmp_path / "out")).to_dict()
    assert [item["success"] for item in result["items"]] == [True] * COUNT


def test_towards_a_class_there_is_one_score(
    loud_network: Network, folder: Path, tmp_path: Path
) -> None:
    entry = str(folder / "00.png")
    experiment = Experiment(
        loud_network,
        Perturbation(image=entry, levels=True),
        ClassScore("teapot", "margin"),
        DeepFool(30),
    )
    (item,) = experiment.run(FolderRecord(tmp_path / "out")).to_dict()["items"]
    assert (item["predicted"], item["success"]) == ("teapot", True)


def test_what_cannot_be_is_refused(loud_network: Network) -> None:
    with pytest.raises(InputError, match=r"search\.norm=l1: no such norm"):
        DeepFool(norm="l1")
    with pytest.raises(InputError, match="steps=0, candidates=9; write 1 or more"):
        DeepFool(0)
    with pytest.raises(InputError, match="candidates=0; write 1 or more"):
        DeepFool(candidates=0)
    with pytest.raises(InputError, match=r"search\.overshoot=-0\.1: write a share"):
        DeepFool(overshoot=-0.1)
    with pytest.raises(InputError, match="search=deepfool: this encoding has no gradient"):
        Experiment(loud_network, Rounded(16), ClassScore("teapot"), DeepFool())


def test_rows_a_few_at_a_time_go_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, _, _ = linear(WAYS)
    whole, _ = evolved(DeepFool(4), problem, rows_of(COUNT))
    monkeypatch.setattr(deepfool, "ROWS_AT_A_TIME", 3)
    parts, _ = evolved(DeepFool(4), problem, rows_of(COUNT))
    for entry, other in zip(whole, parts, strict=True):
        assert torch.equal(entry.genome, other.genome)
        assert torch.equal(entry.score, other.score)
        assert torch.equal(entry.backwards, other.backwards)
