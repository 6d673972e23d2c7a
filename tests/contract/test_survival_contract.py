"""What every scheme of survival owes: a search with it runs, keeps its shapes, and climbs OneMax."""

from __future__ import annotations

import pytest
import torch
from parts import names, part
from small_worlds import one_max, rows_of

from synth.searches.genetic import Genetic


@pytest.mark.parametrize("islands", [1, 2])
@pytest.mark.parametrize("name", names("search/survive"))
def test_a_scheme_of_survival_serves_the_genetic_search(name: str, islands: int) -> None:
    words = (
        f"search/survive={name}",
        "search.population=12",
        "search.generations=40",
        "search.mutate.sigma=1.0",
    )
    search = part(
        "search", "genetic", *words, *([f"search.islands={islands}"] if islands > 1 else [])
    )
    assert isinstance(search, Genetic)
    assert search.islands == islands
    problem, rows = one_max(12), rows_of(3)
    state, scores = search.init(problem, rows), []
    for step in range(search.steps):
        before = {key: (value.shape, value.dtype) for key, value in state.items()}
        state, said = search.step(problem, rows, state, step)
        assert {key: (value.shape, value.dtype) for key, value in state.items()} == before
        assert int(said.forwards.max()) <= search.passes(problem.stochastic)
        scores.append(said.score)
    assert bool((torch.stack(scores).diff(dim=0) >= 0).all())
    assert bool((scores[-1] > scores[0]).all())
