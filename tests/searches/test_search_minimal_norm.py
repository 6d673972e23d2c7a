"""Minimal perturbations against linear boundaries, in a box and without, and Foolbox."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import optimize
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
from synth.searches._norms import BEYOND, NORMS
from synth.searches.minimal_norm import MinimalNorm

COUNT, LENGTH = 4, 12
ORDER = {"l2": 2, "linf": np.inf}
DUAL = {"l2": 2, "linf": 1}


def linear(
    columns: int, box: tuple[float, float] | None = None
) -> tuple[Analytic, Tensor, Tensor, Tensor]:
    """Scores w_j . x + b_j, all below 0 at the start; weights [r, k, n], starts, first scores."""
    draws = torch.Generator().manual_seed(1)
    weights = torch.randn(COUNT, columns, LENGTH, generator=draws)
    begin = torch.rand(COUNT, LENGTH, generator=draws)
    first = -torch.rand(COUNT, columns, generator=draws) - 0.8
    offsets = first - torch.einsum("rkn,rn->rk", weights, begin)

    def score(genome: Tensor, rows: Rows) -> Tensor:
        return torch.einsum("rkn,rn->rk", weights[rows.item], genome) + offsets[rows.item]

    return Analytic(score, lambda rows: begin[rows.item], box=box), weights, begin, first


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("norm", NORMS)
def test_over_a_flat_boundary_the_way_is_the_shortest(norm: str, columns: int) -> None:
    problem, weights, begin, first = linear(columns)
    reports, _ = evolved(MinimalNorm(60, norm), problem, rows_of(COUNT))
    distances = -first / torch.linalg.vector_norm(weights, ord=DUAL[norm], dim=2)
    result = np.linalg.norm((reports[-1].genome - begin).numpy(), ord=ORDER[norm], axis=1)
    assert (reports[-1].score > 0).all()
    # each boundary has its nearest point, and none is left for that of another
    nearby = np.abs(result[:, None] / distances.numpy() - 1)
    assert (nearby.min(1) < 0.05).all()
    assert columns > 1 or (nearby < 0.02).all()
    assert np.median(result / distances.amin(1).numpy()) < 1.1


def test_in_a_box_the_way_is_the_shortest_that_stays_in_it() -> None:
    problem, weights, begin, first = linear(1, (0.0, 1.0))
    reports, _ = evolved(MinimalNorm(80), problem, rows_of(COUNT))
    for row in range(COUNT):
        slope, start = weights[row, 0].double().numpy(), begin[row].double().numpy()
        best = optimize.minimize(
            lambda change: change @ change,
            np.zeros(LENGTH),
            jac=lambda change: 2 * change,
            bounds=list(zip(-start, 1 - start, strict=True)),
            method="SLSQP",
            constraints={
                "type": "eq",
                "fun": lambda change, a=slope, b=float(first[row, 0]): a @ change + b,
            },
        )
        assert best.success
        assert float((reports[-1].genome[row] - begin[row]).norm()) == pytest.approx(
            best.fun**0.5, rel=0.02
        )
        assert reports[-1].score[row] > 0


def test_the_smallest_success_is_what_is_shown() -> None:
    def ring(genome: Tensor, rows: Rows) -> Tensor:
        return (3 * genome[:, 0]).sin() + genome.square().sum(1) - 0.9

    problem = Analytic(ring, lambda rows: 0.05 * rows.normal(2))
    begin = problem.start(rows_of(COUNT))
    reports, _ = evolved(MinimalNorm(30), problem, rows_of(COUNT))
    assert torch.equal(reports[0].genome, begin)  # before a success it is the genome of the step
    before = torch.full((COUNT,), torch.inf)
    for entry in reports:
        torch.testing.assert_close(entry.score, ring(entry.genome, rows_of(COUNT)))
        length = torch.where(entry.score > BEYOND, (entry.genome - begin).norm(dim=1), torch.inf)
        assert bool((length <= before).all())
        before = length
    assert bool(before.isfinite().all())
    again, _ = evolved(MinimalNorm(30), problem, rows_of(COUNT))
    assert torch.equal(again[-1].genome, reports[-1].genome)


def test_what_is_over_already_is_not_moved_and_a_gradient_that_vanishes_is_survived() -> None:
    over = Analytic(lambda genome, rows: genome.sum(1) + 9.0, lambda rows: rows.uniform(3))
    reports, _ = evolved(MinimalNorm(5), over, rows_of(COUNT))
    assert torch.equal(reports[-1].genome, reports[0].genome)
    for norm in NORMS:
        flat = Analytic(
            lambda genome, rows: genome.clamp_max(0).sum(1) - 1.0,
            lambda rows: rows.uniform(3) + 1.0,
        )
        reports, _ = evolved(MinimalNorm(5, norm), flat, rows_of(COUNT))
        assert torch.equal(reports[-1].genome, reports[0].genome)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return noisy_pictures(tmp_path / "pictures", COUNT)


def searched(network: Network, folder: Path, search: MinimalNorm, **words: bool) -> Experiment:
    images = str(folder)
    aim, monitor = Alternatives(images=images, count=4), Untargeted(images=images)
    return Experiment(network, Perturbation(images=images, **words), aim, search, monitor=monitor)


def test_lengths_are_at_most_those_of_foolbox(loud_network: Network, folder: Path) -> None:
    foolbox = pytest.importorskip("foolbox")
    experiment = searched(loud_network, folder, MinimalNorm(60), eight_bit=False)
    reports, _ = evolved(experiment.search_method, experiment.problem, experiment.rows)
    originals = experiment.problem.encoding.originals(experiment.rows)
    with torch.no_grad():
        labels = loud_network(originals).argmax(1)
    model = foolbox.PyTorchModel(loud_network.eval(), bounds=(0, 1), device="cpu")
    _, theirs, _ = foolbox.attacks.DDNAttack(steps=200)(model, originals, labels, epsilons=None)
    ours = reports[-1].genome.flatten(1).norm(dim=1)
    assert bool((ours <= 1.03 * (theirs - originals).flatten(1).norm(dim=1)).all())
    assert bool((loud_network(originals + reports[-1].genome).argmax(1) != labels).all())


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_saved_fools(
    norm: str, loud_network: Network, folder: Path, tmp_path: Path
) -> None:
    experiment = searched(loud_network, folder, MinimalNorm(30, norm), levels=True)
    result = experiment.run(FolderRecord(tmp_path / "out")).to_dict()
    assert [item["success"] for item in result["items"]] == [True] * COUNT
    for item in result["items"]:
        images = [
            np.asarray(Image.open(tmp_path / "out" / item[word]), dtype=np.float64) / 255
            for word in ("file", "original")
        ]
        assert item["l2"] == pytest.approx(np.linalg.norm(images[0] - images[1]), abs=1e-5)


def test_what_cannot_be_is_refused(loud_network: Network) -> None:
    for words, report in (
        ({"norm": "l3"}, r"search\.norm=l3: no such norm"),
        ({"steps": 0}, r"search\.steps=0: write 1 or more"),
        ({"rate": 0.0}, r"search\.rate=0\.0, rate_end=0\.01: write rates above 0"),
        ({"rate": 0.1, "rate_end": 0.2}, "the first not the smaller"),
        ({"shrink": 1.0}, r"search\.shrink=1\.0: write a share"),
        ({"temperature": 0.0}, r"search\.temperature=0\.0: write a number above 0"),
    ):
        with pytest.raises(InputError, match=report):
            MinimalNorm(**words)
    with pytest.raises(InputError, match="search=minimal_norm: this encoding has no gradient"):
        Experiment(loud_network, Rounded(16), ClassScore("teapot"), MinimalNorm())
