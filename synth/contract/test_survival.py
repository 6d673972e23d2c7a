"""What every survivor selection owes: ranked survivors, and a search that climbs OneMax."""

from __future__ import annotations

import pytest
import torch

from synth.contract.cases import for_each
from synth.contract.parts import overrides_of, part
from synth.contract.worlds import one_max, rows_of
from synth.core import Survival
from synth.searches.genetic import Genetic


def search_with(name: str, islands: int = 1) -> Genetic:
    return part(
        "search",
        "genetic",
        f"search/survive={name}",
        "search.population=12",
        "search.generations=40",
        f"search.islands={islands}",
        "search/mutate=gaussian",
        "search.mutate.sigma=1.0",
        *overrides_of("search/survive", name),
    )


@for_each(name="search/survive")
def test_survivors_are_as_many_as_parents_and_ranked(name: str) -> None:
    survive = search_with(name).survive
    assert isinstance(survive, Survival)
    draws = torch.Generator().manual_seed(0)
    count = survive.offspring_count(12)
    fitness = torch.randn(3, 12, generator=draws).sort(dim=1, descending=True).values
    parents = {"fitness": fitness, "id": torch.arange(12).expand(3, -1)}
    offspring = {
        "fitness": torch.randn(3, count, generator=draws),
        "id": 12 + torch.arange(count).expand(3, -1),
    }
    survivors = survive(parents, offspring, rows_of(3))
    assert survivors.keys() == parents.keys()
    assert survivors["id"].shape == survivors["fitness"].shape == (3, 12)
    assert bool((survivors["fitness"].diff(dim=1) <= 0).all())
    everyone = torch.cat([parents["fitness"], offspring["fitness"]], dim=1)
    assert torch.equal(everyone.gather(1, survivors["id"]), survivors["fitness"])
    if survive.elitist:
        assert bool((survivors["fitness"][:, 0] >= fitness[:, 0]).all())


@pytest.mark.parametrize("islands", [1, 2])
@for_each(name="search/survive")
def test_a_scheme_of_survival_serves_the_genetic_search(name: str, islands: int) -> None:
    search = search_with(name, islands)
    assert isinstance(search, Genetic)
    assert search.islands == islands
    problem, rows = one_max(12), rows_of(3)
    state, scores = search.init(problem, rows), []
    for step in range(search.steps):
        before = {key: (value.shape, value.dtype) for key, value in state.items()}
        state, report = search.step(problem, rows, state, step)
        assert {key: (value.shape, value.dtype) for key, value in state.items()} == before
        assert int(report.forwards.max()) <= search.passes(problem.stochastic)
        scores.append(report.score)
    assert bool((torch.stack(scores).diff(dim=0) >= 0).all())
    assert bool((scores[-1] > scores[0]).all())
