"""Random search, against the best of the same draws by hand."""

from __future__ import annotations

import pytest
import torch
from small_worlds import Analytic, evolved, quadratics, rows_of
from torch import Tensor

from synth.core import Rows
from synth.errors import InputError
from synth.searches.random import Random


def test_the_best_of_all_draws_stays() -> None:
    problem, _, _ = quadratics(3, 5)
    rows = rows_of(3)
    reports, _ = evolved(Random(4, 6), problem, rows)
    scores = []
    for step in range(4):
        individuals = rows.fold_in(step).split(6)
        genomes = problem.start(individuals).unflatten(0, (3, 6))
        if step == 0:
            genomes[:, 0] = problem.start(rows)
        scores.append(problem.evaluate(genomes.flatten(0, 1), individuals).scores.view(3, 6))
    for step, report in enumerate(reports):
        best = torch.cat(scores[: step + 1], 1).amax(1)
        torch.testing.assert_close(report.score, best)
        torch.testing.assert_close(problem.evaluate(report.genome, rows).scores[:, 0], best)
        assert report.forwards.tolist() == [6, 6, 6]
        assert not report.backwards.any()


def test_nan_never_wins_and_numbers_are_checked() -> None:
    def score(genome: Tensor, rows: Rows) -> Tensor:
        return torch.where(genome[:, 0] > 0, torch.nan, genome[:, 0])

    problem = Analytic(score, lambda rows: rows.normal(2))
    reports, _ = evolved(Random(3, 8), problem, rows_of(4))
    assert all((report.score < 0).all() for report in reports)
    with pytest.raises(InputError, match=r"search\.population=0: write 1 or more"):
        Random(population=0)
    with pytest.raises(InputError, match=r"search\.steps=0: write 1 or more"):
        Random(0)
